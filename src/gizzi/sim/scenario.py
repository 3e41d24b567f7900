"""A scenario: a folder whose scenario.toml says which fleet, which faults at what time, and what must come of it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gizzi.clock import Clock
from gizzi.config import Policy, explain
from gizzi.errors import ConfigError
from gizzi.sim.faults import Fault, read_fault
from gizzi.sim.fleet import ChainPlan, SimFleet

FILE_NAME = "scenario.toml"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Reply(_Table):
    """What a scripted model of that tier says next."""

    tier: Literal["local", "standard", "frontier"]
    text: str


class Person(_Table):
    """What somebody does at a time. validator: None means all; for approve and deny, whichever is asked for first from then on.

    for_s: how long a maintenance lasts.
    """

    at_s: float = Field(ge=0)
    does: Literal["maintenance", "approve", "deny", "stop", "resume"]
    validator: int | None = None
    for_s: float = Field(3600.0, gt=0)


class ExpectedIncident(_Table):
    """validators: None means any. opened_within_s: counted from the first fault that names one of its validators."""

    rule: str
    validators: list[int] | None = None
    opened_within_s: float | None = Field(None, ge=0)
    resolved: bool | None = None


class ExpectedAction(_Table):
    action: str
    validator: int | None = None
    verdict: Literal["resolved", "not_resolved", "worse", "unknown"] | None = None


class ForbiddenAction(_Table):
    """validator: None means any."""

    action: str
    validator: int | None = None


class Expect(_Table):
    incidents: list[ExpectedIncident] = []
    max_incidents: int | None = Field(None, ge=0)
    actions: list[ExpectedAction] = []
    never: list[ForbiddenAction] = []
    decision: Literal["restart", "wait", "investigate", "escalate"] | None = None
    max_notifications: int | None = Field(None, ge=0)


class _ChainTable(_Table):
    id: str = Field(min_length=1, max_length=100)
    parent: str | None = None
    block_time_s: float | None = Field(None, gt=0, le=3600)
    validators: list[int] | None = None
    authorities: int | None = Field(None, ge=1, le=100_000)


class _File(_Table):
    title: str = ""
    seed: int = 1
    validators: int = Field(21, ge=1, le=10_000)
    authorities: int | None = Field(None, ge=1, le=100_000)
    block_time_s: float = Field(6.0, gt=0, le=3600)
    duration_s: float = Field(900.0, gt=0, le=31_622_400)
    policy: Policy = Policy()
    chains: list[_ChainTable] = []
    faults: list[dict[str, Any]] = []
    replies: list[Reply] = []
    people: list[Person] = []
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True)
class Scenario:
    """name: the folder's. Faults are in the file's order."""

    name: str
    file: Path
    title: str
    seed: int
    validators: int
    chains: tuple[ChainPlan, ...]
    duration_s: float
    policy: Policy
    faults: tuple[Fault, ...]
    replies: tuple[Reply, ...]
    people: tuple[Person, ...]
    expect: Expect

    def fleet(self, clock: Clock) -> SimFleet:
        """The fleet it is about, its faults waiting for their time."""
        return SimFleet(clock, validators=self.validators, seed=self.seed, chains=self.chains, faults=self.faults)

    def first_fault_s(self, validators: Collection[int], chain: str | None = None) -> float | None:
        """When the first fault begins that names one of these validators; of any on the chain where none are given.

        A fault that was given to a chain counts where no fault names a validator.
        """
        wanted = set(validators) or self._on_chain(chain)
        named = [fault for fault in self.faults if self._reaches(fault) & wanted]
        times = [fault.at_s for fault in named if not fault.names_nobody] or [fault.at_s for fault in named]
        return min(times, default=None)

    def _reaches(self, fault: Fault) -> set[int]:
        named = set(range(1, self.validators + 1)) if fault.validators is None else set(fault.validators)
        return named & self._on_chain(fault.chain) if fault.chain else named

    def _on_chain(self, chain: str | None) -> set[int]:
        everyone = set(range(1, self.validators + 1))
        listed = {plan.id: set(plan.validators) for plan in self.chains if plan.validators is not None}
        if chain is None or chain not in {plan.id for plan in self.chains}:
            return everyone
        return listed.get(chain, everyone - set().union(*listed.values()))


def load_scenario(path: Path | str) -> Scenario:
    """Read a scenario's folder, or its file. Raises ConfigError, which names the file and the key."""
    file = Path(path)
    file = file / FILE_NAME if file.is_dir() else file
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist; a scenario is a folder with a {FILE_NAME}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    return read_scenario(raw, file)


def read_scenario(raw: Mapping[str, Any], file: Path) -> Scenario:
    """Turn plain data into a scenario. Raises ConfigError."""
    try:
        read = _File.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{file}: {explain(error, _File)}") from None
    numbers = range(1, read.validators + 1)
    chains = _chains(read, file)
    ids = [plan.id for plan in chains]
    faults = tuple(read_fault(fault, f"{file}: [[faults]] #{i}", numbers, ids) for i, fault in enumerate(read.faults, 1))
    _check_numbers(read, numbers, file)
    return Scenario(
        name=file.resolve().parent.name,
        file=file,
        title=read.title or file.resolve().parent.name,
        seed=read.seed,
        validators=read.validators,
        chains=chains,
        duration_s=read.duration_s,
        policy=read.policy,
        faults=faults,
        replies=tuple(read.replies),
        people=tuple(read.people),
        expect=read.expect,
    )


def _chains(read: _File, file: Path) -> tuple[ChainPlan, ...]:
    if not read.chains:
        return (ChainPlan(block_time_s=read.block_time_s, authorities=read.authorities),)
    if read.authorities is not None:
        raise ConfigError(f"{file}: authorities: with [[chains]] each chain has its own")
    ids = [chain.id for chain in read.chains]
    for i, chain in enumerate(read.chains, 1):
        if ids.count(chain.id) > 1:
            raise ConfigError(f"{file}: [[chains]] #{i}: the id {chain.id!r} is used twice")
        if chain.parent is not None and (chain.parent == chain.id or chain.parent not in ids):
            raise ConfigError(f"{file}: [[chains]] #{i}: its parent {chain.parent!r} is not another one of the chains {', '.join(ids)}")
    _check_assignment(read, file)
    _reject_circle(read.chains, file)
    return tuple(
        ChainPlan(
            id=chain.id,
            parent=chain.parent,
            block_time_s=chain.block_time_s or read.block_time_s,
            validators=tuple(chain.validators) if chain.validators is not None else None,
            authorities=chain.authorities,
        )
        for chain in read.chains
    )


def _check_assignment(read: _File, file: Path) -> None:
    """Every validator is on one chain."""
    taken: dict[int, str] = {}
    for i, chain in enumerate(read.chains, 1):
        for number in chain.validators or ():
            if not 1 <= number <= read.validators:
                raise ConfigError(f"{file}: [[chains]] #{i}: there is no validator {number}; there are 1 to {read.validators}")
            if number in taken:
                raise ConfigError(f"{file}: [[chains]] #{i}: validator {number} is on the chain {taken[number]!r} already")
            taken[number] = chain.id
    rest = [chain.id for chain in read.chains if chain.validators is None]
    if len(rest) > 1:
        raise ConfigError(f"{file}: [[chains]]: {rest[0]!r} and {rest[1]!r} name no validators; only one chain can take the rest")
    if not rest and len(taken) < read.validators:
        missing = next(n for n in range(1, read.validators + 1) if n not in taken)
        raise ConfigError(f"{file}: [[chains]]: validator {missing} is on no chain")


def _reject_circle(chains: Iterable[_ChainTable], file: Path) -> None:
    parents = {chain.id: chain.parent for chain in chains}
    for chain in parents:
        at: str | None = chain
        for _ in parents:
            at = parents.get(at) if at is not None else None
        if at is not None:
            raise ConfigError(f"{file}: [[chains]]: {chain!r} is its own ancestor")


def _check_numbers(read: _File, numbers: range, file: Path) -> None:
    """A number that is not there could never match."""
    expect = read.expect
    for i, person in enumerate(read.people, 1):
        if person.validator is not None and person.validator not in numbers:
            raise ConfigError(f"{file}: [[people]] #{i}: there is no validator {person.validator}; there are 1 to {numbers[-1]}")
    named = [number for incident in expect.incidents for number in incident.validators or ()]
    named += [action.validator for action in expect.actions if action.validator is not None]
    named += [action.validator for action in expect.never if action.validator is not None]
    for number in named:
        if number not in numbers:
            raise ConfigError(f"{file}: [expect] names validator {number}; there are {numbers[0]} to {numbers[-1]}")

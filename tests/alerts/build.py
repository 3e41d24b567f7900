"""A small fleet for tests of rules: histories are filled as sources would fill them, and the real book of alerts evaluates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gizzi.alerts.book import AlertBook, Turn
from gizzi.config import Chain, Settings, Validator
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.history import ChainHistory, History
from gizzi.fleet.observation import Collected, Failure
from gizzi.fleet.view import ChainView, ValidatorView
from gizzi.registry import Registry, load

START = 1_700_000_000.0
Values = dict[str, dict[str, Any] | Failure]
Fault = Callable[[Values, float], None]


def registry() -> Registry:
    return load(Settings.model_validate({"plugins": {"folder": "/nonexistent"}}))


RULES = {rule.name: rule for rule in registry().rules}
SERIES = {name for rule in RULES.values() for name in rule.series}


def key(number: int) -> str:
    """The authority id of a validator."""
    return f"0x{number:064x}"


def validator(number: int, **changes: Any) -> Validator:
    host = f"v{number}.example"
    given = {
        "number": number,
        "chain": "main",
        "metrics_url": f"http://{host}:9615/metrics",
        "rpc_url": f"http://{host}:9944",
        "unit": "node",
        "authority_id": key(number),
    }
    return Validator.model_validate({**given, **changes})


def view(values: dict[str, Any] | None = None, *, source: str = "metrics", now: float = START, **changes: Any) -> ValidatorView:
    """A validator of which these values have just been seen, once."""
    history = History(SERIES)
    if values is not None:
        history.observe(Collected(1, source, now, values))
    return ValidatorView(validator(**{"number": 1, **changes}), history, now)


def chain(*views: ValidatorView, votes: ChainHistory | None = None, now: float = START, **changes: Any) -> ChainView:
    return ChainView(Chain.model_validate({"id": "main", **changes}), views, votes or ChainHistory(), now)


class World:
    """Validators of one chain, polled every 5 s (hosts every 30 s), each at a phase of its own, and looked at every second.

    Blocks come every 6 s and are finalized two blocks later. `faults` change what a validator shows: they are given everything it would
    show by source, and the seconds since the beginning; a source's values may be replaced by a Failure.
    """

    def __init__(self, size: int = 21, every_s: float = 5.0, **changes: Any) -> None:
        self.every_s = every_s
        self.numbers = range(1, size + 1)
        self.validators = [validator(number, **changes) for number in self.numbers]
        self.chain = Chain(id="main", authorities=size)
        self.fleet = Fleet(self.validators, {"main": self.chain}, SERIES)
        self.book = AlertBook(RULES.values())
        self.faults: dict[int, Fault] = {}
        self.height: Callable[[float], int] = lambda t: 1000 + int(t // 6)
        self.finalized: Callable[[float], int] = lambda t: self.height(t) - 2
        self.missing: Callable[[float], Iterable[int]] = lambda t: []
        self.t = 0.0
        self.fired: dict[tuple[str, str], float] = {}
        self.resolved: dict[tuple[str, str], float] = {}

    def shows(self, number: int, t: float) -> Values:
        height, votes = self.height(t), self.finalized(t)
        metrics = {
            "block_height": height,
            "finalized_height": self.finalized(t),
            "sync_target": height,
            "peers": 30 + int(t / 60 + number) % 4,
            "syncing": False,
            "version": "1.20.2",
            "process_start_at": START - 500_000.0,
            "ready_transactions": int(t * number) % 24,
            "incoming_connections_total": int(t / 7),
            "prevotes_total": votes,
            "precommits_total": votes,
            "blocks_constructed_total": int((t + 6 * number) / (6 * len(self.validators))),
            "channel_max_size": 0,
            "channel_max_name": "mpsc_network_worker",
            "tasks_ended": (),
            "authority_discovery_found_total": int(t / 30),
            "authority_discovery_failed_total": int(t / 3600),
            "is_active_validator": True,
            "is_parachain_validator": True,
            "approvals_produced_total": height * 3,
            "bitfields_signed_total": height,
            "backing_statements_total": height // 3,
        }
        checked = (votes // 4) * 4
        rpc = {
            "rpc_peers": metrics["peers"],
            "rpc_syncing": False,
            "should_have_peers": True,
            "checked_height": checked,
            "checked_hash": f"0x{checked:064x}",
            "grandpa_set_id": 7,
            "rpc_grandpa_round": int(t // 6),
            "grandpa_total_weight": len(self.validators),
            "grandpa_missing": tuple(key(n) for n in sorted({*self.missing(t), *(self.numbers if t % 6 < 1 else ())})),
        }
        host = {
            "unit_active": True,
            "unit_state": "active/running",
            "unit_restarts": 0,
            "unclean_stop": False,
            "disk_free_bytes": 4e11 - t * 2e5,
            "disk_size_bytes": 1e12,
            "memory_available_bytes": 2e10,
            "memory_size_bytes": 6.4e10,
            "cpu_ratio": 0.4,
            "fds_open": 900,
            "clock_offset_s": 0.001,
        }
        journal = {"equivocations": 0, "equivocation_ids": (), "own_equivocations": 0, "genesis_line": False, "peer_abuse_lines": 0}
        return {"metrics": metrics, "rpc": rpc, "host": host, "journal": journal}

    def run(self, for_s: float) -> World:
        """Go on for so many seconds."""
        until = self.t + for_s
        while self.t < until:
            self.t += 1.0
            self.step()
        return self

    def step(self) -> None:
        now = START + self.t
        touched, chains = self.fleet.fold([c for v in self.validators for c in self._collected(v.number)], now)
        turn = Turn()
        fleet = self.fleet.chain_view("main", now)
        for number in touched:
            self.book.look_at_validator(self.fleet.view(number, now), fleet, turn)
        for _ in chains:
            self.book.look_at_chain(fleet, turn)
        self.fired.update({alert.key: self.t for alert in turn.fired})
        self.resolved.update({alert.key: self.t for alert in turn.resolved})

    def _collected(self, number: int) -> list[Collected]:
        """What is collected of a validator in this second. After a failure it is asked every second."""
        found = []
        shown: Values | None = None
        for source, every_s in (("metrics", self.every_s), ("rpc", self.every_s), ("host", 30.0), ("journal", 30.0)):
            failing = source in self.fleet.histories[number].failures
            if not failing and (self.t + number + (2 if source == "rpc" else 0)) % every_s >= 1.0:
                continue
            if shown is None:
                shown = self.shows(number, self.t)
                self.faults.get(number, _nothing)(shown, self.t)
            values = shown[source]
            failure = values if isinstance(values, Failure) else None
            fresh_s = 3 * every_s + 3
            found.append(Collected(number, source, START + self.t, {} if failure else values, failure, fresh_s))  # type: ignore[arg-type]
        return found

    def alert(self, rule: str, subject: str | None = None) -> Any:
        """The present alert of a rule."""
        return next((a for (s, name), a in self.book.alerts.items() if name == rule and subject in (None, s) and a.state == "firing"), None)

    @property
    def rules_fired(self) -> set[str]:
        return {rule for _, rule in self.fired}

    def fired_after(self, rule: str, number: int | None = 6) -> float:
        """Seconds at which that rule fired for a validator, or (None) for the chain."""
        return self.fired["chain/main" if number is None else f"validator/{number}", rule]


def _nothing(shown: Values, t: float) -> None:
    pass


def fails(kind: str, *sources: str, since: float = 0.0, until: float = float("inf")) -> Fault:
    """A fault by which these sources fail."""

    def change(shown: Values, t: float) -> None:
        if since <= t < until:
            for source in sources or ("metrics", "rpc"):
                shown[source] = Failure(kind, f"{source}: {kind}")  # type: ignore[arg-type]

    return change


def sets(source: str, since: float = 0.0, until: float = float("inf"), **values: Any) -> Fault:
    """A fault by which a source shows these values; a function is given the time."""

    def change(shown: Values, t: float) -> None:
        seen = shown[source]
        if since <= t < until and isinstance(seen, dict):
            seen.update({name: value(t) if callable(value) else value for name, value in values.items()})

    return change


def freezes(world: World, number: int, since: float, *names: str, until: float = float("inf")) -> Fault:
    """A fault by which metrics stand still from then on."""
    frozen: dict[str, Any] = {}

    def change(shown: Values, t: float) -> None:
        seen = shown["metrics"]
        if since <= t < until and isinstance(seen, dict):
            if not frozen:
                before = world.shows(number, since)["metrics"]
                frozen.update({name: before[name] for name in names})  # type: ignore[index]
            seen.update(frozen)

    return change


def both(*faults: Fault) -> Fault:
    def change(shown: Values, t: float) -> None:
        for fault in faults:
            fault(shown, t)

    return change

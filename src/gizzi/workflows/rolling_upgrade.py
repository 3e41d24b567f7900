"""Upgrade a fleet, one validator after the other, and stop at the first doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gizzi import GizziError, Run, Settings, Validator, duration_text, workflow
from gizzi.workflows._plan import against, budget, plan_upgrade, runs_version

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
POLL_S = 5.0
KNOWN_WITHIN_S = 120.0
"""A process that has just begun to watch needs a while to know everything."""
WAITS_S = 3600.0
"""What stands against the next step is waited for so long; then it stops."""
REJOINS_WITHIN_S = 900.0
DIP_S = 180.0
"""So long a watched validator may fail to vote, as around a session change, before it counts."""


@dataclass(frozen=True, slots=True)
class _Upgrade:
    """What every step needs."""

    run: Run
    version: str
    reserve: int
    session_s: float
    authorities: frozenset[int]


@workflow("rolling-upgrade")
async def rolling_upgrade(run: Run, settings: Settings, to: str, validators: str = "") -> str:
    """Upgrade validators in batches that keep quorum and reserve; each rejoins, each batch votes for a session, any doubt stops it."""
    chosen = _chosen(settings, to, validators)
    policy, own = settings.policy, settings.upgrade
    upgrade = _Upgrade(run, to, policy.reserve, own.session_s, frozenset(v.number for v in chosen if v.authority))
    old = await run.step("find out who runs another version", _old, upgrade, [v.number for v in chosen])
    done = 0
    for chain in dict.fromkeys(v.chain for v in chosen if v.number in old):
        members = [v.number for v in chosen if v.chain == chain and v.number in old]
        batches = await run.step(f"plan the upgrade of {chain}", _plan, upgrade, members)
        await run.say(f"{chain} to {to}: {_batches(batches)}")
        for place, batch in enumerate(batches, 1):
            for turn, number in enumerate(batch):
                await _one(upgrade, number, batch[:turn], f"rolling upgrade, batch {place} of {len(batches)} of {chain}")
            await run.step(f"watch {_numbers(batch)} for one session", _watch, upgrade, batch)
            done += len(batch)
    return f"{done} upgraded, all {len(chosen)} run {to}"


def _chosen(settings: Settings, to: str, validators: str) -> list[Validator]:
    """The validators that are meant. Raises GizziError for words that cannot be right."""
    if not VERSION.fullmatch(to):
        raise GizziError(f"--to {to!r} is not a version; it begins with a letter or digit, then also . _ + -, at most 64 in all")
    if not settings.upgrade.command:
        raise GizziError("[upgrade] command is not set in gizzi.toml; write there what puts a version of the node on a host")
    known = {v.number: v for v in settings.validators}
    words = [word.strip() for word in validators.split(",")] if validators.strip() else [str(number) for number in known]
    for word in words:
        if not _NUMBER.fullmatch(word) or int(word) not in known:
            raise GizziError(f"--validators: there is no validator {word!r} in gizzi.toml; write numbers, such as 1,2,5")
    return [known[number] for number in dict.fromkeys(int(word) for word in words)]


async def _one(upgrade: _Upgrade, number: int, unproven: Sequence[int], why: str) -> None:
    """Upgrade one, and see it back. Raises GizziError where anything is not as it should be."""
    run, version = upgrade.run, upgrade.version
    await run.step(f"wait until validator {number} may be upgraded", _may_begin, upgrade, number, unproven)
    done = await run.act("upgrade", number, why, version=version)
    if done["outcome"] != "done":
        said = done["detail"] or "; ".join(done["reasons"])
        raise GizziError(f"stopped at validator {number}, which was not upgraded: {done['outcome'] or 'not allowed'}: {said}")
    await run.step(f"wait until validator {number} is back on {version}", _is_back, upgrade, number, done)


async def _old(upgrade: _Upgrade, numbers: list[int]) -> list[int]:
    """Those that run another version. Stops where one does not say which it runs."""
    waited_s = 0.0
    while True:
        seen = {number: await upgrade.run.look(number) for number in numbers}
        silent = [number for number, look in seen.items() if look is None or look["version"] is None]
        if not silent:
            return [number for number, look in seen.items() if look and not runs_version(look["version"], upgrade.version)]
        if waited_s >= KNOWN_WITHIN_S:
            raise GizziError(
                f"stopped before it began: {_numbers(silent)} does not say which version it runs; bring it back or leave it out"
            )
        await upgrade.run.sleep(POLL_S)
        waited_s += POLL_S


async def _plan(upgrade: _Upgrade, members: list[int]) -> list[list[int]]:
    """The batches of one chain. Waits where authorities are missing so that there is no room for any."""
    waited_s = 0.0
    while True:
        seen = await upgrade.run.look(members[0])
        n = seen["authorities"] if seen else None
        if seen is not None and n is not None:
            plan = plan_upgrade([(m, m in upgrade.authorities) for m in members], n, seen["missing"], upgrade.reserve)
            if not plan.waits:
                return [list(batch) for batch in plan.batches]
            if budget(n, upgrade.reserve) < 1:
                raise GizziError(
                    f"stopped before it began: of {n} authorities {(n - 1) // 3} may be away, less a reserve of {upgrade.reserve}: none is "
                    "left to upgrade; lower [policy] reserve"
                )
        if waited_s >= WAITS_S:
            why = (
                f"{len(seen['missing'])} authorities are missing" if seen and n is not None else "nobody can tell how many authorities vote"
            )
            raise GizziError(f"stopped before it began: {why}, for {duration_text(WAITS_S)}")
        await upgrade.run.sleep(POLL_S)
        waited_s += POLL_S


async def _may_begin(upgrade: _Upgrade, number: int, unproven: Sequence[int]) -> None:
    waited_s = 0.0
    voters = [other for other in unproven if other in upgrade.authorities]
    while True:
        seen = await upgrade.run.look(number)
        reasons = against(seen, voters, upgrade.reserve, upgrade.session_s, votes=number in upgrade.authorities)
        if not reasons:
            return
        said = f"validator {number} waits: {'; '.join(reasons)}"
        if waited_s >= WAITS_S:
            raise GizziError(f"stopped: {said}, for {duration_text(WAITS_S)}")
        if waited_s >= KNOWN_WITHIN_S / 4:
            await upgrade.run.say(said)
        await upgrade.run.sleep(POLL_S)
        waited_s += POLL_S


async def _is_back(upgrade: _Upgrade, number: int, done: Mapping[str, Any]) -> str:
    """Wait for the rejoin, and check the version, as the node has told it since. A verdict of worse is final."""
    waited_s, ended_at = 0.0, datetime.fromisoformat(done["ended_at"]).timestamp()
    while True:
        seen = await upgrade.run.look(number)
        state = f"it is {seen['health']} ({', '.join(seen['alerts']) or 'no alert'})" if seen else "nothing is known of it"
        if done["verdict"] == "worse" and (seen is None or seen["rejoined"] is not True):
            raise GizziError(f"stopped: validator {number} is worse after its upgrade: {state}")
        back = seen is not None and seen["rejoined"] is True
        if seen is not None and back and seen["version"] is not None and (seen["version_at"] or 0.0) > ended_at:
            if not runs_version(seen["version"], upgrade.version):
                raise GizziError(f"stopped: validator {number} was restarted and reports {seen['version']}, not {upgrade.version}")
            return str(seen["version"])
        if waited_s >= REJOINS_WITHIN_S:
            missed = "has not said which version it runs" if back else "has not rejoined"
            raise GizziError(f"stopped: validator {number} {missed} {duration_text(REJOINS_WITHIN_S)} after its upgrade: {state}")
        await upgrade.run.sleep(POLL_S)
        waited_s += POLL_S


async def _watch(upgrade: _Upgrade, batch: Sequence[int]) -> str:
    """For one session every one of them must vote and follow the chain, but for moments; so must somebody watch them."""
    begun_at: float | None = None
    since: float | None = None  # when all of them had been seen, and have been ever since
    fine_at: dict[int, float] = {}
    unseen_s = 0.0
    while True:
        seen = [look for number in batch if (look := await upgrade.run.look(number)) is not None]
        if len(seen) < len(batch):
            unseen_s, since, fine_at = unseen_s + POLL_S, None, {}
            if unseen_s > DIP_S:
                raise GizziError(f"stopped: nobody watches {_numbers(batch)} any more")
        else:
            at = max(look["at"] for look in seen)
            unseen_s, since, begun_at = 0.0, since or at, begun_at or at
            fine_at |= {look["number"]: look["at"] for look in seen if look["rejoined"] is True}
            for look in seen:
                if look["at"] - fine_at.get(look["number"], since) > DIP_S:
                    what = f"validator {look['number']}, upgraded to {upgrade.version}"
                    raise GizziError(f"stopped: {what}, does not vote and follow the chain any more")
            if at - begun_at >= upgrade.session_s:
                return f"they voted for {duration_text(upgrade.session_s)}"
        await upgrade.run.sleep(POLL_S)


def _numbers(numbers: Sequence[int]) -> str:
    return f"validator{'s' if len(numbers) != 1 else ''} {', '.join(map(str, numbers))}"


def _batches(batches: Sequence[Sequence[int]]) -> str:
    return f"{len(batches)} batch{'es' if len(batches) != 1 else ''}: " + " | ".join(", ".join(map(str, batch)) for batch in batches)

"""The order of a rolling upgrade, and what stands against its next step. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BEFORE_CHANGE_S = 300.0
"""So long before the next session change is expected nothing is begun: a restart and a rejoin fit in."""
_COMMIT = re.compile(r"-[0-9a-f]{7,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plan:
    """batches: validators that are upgraded one after the other, then watched together. waits: authorities without room now."""

    batches: tuple[tuple[int, ...], ...] = ()
    waits: tuple[int, ...] = ()


def budget(authorities: int, reserve: int) -> int:
    """How many authorities may be away: what GRANDPA can lose, less the reserve."""
    return (authorities - 1) // 3 - max(reserve, 0)


def plan_upgrade(validators: Sequence[tuple[int, bool]], authorities: int, missing: Collection[int | str], reserve: int) -> Plan:
    """The batches for one chain. validators: (number, whether it is an authority). missing: authorities that are away now.

    A batch is what the chain can lose at once should the new version fail after all: its authorities and those missing together are never
    more than the budget. Those that are no authorities come first; of either kind a single one goes ahead of the others.
    """
    others = [number for number, is_authority in validators if not is_authority]
    voters = [number for number, is_authority in validators if is_authority]
    room = budget(authorities, reserve) - len(set(missing))
    gone = [number for number in voters if number in set(missing)]
    there = [number for number in voters if number not in set(missing)]
    batches = [tuple(others[:1]), tuple(others[1:])]
    waits: list[int] = []
    if room < 0:
        waits += [*there, *gone]
    elif room == 0:
        waits += there
        batches.append(tuple(gone))
    else:
        batches.append(tuple(there[:1]))
        batches += [tuple(there[at : at + room]) for at in range(1, len(there), room)]
        batches.append(tuple(gone))
    return Plan(tuple(batch for batch in batches if batch), tuple(waits))


def runs_version(reported: str | None, wanted: str) -> bool:
    """Whether a node's own word for its version is the wanted one: "1.21.0" is also told as "1.21.0-3f1a7c5e9d2", with its commit."""
    wanted = wanted.removeprefix("v")
    if reported is None or not reported.startswith(wanted):
        return False
    return reported == wanted or _COMMIT.fullmatch(reported.removeprefix(wanted)) is not None


def against(seen: Mapping[str, Any] | None, unproven: Collection[int], reserve: int, session_s: float, *, votes: bool) -> list[str]:
    """What stands against upgrading a validator at this moment, in plain words.

    seen: a look at it. unproven: of its chain, upgraded and not yet watched for a session. votes: it is an authority.
    """
    if seen is None or seen["seen_at"] is None:
        return ["nothing is known of it"]
    found = [] if seen["rejoined"] is True else [_away(seen)]
    changing = seen["facts"].get("in_session_change")
    if changing is not False:
        found.append("the session is changing" if changing else "nobody can tell whether the session is changing")
    elif near_change(seen["at"], seen["session_changed_at"], session_s):
        found.append("the session is about to change")
    return [*found, *(_quorum(seen, unproven, reserve) if votes else ())]


def near_change(at: float, changed_at: float | None, session_s: float) -> bool:
    """Whether the next change of session is expected soon. Where none was ever seen, nobody can tell, and the guard asks again anyway."""
    if changed_at is None or session_s <= 2 * BEFORE_CHANGE_S:
        return False
    return session_s - (at - changed_at) % session_s <= BEFORE_CHANGE_S


def _quorum(seen: Mapping[str, Any], unproven: Collection[int], reserve: int) -> list[str]:
    n = seen["authorities"]
    if n is None:
        return ["nobody can tell how many authorities the chain has"]
    away = {*seen["missing"], *unproven, seen["number"]}
    if len(away) <= budget(n, reserve):
        return []
    return [f"{len(away)} of {n} authorities would be away or not proven yet ({_listed(away)}); {max(budget(n, reserve), 0)} may be"]


def _listed(away: Collection[int | str]) -> str:
    """Numbers in order, then those that nobody here watches, shortened."""
    ids = sorted(f"{one[:10]}…" for one in away if isinstance(one, str))
    return ", ".join([*map(str, sorted(one for one in away if isinstance(one, int))), *ids])


def _away(seen: Mapping[str, Any]) -> str:
    alerts = f" ({', '.join(seen['alerts'])})" if seen["alerts"] else ""
    return f"it does not follow the chain and vote{alerts}" if seen["rejoined"] is False else "nobody can tell whether it votes"

"""The policy. Every test is written so that what is unknown, or not a number, falls on the side of asking."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from gizzi.clock import duration_text
from gizzi.guard.situation import Answer, Limits, Permission, Proposal, Situation
from gizzi.kinds import NEVER

HARMLESS = frozenset({"wait", "investigate", "escalate"})
"""They change nothing, so they are always allowed, also while the guard is stopped."""
WITHOUT_A_PERSON = frozenset({"restart", "start"})
"""All that may ever be carried out without a person's yes."""
SHOWN = 12
STRICTER: tuple[Permission, ...] = ("allow", "ask", "deny")

UNKNOWN = {
    "up": "whether it is up",
    "db_lost": "whether its database was lost",
    "twin_running": "whether a second signer runs with its keys",
    "unclean_stop": "whether its last process died with its database open",
    "in_session_change": "whether the session is changing",
    "maintenance": "whether somebody works on it",
}
AGAINST = {
    "db_lost": "its database was lost or restored: it could sign again what it has signed before",
    "unclean_stop": "its last process died with its database open; restarts after that have preceded slashes",
    "in_session_change": "the session is changing",
    "maintenance": "somebody works on it: a maintenance window is open",
}
PASSES = frozenset({"in_session_change"})


@dataclass(slots=True)
class _Reasons:
    """Those that deny, those that ask, and of the latter those that pass by themselves."""

    deny: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)


def budget(authorities: int, reserve: int) -> int:
    """How many of so many authorities may be missing: those that GRANDPA can do without, less the reserve. Negative: none, ever."""
    return (authorities - 1) // 3 - reserve


def permit(proposal: Proposal, situation: Situation, limits: Limits) -> Answer:
    """May this be done now? Deny is final; ask needs a person's approval; both come with every reason there is."""
    refused = _refused(proposal, situation)
    if refused is not None:
        return refused
    if proposal.action in HARMLESS - situation.actions:
        return Answer("allow", (f"{proposal.action} changes nothing",))
    found = _Reasons()
    validator = proposal.validator or 0
    if situation.stopped:
        found.deny.append("the guard is stopped: nothing is carried out until `gizzi guard resume`")
    if proposal.action not in WITHOUT_A_PERSON:
        found.ask.append(f"{proposal.action} always needs a person")
    if limits.mode != "auto":
        found.ask.append("the mode is suggest: every write needs a person")
    _facts(situation, found)
    _once(validator, situation, limits, found)
    within = _quorum(validator, situation, limits, found)
    if found.deny:
        return Answer("deny", (*found.deny, *found.ask, *found.passing))
    if found.ask or found.passing:
        return Answer("ask", (*found.ask, *found.passing), for_now=not found.ask)
    return Answer("allow", (within,))


def permit_all(proposal: Proposal, situations: Iterable[Situation], limits: Limits) -> Answer:
    """The strictest answer, for an action that concerns several chains at once: a host that serves all of them."""
    answers = [permit(proposal, situation, limits) for situation in situations]
    if not answers:
        harmless = isinstance(proposal.action, str) and proposal.action in HARMLESS
        return Answer("allow" if harmless else "deny", ("nothing is known of the chain that it concerns",))
    strictest = max(answers, key=lambda answer: STRICTER.index(answer.permission)).permission
    counted = [answer for answer in answers if strictest == "allow" or answer.permission != "allow"]
    reasons = dict.fromkeys(reason for answer in counted for reason in answer.reasons)
    return Answer(strictest, tuple(reasons), for_now=strictest != "allow" and all(answer.for_now for answer in counted))


def _refused(proposal: Proposal, situation: Situation) -> Answer | None:
    """What is no proposal at all, or of something that can never be done."""
    action, validator = proposal.action, proposal.validator
    if not isinstance(action, str) or not action:
        return Answer("deny", ("the proposal names no action",))
    if action in NEVER:
        return Answer("deny", (f"{action} is never done, not even with approval",))
    if action in HARMLESS - situation.actions:
        return None
    if action not in situation.actions:
        return Answer("deny", (f"{_shown(action)} is not an action that is registered here",))
    if isinstance(validator, bool) or not isinstance(validator, int) or validator < 0:
        return Answer("deny", (f"the proposal to {action} names no validator",))
    return None


def _facts(situation: Situation, found: _Reasons) -> None:
    for name, what in UNKNOWN.items():
        value = situation.facts.get(name)
        if value is not True and value is not False:
            found.ask.append(f"nobody could tell {what} ({name})")
        elif value and name == "twin_running":
            found.deny.append("a second signer runs with its keys: both would be slashed (twin_running)")
        elif value and name in AGAINST:
            (found.passing if name in PASSES else found.ask).append(f"{AGAINST[name]} ({name})")


def _once(validator: int, situation: Situation, limits: Limits, found: _Reasons) -> None:
    """One at a time, and not again and again."""
    if situation.recent_restarts is None:
        found.ask.append("nobody could tell when it was last restarted")
    else:
        since_s = situation.recent_restarts.get(validator)
        if since_s is not None and not since_s > limits.cooldown_s:
            ago = duration_text(since_s) if since_s >= 0 else "a moment"
            found.ask.append(f"validator {validator} was restarted {ago} ago; the cooldown is {duration_text(limits.cooldown_s)}")
    if not situation.attempts_today < limits.attempts_per_day:
        already, most = _restarts(situation.attempts_today), limits.attempts_per_day
        found.ask.append(f"{already} of it in the last 24 h; the most without a person is {most}")
    if situation.in_flight is None:
        found.ask.append("nobody could tell what is in flight")
    elif situation.in_flight:
        found.passing.append(f"an action is under way for {_listed(situation.in_flight)}: one at a time")
    if situation.rejoin_awaited:
        found.passing.append(f"restarted and not back yet: {_listed(situation.rejoin_awaited)}")


def _quorum(validator: int, situation: Situation, limits: Limits, found: _Reasons) -> str:
    """The budget; what there is to say where it is kept. What our own actions have taken away comes back by itself."""
    n, missing = situation.authorities, situation.missing
    if n is None or isinstance(n, bool) or not isinstance(n, int) or n < 1:
        found.ask.append("nobody could tell how many authorities the chain has")
        return ""
    if missing is None:
        found.ask.append("nobody could tell which authorities are missing")
        return ""
    reserve = max(limits.reserve, 0)
    gone = missing | (situation.in_flight or frozenset())
    away = len(gone) + (validator not in gone)
    may = budget(n, reserve)
    words = (
        f"{away} of {n} authorities would be missing ({_listed(gone) or 'none'} now, counting validator {validator}); {max(may, 0)} may be"
    )
    words = f"{words}: {(n - 1) // 3} less a reserve of {reserve}"
    if not away <= may:
        ours = (situation.in_flight or frozenset()) | situation.rejoin_awaited
        passes = len((missing - ours) | {validator}) <= may
        (found.passing if passes else found.ask).append(words)
    return words


def _listed(names: Collection[int | str]) -> str:
    """Numbers first, in order; of many only how many. Ids of authorities come from a chain, so they are shortened and made printable."""
    if len(names) > SHOWN:
        return f"{len(names)} of them"
    numbers, ids = [n for n in names if isinstance(n, int)], [n for n in names if isinstance(n, str)]
    return ", ".join([*map(str, sorted(numbers)), *sorted(_shown(one, 14) for one in ids)])


def _shown(word: str, limit: int = 40) -> str:
    text = "".join(c if c.isprintable() else " " for c in word[:limit])
    return f"{text}…" if len(word) > limit else text


def _restarts(number: int) -> str:
    return "1 restart" if number == 1 else f"{number} restarts"

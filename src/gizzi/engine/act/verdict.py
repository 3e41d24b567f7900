"""What came of an action, judged on what was seen before and after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["resolved", "not_resolved", "worse", "unknown"]
HARM = ("db_lost", "twin_running")


@dataclass(frozen=True, slots=True)
class Look:
    """One validator and its chain at one moment, as guard and verdict need them.

    missing: authorities of the chain that do not vote, by number, those that nobody watches by id. rejoined: it votes and follows the
    chain again (peers >= 3, not syncing, lag <= 2, own votes rising); None where nobody can tell. seen_at: when anything was
    last seen of it or tried. health, alerts: by the rules that fire on itself, not on its chain. settles: it is watched, or down,
    so lately that who is missing or a second signer would not have shown yet. recovering: the incidents of which all that fires on it was
    just seen not to hold any more. version: the node's own word, as of version_at. session_changed_at: when its chain's authority set last
    changed while somebody watched.
    """

    at: float
    number: int
    chain: str
    facts: Mapping[str, bool | None]
    authorities: int | None
    missing: Sequence[int | str]
    rejoined: bool | None
    seen_at: float | None
    health: str = "unknown"
    alerts: Sequence[str] = field(default=())
    settles: bool = False
    recovering: Sequence[int] = field(default_factory=list)
    version: str | None = None
    session_changed_at: float | None = None
    version_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "missing": list(self.missing), "alerts": list(self.alerts), "recovering": list(self.recovering)}


def judge(before: Look | None, after: Look | None, rules: Sequence[str], ended_at: float) -> tuple[Verdict, str]:
    """The verdict and why. `rules`: what was to be remedied; `ended_at`: when the action ended, older sights do not count."""
    if after is None or after.seen_at is None or after.seen_at <= ended_at or after.facts.get("up") is None:
        return "unknown", "nothing fresh was seen of it since the action"
    worse = _worse(before, after)
    if worse:
        return "worse", worse
    if not after.facts["up"]:
        return "not_resolved", "it does not answer"
    left = sorted(set(rules) & set(after.alerts))
    if left:
        return "not_resolved", f"still firing: {', '.join(left)}"
    if after.health in ("critical", "unknown"):
        return "not_resolved", f"it is {after.health}: {', '.join(after.alerts) or 'no alert says why'}"
    if after.rejoined is False:
        return "not_resolved", "it answers, and does not follow the chain yet"
    if after.rejoined is None:
        return "resolved", "it answers, and what fired is over; nobody could tell whether it votes"
    return "resolved", "it answers, follows the chain, and what fired is over"


def _worse(before: Look | None, after: Look) -> str:
    new = [fact for fact in HARM if after.facts.get(fact) and not (before and before.facts.get(fact))]
    if new:
        return f"now {', '.join(new)}"
    if before is not None and before.facts.get("up") and not after.facts["up"]:
        return "it answered before and does not now"
    more = set(after.missing) - set(before.missing) - {after.number} if before is not None else set()
    if more:
        return f"more authorities are missing: {', '.join(map(str, sorted(more, key=str)))}"
    return ""

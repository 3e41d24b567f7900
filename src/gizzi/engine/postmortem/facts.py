"""The facts of one incident, as the store has them, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gizzi.clock import Clock, iso
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.desk import Desk
from gizzi.errors import UsageError

Shown = dict[str, Any]
"""An object as every face shows it."""
LOOK_BACK = 500
"""How many incidents are looked through for earlier ones of the same cause."""
REPEATED_WITHIN = timedelta(days=30)
SLOW_APPROVAL_S = 600.0
FINALITY_RULES = frozenset({"chain_finality_stalled", "finality_stalled", "finality_lagging", "quorum_at_risk", "chain_stalled"})


@dataclass(frozen=True, slots=True)
class Facts:
    """incident: with its timeline. approvals: those asked for its actions, oldest first. before: earlier incidents of the same rule on the
    same chain within 30 days, newest first. at: when the facts were gathered, ISO 8601."""

    network: str
    incident: Shown
    approvals: Sequence[Shown] = ()
    before: Sequence[Shown] = ()
    at: str = ""

    @property
    def lasted_s(self) -> float:
        """Until now where it is still open."""
        end = self.incident["resolved_at"] or self.at or self.incident["opened_at"]
        return (moment(end) - moment(self.incident["opened_at"])).total_seconds()

    def of_finality(self) -> list[Shown]:
        """Its alerts that tell of finality or of blocks, the first to fire first."""
        found = [alert for alert in self.incident["alerts"] if alert["rule"] in FINALITY_RULES and alert["fired_at"]]
        return sorted(found, key=lambda alert: str(alert["fired_at"]))

    def slow_approvals(self) -> list[tuple[Shown, float]]:
        """Approvals that nobody answered within ten minutes, and how long each waited."""
        waited = [(asked, self._waited_s(asked)) for asked in self.approvals]
        return [(asked, waited_s) for asked, waited_s in waited if waited_s > SLOW_APPROVAL_S or asked["state"] == "expired"]

    def _waited_s(self, asked: Shown) -> float:
        until = asked["decided_at"] or min(asked["expires_at"], self.at or asked["expires_at"])
        return max(0.0, (moment(until) - moment(asked["asked_at"])).total_seconds())

    def unknown_facts(self) -> list[str]:
        """What the guard named as unknown, in its own words."""
        reasons = [reason for action in self.incident["actions"] for reason in action["reasons"]]
        return sorted({reason for reason in reasons if "unknown" in reason or "not known" in reason})


async def gather(desk: Desk, actions: ActionDesk, clock: Clock, network: str, name: str) -> Facts:
    """Raises NotFound; UsageError where the incident was merged into another, which is the one to write about."""
    incident = await desk.incident(name)
    if incident["merged_into"]:
        raise UsageError(f"{incident['id']} turned out to be part of {incident['merged_into']}; write about that one")
    mine = [asked for asked in await actions.approvals(waiting=False) if asked["incident"] == incident["id"]]
    earlier = [other for other in await desk.incidents(limit=LOOK_BACK) if _is_earlier(other, incident)]
    return Facts(network, incident, mine[::-1], earlier, iso(clock.now()) or "")


def _is_earlier(other: Shown, incident: Shown) -> bool:
    same = (other["rule"], other["chain"]) == (incident["rule"], incident["chain"]) and not other["merged_into"]
    return same and timedelta() < moment(incident["opened_at"]) - moment(other["opened_at"]) <= REPEATED_WITHIN


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

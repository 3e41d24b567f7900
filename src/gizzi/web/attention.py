"""What an operator must know at once of an incident: what Gizzi did or wants to do, and what it needs from them. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PAST = {"restart": "restarted", "start": "started", "stop": "stopped"}
DOING = {"restart": "is restarting", "start": "is starting", "stop": "is stopping"}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attention:
    """did: one sentence. needs: what a person is asked for; "" where nothing is. approval: the one that waits."""

    did: str
    needs: str = ""
    approval: Row | None = None


def attention(incident: Row, approvals: Sequence[Row]) -> Attention:
    """approvals: those that wait, of any incident."""
    if incident["state"] == "resolved":
        return Attention(_ended(incident))
    waiting = next((approval for approval in approvals if approval["incident"] == incident["id"]), None)
    if waiting is not None:
        return Attention(f"Gizzi wants to {_of(waiting)}: {waiting['because']}", "Approve it or deny it.", waiting)
    did, needs = _of_action(incident["actions"][-1]) if incident["actions"] else _of_decision(incident["decision"])
    if incident["acknowledged_by"]:
        needs = ""
    return Attention(did, needs)


def _of(row: Row) -> str:
    return f"{row['action']} validator {row['validator']}"


def _done(action: Row) -> str:
    return f"Gizzi {PAST.get(action['action'], 'carried out ' + action['action'] + ' of')} validator {action['validator']}"


def _of_action(action: Row) -> tuple[str, str]:
    """(what was done, what is needed)."""
    if action["state"] in ("wanted", "proposed"):
        return f"Gizzi is about to {_of(action)} and waits: {'; '.join(action['reasons']) or 'the guard is being asked'}.", ""
    if action["state"] == "intent":
        return f"Gizzi {DOING.get(action['action'], 'carries out ' + action['action'] + ' of')} validator {action['validator']} now.", ""
    if action["outcome"] is None:
        return f"Gizzi did nothing: {action['detail'] or 'the guard did not allow it'}.", "Look at it: nothing was done."
    if action["outcome"] == "failed":
        return f"Gizzi could not {_of(action)}: {action['detail'] or 'it failed'}.", "Look at it: it could not be done."
    if action["outcome"] == "in_doubt":
        return f"Gizzi tried to {_of(action)}; whether that happened is not known.", "Find out whether it happened. It is not repeated."
    if action["verdict"] is None:
        return f"{_done(action)} and is checking whether that helped.", ""
    if action["verdict"] == "resolved":
        return f"{_done(action)}, and that helped.", ""
    verdicts = {"not_resolved": "that did not help", "worse": "it is worse now"}
    return f"{_done(action)}; {verdicts.get(action['verdict'], 'whether that helped is not known')}.", "Look at it."


def _of_decision(decision: Row | None) -> tuple[str, str]:
    if decision is None:
        return "Gizzi is looking at it.", ""
    said = {
        "restart": ("Gizzi decided to restart it", ""),
        "wait": ("Gizzi waits", ""),
        "investigate": ("Gizzi does not know enough to act", "Look at it."),
        "escalate": ("Gizzi leaves this to a person", "Look at it."),
    }
    did, needs = said[decision["action"]]
    return f"{did}: {decision['reasoning']}", needs


def _ended(incident: Row) -> str:
    done = [action for action in incident["actions"] if action["outcome"] is not None]
    if done:
        return _of_action(done[-1])[0]
    return "It ended by itself." if incident["merged_into"] is None else f"It turned out to be part of {incident['merged_into']}."

"""What a scenario expected against what happened, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gizzi.sim.scenario import ExpectedAction, ExpectedIncident, Scenario

Record = Mapping[str, Any]
_Wanted = TypeVar("_Wanted")


def judge(scenario: Scenario, result: Record) -> list[str]:
    """What went wrong, one line each; nothing where the scenario passed.

    result: `incidents` (each as `gizzi incident --json` shows it, with its joined `alerts` and `opened_s`), `actions`, `violations` and
    `notifications` (a number, or the messages). Incidents that were merged into another count as that one.
    """
    expect = scenario.expect
    incidents = [incident for incident in result.get("incidents", ()) if not incident.get("merged_into")]
    done = [action for action in result.get("actions", ()) if action.get("outcome") is not None]
    failures = [f"violation: {text}" for text in result.get("violations", ())]
    failures += _unmatched(expect.incidents, incidents, _incident_fits, _why_no_incident)
    failures += _unmatched(expect.actions, done, _action_fits, _why_no_action)
    if expect.max_incidents is not None and len(incidents) > expect.max_incidents:
        failures.append(f"expected at most {expect.max_incidents} incidents, there were {len(incidents)}: {_list(incidents)}")
    for forbidden in expect.never:
        for action in done:
            if action.get("action") == forbidden.action and forbidden.validator in (None, action.get("validator")):
                failures.append(f"{forbidden.action} of validator {action.get('validator')} was carried out, which must never happen")
    failures += _judge_decision(expect.decision, incidents)
    told = result.get("notifications", 0)
    count = told if isinstance(told, int) else len(told)
    if expect.max_notifications is not None and count > expect.max_notifications:
        failures.append(f"expected at most {expect.max_notifications} notifications, there were {count}")
    return failures


def _judge_decision(expected: str | None, incidents: Sequence[Record]) -> list[str]:
    if expected is None:
        return []
    if not incidents:
        return [f"expected the decision {expected}, but no incident was opened"]
    first = min(incidents, key=lambda incident: str(incident.get("opened_at") or ""))
    decision = first.get("decision")
    action = decision.get("action") if isinstance(decision, Mapping) else decision
    if action == expected:
        return []
    return [f"expected the decision {expected} for the first incident ({_name(first)}), it was {action or 'not decided'}"]


def _unmatched(
    wanted: Sequence[_Wanted],
    there: Sequence[Record],
    fits: Callable[[_Wanted, Record], bool],
    why: Callable[[_Wanted, Sequence[Record]], str],
) -> list[str]:
    """Give each wanted one a record of its own, as many as possible (augmenting paths); say what is missing about the rest."""
    owner: dict[int, int] = {}

    def place(index: int, tried: set[int]) -> bool:
        for candidate, record in enumerate(there):
            if candidate not in tried and fits(wanted[index], record):
                tried.add(candidate)
                if candidate not in owner or place(owner[candidate], tried):
                    owner[candidate] = index
                    return True
        return False

    missing = [item for index, item in enumerate(wanted) if not place(index, set())]
    free = [record for candidate, record in enumerate(there) if candidate not in owner]
    return [why(item, free) for item in missing]


def _rules(incident: Record) -> set[Any]:
    return {incident.get("rule"), *(alert.get("rule") for alert in incident.get("alerts", ()))}


def _is_about(wanted: ExpectedIncident, incident: Record) -> bool:
    if wanted.rule not in _rules(incident):
        return False
    return wanted.validators is None or set(wanted.validators) == set(incident.get("validators", ()))


def _incident_fits(wanted: ExpectedIncident, incident: Record) -> bool:
    return _is_about(wanted, incident) and not _shortcomings(wanted, incident)


def _shortcomings(wanted: ExpectedIncident, incident: Record) -> list[str]:
    wrong = []
    opened_s = incident.get("opened_s")
    if wanted.opened_within_s is not None:
        if opened_s is None or opened_s < 0:
            wrong.append("was opened before any fault of its validators")
        elif opened_s > wanted.opened_within_s:
            wrong.append(f"was opened after {opened_s:.0f} s, expected within {wanted.opened_within_s:.0f} s")
    resolved = incident.get("state") == "resolved"
    if wanted.resolved is True and not resolved:
        wrong.append("is still open at the end, expected resolved")
    if wanted.resolved is False and resolved:
        wrong.append("is resolved at the end, expected still open")
    return wrong


def _why_no_incident(wanted: ExpectedIncident, free: Sequence[Record]) -> str:
    what = f"the incident {wanted.rule}" + (f" of {_numbers(wanted.validators)}" if wanted.validators is not None else "")
    close = next((incident for incident in free if _is_about(wanted, incident)), None)
    if close is not None:
        return f"{what} {' and '.join(_shortcomings(wanted, close))}"
    same_rule = [incident for incident in free if wanted.rule in _rules(incident)]
    if same_rule:
        return f"{what} was expected; {wanted.rule} came for {'; '.join(_numbers(i.get('validators', ())) for i in same_rule)}"
    return f"{what} was expected; " + (f"instead: {_list(free)}" if free else "no other incident was opened")


def _action_fits(wanted: ExpectedAction, action: Record) -> bool:
    return (
        action.get("action") == wanted.action
        and wanted.validator in (None, action.get("validator"))
        and wanted.verdict in (None, action.get("verdict"))
    )


def _why_no_action(wanted: ExpectedAction, free: Sequence[Record]) -> str:
    what = wanted.action + (f" of validator {wanted.validator}" if wanted.validator is not None else "")
    for action in free:
        if action.get("action") == wanted.action and wanted.validator in (None, action.get("validator")):
            return f"{what} was verified as {action.get('verdict')}, expected {wanted.verdict}"
    return f"{what} was expected and not carried out"


def _name(incident: Record) -> str:
    return f"{incident.get('rule')} of {_numbers(incident.get('validators', ()))}"


def _numbers(numbers: Sequence[int] | None) -> str:
    numbers = sorted(numbers or ())
    if not numbers:
        return "no single validator"
    if len(numbers) > 8:
        return f"{len(numbers)} validators"
    return f"validator{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _list(incidents: Sequence[Record]) -> str:
    shown = [_name(incident) for incident in incidents[:6]]
    return "; ".join(shown) + (f"; and {len(incidents) - 6} more" if len(incidents) > 6 else "")

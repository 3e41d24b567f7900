"""How incidents are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gizzi.clock import duration_text
from gizzi.engine.doctor import ranges
from gizzi.screen.words import SEVERITY_STYLE, clean, grid, heading, text

Incident = dict[str, Any]
STATE_STYLE = {"triggered": "bold", "acknowledged": "cyan", "resolved": "green"}
KIND_STYLE = {"opened": "bold red", "reopened": "bold red", "resolved": "green", "decided": "bold", "acknowledged": "cyan"} | {
    "acting": "bold",
    "acted": "bold",
    "verdict": "bold",
    "asked": "bold yellow",
    "needs_person": "bold yellow",
}
ALERT_SIGN = {"firing": "✗", "pending": "○", "resolved": "✓"}
ALERT_STYLE = {"firing": "red", "pending": "dim", "resolved": "green"}
VERDICT_STYLE = {"resolved": "green", "not_resolved": "yellow", "worse": "bold red", "unknown": "yellow"}
MOST_ALERTS = 12


def list_page(incidents: Sequence[Incident], *, width: int | None) -> list[RenderableType]:
    """Newest first, one a line where there is room."""
    rows = [[Text(word, "dim") for word in ("id", "severity", "state", "opened", "decision", "what")]]
    rows += [_row(incident) for incident in incidents]
    if width is not None and width < 90:
        rows = [[row[0], row[1], row[2], row[5]] for row in rows]
    page: RenderableType = grid(rows, indent=0 if width is None else 2)
    return [page] if width is None else [Text(), page, Text()]


def _row(incident: Incident) -> list[Text]:
    decision = incident["decision"]
    over = incident["state"] == "resolved"
    return [
        Text(incident["id"], "dim" if over else "bold"),
        Text(incident["severity"], "dim" if over else SEVERITY_STYLE.get(incident["severity"], "")),
        Text(incident["state"], STATE_STYLE.get(incident["state"], "")),
        Text(_short_time(incident["opened_at"]), "dim"),
        text(decision["action"] if decision else "–", "dim" if over else "", 20),
        text(incident["summary"], "dim" if over else "", 300),
    ]


def incident_page(incident: Incident, *, width: int | None) -> list[RenderableType]:
    """Its cause, the decision with its reasons, the alerts in it, and what happened when."""
    margin = 0 if width is None else 2
    parts: list[RenderableType] = [*_title(incident, margin)]
    for words, rows in (
        ("Decision", _decision(incident["decision"])),
        ("Evidence", _evidence(incident["decision"])),
        ("Actions", _actions(incident["actions"])),
        ("Alerts", alert_rows(incident["alerts"])),
        ("Timeline", _timeline(incident["timeline"])),
    ):
        if rows:
            parts += [Text(), Padding(heading(words), (0, 0, 0, margin)), grid(rows, indent=margin + 2)]
    return parts if width is None else [Text(), *parts, Text()]


def _title(incident: Incident, margin: int) -> Iterable[RenderableType]:
    severity = incident["severity"]
    yield Padding(Text.assemble((incident["id"], "bold"), "  ", (clean(incident["summary"]), "bold")), (0, 1, 0, margin))
    state = Text(incident["state"], STATE_STYLE.get(incident["state"], ""))
    if incident["acknowledged_by"] and incident["state"] == "acknowledged":
        state.append(f" by {clean(incident['acknowledged_by'], 40)}", "cyan")
    words = [Text(severity, SEVERITY_STYLE.get(severity, "")), state, Text(_lasted(incident))]
    if len(incident["validators"]) > 1:
        words.append(Text(f"validators {ranges(incident['validators'])}"))
    if incident["chain"] is not None:
        words.append(Text(f"chain {clean(incident['chain'], 40)}"))
    if incident["merged_into"]:
        words.append(Text(f"part of {incident['merged_into']}"))
    words.append(text(f"rule {incident['rule']}", "dim", 60))
    yield Padding(Text(" · ").join(words), (0, 1, 0, margin))


def _lasted(incident: Incident) -> str:
    opened = f"opened {_time(incident['opened_at'])} UTC"
    if incident["resolved_at"] is None:
        return opened
    lasted_s = (_at(incident["resolved_at"]) - _at(incident["opened_at"])).total_seconds()
    return f"{opened}, over after {duration_text(lasted_s)}"


def _decision(decision: dict[str, Any] | None) -> list[list[Text]]:
    if decision is None:
        return [[Text("not decided yet", "dim")]]
    by = f"by {decision['model'] or decision['tier']}, confidence {decision['confidence']:.0%}"
    rows = [[text(decision["action"], "bold", 20), text(decision["reasoning"])], [Text(), text(by, "dim")]]
    if decision["escalate_to"]:
        rows.append([Text(), text(f"for {decision['escalate_to']}")])
    if decision["estimated_downtime_min"] is not None:
        rows.append([Text(), Text(f"about {decision['estimated_downtime_min']:g} min of downtime", "dim")])
    return rows


def _evidence(decision: dict[str, Any] | None) -> list[list[Text]]:
    found = decision["evidence"] if decision else []
    return [[text(item["observation"], "cyan", 60), text(item["quote"])] for item in found] or [[Text("none", "dim")]]


def _actions(actions: Sequence[dict[str, Any]]) -> list[list[Text]]:
    """What was proposed and what came of it; nothing where nothing was."""
    rows = []
    for action in actions:
        verdict = (action["verdict"] or "").replace("_", " ")
        ended = ", ".join(word.replace("_", " ") for word in (action["outcome"], verdict) if word) or action["state"]
        by = f", approved by {action['approved_by']}" if action["approved_by"] else ""
        style = VERDICT_STYLE.get(action["verdict"] or "", "bold")
        what = f"{action['action']} of validator {action['validator']} ({action['permission'] or 'not asked'}{by})"
        rows.append([text(action["id"], "dim", 20), text(ended, style, 60), text(what)])
        said = [action["detail"]] if action["detail"] else action["reasons"] if action["outcome"] is None else []
        rows += [[Text(), Text(), text(reason, "dim")] for reason in said]
    return rows


def alert_rows(alerts: Sequence[dict[str, Any]]) -> list[list[Text]]:
    rows = []
    for alert in sorted(alerts, key=lambda alert: alert["muted"] is not None)[:MOST_ALERTS]:
        said = text(alert["text"])
        if alert["muted"]:
            said.append(f" ({clean(alert['muted'], 200)})", "dim")
        state = alert["state"]
        sign = Text(f"{ALERT_SIGN.get(state, ' ')} {state}", ALERT_STYLE.get(state, ""))
        rows.append([sign, text(alert["subject"], "", 60), text(alert["rule"], "", 60), said])
    if len(alerts) > MOST_ALERTS:
        rows.append([Text(), Text(f"and {len(alerts) - MOST_ALERTS} more: --json has all", "dim")])
    return rows or [[Text("none", "dim")]]


def _timeline(moments: Sequence[dict[str, Any]]) -> list[list[Text]]:
    rows = []
    day = ""
    for moment in moments:
        date, time = _time(moment["at"]).split(" ")
        kind = clean(moment["kind"], 20)
        shown = Text(time, "dim") if date == day else Text(f"{date} {time}", "dim")
        shown.justify = "right"
        rows.append([shown, Text(kind, KIND_STYLE.get(kind, "")), text(moment["text"])])
        day = date
    return rows or [[Text("nothing yet", "dim")]]


def _at(text_: str) -> datetime:
    return datetime.fromisoformat(text_)


def _time(text_: str) -> str:
    return _at(text_).strftime("%Y-%m-%d %H:%M:%S")


def _short_time(text_: str) -> str:
    return _at(text_).strftime("%m-%d %H:%M:%S")

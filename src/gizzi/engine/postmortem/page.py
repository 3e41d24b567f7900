"""The postmortem as Markdown. Pure: facts in, text out; what machines, strangers and models wrote cannot pass for markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gizzi.clock import duration_text
from gizzi.engine.postmortem.facts import Facts, moment
from gizzi.readers.text import one_line

LONGEST = 600
MOST_ROWS = 200
MOST_NAMED = 30
_OBEYED = re.compile(r"([\\`*\[\]<>|~&$]|^[#+\-=]|^\d{1,9}(?=[.)](?:\s|$))|(?<!\w)_|_(?!\w))")
_LINK = re.compile(r"(?i):(?=//)|\b(?<=www)\.")


def render(facts: Facts, summary: str | None = None, note: str | None = None) -> str:
    """The whole page. summary: a model's words, already checked. note: what is to be said about them, such as why they were left out."""
    incident = facts.incident
    parts = [f"# Postmortem of {incident['id']}: {plain(incident['summary'])}\n", *_summary(facts, summary, note)]
    for title, lines in (
        ("Impact", _impact(facts)),
        ("Timeline", _timeline(incident)),
        ("Cause", _cause(incident)),
        ("What was decided and done", _done(facts)),
        ("What to change", _changes(facts)),
    ):
        parts += [f"\n## {title}\n", *lines]
    parts.append(f"\n---\nFrom the store of {plain(facts.network)} at {_time(facts.at)}; every line above is a recorded fact.")
    return "\n".join(parts) + "\n"


def plain(text: object, limit: int = LONGEST) -> str:
    """The text on one line, with whatever Markdown could take for its own, for a link or for a mention made harmless."""
    shown = _OBEYED.sub(lambda found: found[0] + "\\" if found[0].isdigit() else "\\" + found[0], one_line(str(text), limit))
    return _LINK.sub(lambda found: "\\" + found[0], shown).replace("@", "＠")


def _summary(facts: Facts, summary: str | None, note: str | None) -> Iterator[str]:
    incident = facts.incident
    yield "## Summary\n"
    if summary:
        yield plain(summary, 4 * LONGEST) + "\n"
    if note:
        yield f"*{plain(note)}*\n"
    state = f"lasted {duration_text(facts.lasted_s)}" if incident["resolved_at"] else f"is still open after {duration_text(facts.lasted_s)}"
    done = [a for a in incident["actions"] if a["outcome"]]
    ended = "; ".join(f"{plain(a['action'])} of validator {a['validator']}: {_word(a['verdict'] or a['outcome'])}" for a in done)
    yield f"{plain(incident['summary'])}. The incident {state}. " + (f"Done: {ended}." if done else "Nothing was carried out.")


def _impact(facts: Facts) -> Iterator[str]:
    incident = facts.incident
    numbers = incident["validators"]
    more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
    named = f"{', '.join(map(str, numbers[:MOST_NAMED]))}{more}" if numbers else "none by itself"
    yield f"- Opened {_time(incident['opened_at'])}, {_until(incident)}: {duration_text(facts.lasted_s)}."
    yield f"- Severity {incident['severity']}" + (f", chain {plain(incident['chain'])}." if incident["chain"] else ".")
    yield f"- Validators ({len(numbers)}): {named}."
    finality = facts.of_finality()
    yield from (f"- Finality: {_alert_span(alert)}." for alert in finality[:10])
    if not finality:
        yield "- Finality: no alert about finality or block production belongs to it."


def _alert_span(alert: dict[str, Any]) -> str:
    until = f"until {_time(alert['resolved_at'])}" if alert["resolved_at"] else "and still fires"
    return f"{plain(alert['rule'])} on {plain(alert['subject'])} from {_time(alert['fired_at'])} {until}: {plain(alert['text'])}"


def _timeline(incident: dict[str, Any]) -> Iterator[str]:
    rows = incident["timeline"]
    yield "| Time (UTC) | What | |\n|---|---|---|"
    yield from (f"| {_time(row['at'])} | {plain(row['kind'], 40)} | {plain(row['text'])} |" for row in rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        yield f"\n{len(rows) - MOST_ROWS} more lines: `gizzi incident {incident['id']} --json` has all."


def _cause(incident: dict[str, Any]) -> Iterator[str]:
    yield f"Rule `{_code(incident['rule'])}`: {plain(incident['summary'])}.\n"
    cited = [(item["observation"], item["quote"]) for item in (incident["decision"] or {}).get("evidence", ())]
    seen = dict.fromkeys(cited)
    for alert in incident["alerts"]:
        if alert["rule"] == incident["rule"]:
            seen.update(dict.fromkeys((item["observation"], item["text"]) for item in alert["evidence"]))
    yield from (f"- `{_code(name)}`: `{_code(text)}`" for name, text in list(seen)[:MOST_NAMED])
    if not seen:
        yield "- No observation was kept with it."
    others = sorted({alert["rule"] for alert in incident["alerts"]} - {incident["rule"]})
    if others:
        yield f"\nWhat hung on it: {', '.join(plain(rule) for rule in others[:MOST_NAMED])}."


def _done(facts: Facts) -> Iterator[str]:
    incident, decision = facts.incident, facts.incident["decision"]
    if decision:
        by = decision["model"] or f"the {decision['tier']} tier"
        yield f"- Decided: {plain(decision['action'])}, by {plain(by)}: {plain(decision['reasoning'], 2 * LONGEST)}"
    else:
        yield "- Nothing was decided."
    for action in incident["actions"]:
        yield f"- {action['id']}: {plain(action['action'])} of validator {action['validator']}, proposed by {plain(action['proposed_by'])}."
        yield f"  - The guard: {action['permission'] or 'not asked'}" + _listed(action["reasons"])
        if action["approved_by"]:
            yield f"  - Approved by {plain(action['approved_by'])}."
        detail = f" ({plain(action['detail'])})" if action["detail"] else ""
        yield f"  - Outcome: {_word(action['outcome'] or 'not carried out')}{detail}; verdict: {_word(action['verdict'] or 'none')}."
    for asked in facts.approvals:
        answer = f"{asked['state']}" + (f" by {plain(asked['decided_by'])}" if asked["decided_by"] else "")
        yield f"- {asked['id']} was asked {_time(asked['asked_at'])} and {answer}" + (f": {plain(asked['why'])}" if asked["why"] else ".")
    yield f"- Models cost US$ {plain(incident['cost_usd'])}."


def _changes(facts: Facts) -> Iterator[str]:
    """From rules alone: what repeats, what was not known, what took people long, what did not help."""
    incident = facts.incident
    found: list[str] = []
    if facts.before:
        ids = ", ".join(other["id"] for other in facts.before[:10])
        often = "once" if len(facts.before) == 1 else f"{len(facts.before)} times"
        found.append(f"The same cause came {often} before in 30 days ({ids}): mend the cause, not the symptom.")
    found += [f"Not known when it mattered: {plain(reason)}. Make it readable." for reason in facts.unknown_facts()[:10]]
    for asked, waited_s in facts.slow_approvals():
        found.append(f"{asked['id']} waited {duration_text(waited_s)} for a person: see who is called, and when.")
    for action in incident["actions"]:
        if action["outcome"] and action["verdict"] != "resolved":
            found.append(
                f"{action['id']} ({plain(action['action'])}) ended {_word(action['verdict'] or action['outcome'])}: it did not help."
            )
    if not incident["acknowledged_by"] and incident["severity"] in ("high", "critical"):
        found.append(f"Nobody acknowledged an incident of severity {incident['severity']}: see whether people were told.")
    if incident["decision"] is None:
        found.append("It ended before anything was decided.")
    yield from (f"- {line}" for line in found)
    if not found:
        yield "- The rules find nothing: it was handled as intended."


def _listed(reasons: list[str]) -> str:
    return f": {'; '.join(plain(reason) for reason in reasons)}." if reasons else "."


def _until(incident: dict[str, Any]) -> str:
    return f"over {_time(incident['resolved_at'])}" if incident["resolved_at"] else "still open"


def _code(text: object) -> str:
    return one_line(str(text), LONGEST).replace("`", "'").replace("|", "¦") or " "


def _word(text: object) -> str:
    return plain(text).replace("not_resolved", "not resolved").replace("in_doubt", "in doubt")


def _time(text: str) -> str:
    return moment(text).strftime("%Y-%m-%d %H:%M:%S") if text else "an unknown time"

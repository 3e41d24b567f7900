"""The REST routes and the JSON objects, from the API's OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from gizzi.api.app import create_app
from gizzi.api.metrics import Metrics
from gizzi.app import open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.fleet.names import OBSERVATIONS
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import open_store

from . import rest_words
from .decisions import FACTS
from .markdown import code, join, meaning_of, page, sentence, slug, table

INTRO = """
`gizzi watch` answers on `[api] listen`, 127.0.0.1:8080 unless the configuration says otherwise, and `gizzi demo` while it runs. The OpenAPI
document is at `/openapi.json`. Questions
(`POST /api/ask`, `POST /v1/chat/completions`) may cost money.

**Who may ask.** On a loopback address reads are open to this machine. Every write, and on any other address every request, needs
`Authorization: Bearer` with the token of `[api] token_env` or of one of `[[api.tokens]]`; the daemon refuses to listen there without one.
`[api] public_status = true` opens `GET /api/network/status`, and nothing else, to everybody.

**Lists** come in pages: `limit` and `offset`, with the next page's address in `Link`, and an `ETag` that, sent as `If-None-Match`, is
answered with 304 where nothing has changed.

**Errors** are problem details (RFC 9457, `application/problem+json`): 401 without the right token, 403 where a viewer's is not enough,
404 where there is no such thing, 409 where it is over or answered already, 422 where something asked for is not well formed, 429 where
changes come too fast (`Retry-After` says when to go on), 503 where the store fails or no model could answer. Under `/v1/` they have
OpenAI's form instead, with 400 where a request is not well formed, 404 for an unknown model and 503 where no model could answer.

```sh
curl -s http://127.0.0.1:8080/api/network/status
curl -s -H "Authorization: Bearer $GIZZI_API_TOKEN" http://gizzi.example:8080/api/incidents?open=true
```
"""
OBJECTS_INTRO = """
The same objects come from `--json` and from the [REST API](rest.md): `gizzi status --json` prints a
[NetworkStatus](#networkstatus), `gizzi incidents --json` a list of [Incident](#incident), `gizzi incident ID --json` an
[IncidentDetail](#incidentdetail), `gizzi scenario run --json` one object a line as [scenarios](scenarios.md#results) describes.

Times are UTC in ISO 8601 (`2026-01-01T00:00:00.000Z`); durations in fields that end in `_s` are seconds; money in fields that end in
`_usd` is US dollars as a decimal text. **A value that was not observed is null, never 0.** More fields may be added; these keep their
names and types.
"""
TITLES = {
    "NetworkStatus": "The whole fleet now.",
    "Status": "One validator now.",
    "ValidatorDetail": "All that is known of one validator.",
    "Facts": "What a restart stands on; null is unknown, and never counts as safe.",
    "Alert": "A machine's claim about one subject, by one rule.",
    "Quoted": "An observation as it was when the alert fired.",
    "Observation": "One value of one validator.",
    "SourceFailure": "Why a source could not read a validator.",
    "Incident": "What people work on: one cause, one incident.",
    "IncidentDetail": "An incident with its timeline.",
    "Moment": "One line of a timeline.",
    "Action": "A write that was proposed, and what came of it.",
    "ProposedAction": "An action, with the approval that waits for it.",
    "Approval": "A person's yes that is asked for: bound to one action, for a while, used once.",
    "Wish": "An action that somebody proposes.",
    "Webhook": "What Alertmanager posts.",
    "WebhookAlert": "One alert in it.",
    "Heard": "What was taken up of it.",
    "Word": "What a person says to an approval.",
    "Decision": "What to do about an incident, and on which evidence.",
    "Evidence": "An observation that a decision cites.",
    "Panel": "What a `@panel` function shows.",
    "PanelTable": "A panel's table.",
    "OwnHealth": "How Gizzi itself is doing.",
    "Problem": "What went wrong with a request (RFC 9457). More members may follow.",
}
TITLES |= rest_words.TITLES
"""Every object, in the order of the page."""
EXTENDS = {"ValidatorDetail": "Status", "IncidentDetail": "Incident", "ProposedAction": "Action"}
MEANINGS = {
    "network": "the network's name",
    "validators": "the validators it concerns, by number",
    "NetworkStatus.validators": "every validator, in order of number",
    "at": "when",
    "number": "the validator's number",
    "name": "its name",
    "chain": "the chain's id",
    "finalization_lag": "best less finalized block; never below 0",
    "health": "healthy, warning (something of low or medium severity fires), critical (something of high or critical), or unknown (what "
    "matters was not seen)",
    "reasons": "why, in words; the worst first",
    "up": "something of the node answers; false where everything that is read fails",
    "subject": "`validator/6`, `chain/flare` or `gizzi`",
    "Alert.rule": "the [rule](rules.md)",
    "Alert.severity": "its rule's, or worse where the case is",
    "Alert.state": "pending until it has held long enough, then firing, then resolved",
    "Incident.rule": "the [rule](rules.md) of its deepest cause",
    "Incident.severity": "the worst of its alerts",
    "Incident.state": "acknowledged: a person looks after it",
    "text": "one line for people",
    "SourceFailure.kind": "refused, timeout, unreadable, unauthorised, http, rpc, host_key or internal",
    "Moment.kind": "opened, joined, changed, decided, acknowledged, alert_resolved, merged, reopened or resolved",
    "since": "since when the condition has held",
    "fired_at": "when it began to fire",
    "resolved_at": "when it was over; null while it is not",
    "evidence": "the observations it rests on",
    "value": "null where it is not a finite number",
    "id": "such as `inc-3`",
    "opened_at": "when it opened",
    "summary": "one line: whom, and what",
    "decision": "null until it is decided, one poll round after it opened",
    "actions": "always empty so far: nothing is carried out",
    "cost_usd": "always 0 so far: no model is asked",
    "acknowledged_by": "who looks after it",
    "merged_into": "the incident it turned out to be part of",
    "alerts": "all that ever joined it, the latest of each",
    "timeline": "what happened, oldest first",
    "facts": "what a restart stands on",
    "observations": "by name, the latest of each, fresh or not",
    "action": "what to do",
    "reasoning": "why",
    "confidence": "0 to 1; the reflex table's is 1",
    "estimated_downtime_min": "minutes; for a restart",
    "escalate_to": "who should look; for escalate",
    "tier": "always `reflex` so far",
    "model": "always null so far",
    "observation": "its id, such as `6/peers`",
    "quote": "words that occur in its text",
    "version": "the version that runs",
    "OwnHealth.status": "ok; starting: not everything has been asked yet; late: it cannot keep its pace; blind: nothing at all answers; "
    "store_failing: what happens is not being kept",
    "type": "always `about:blank`",
    "title": "the HTTP status in words",
    "Problem.status": "the HTTP status",
    "detail": "what happened, and what to do next",
}
MEANINGS |= rest_words.MEANINGS
"""Of fields that the document itself does not describe: by `Object.field`, or by name wherever it is."""


@cache
def _made() -> tuple[dict[str, Any], str]:
    """The OpenAPI document and the metrics page of an API that nobody listens to."""
    return run_simulated(_make())


async def _make() -> tuple[dict[str, Any], str]:
    clock = SimulatedClock()
    fleet = SimFleet(clock, validators=1)
    store = open_store("sqlite://")
    async with open_app(settings_for(fleet), clock=clock, reach=fleet.reach(), store=store, live=False) as app:
        document = create_app(app).openapi()
        metrics = bytes((await Metrics(app, app.watch.statuses).answer("")).body).decode()
    store.close()
    return document, metrics


def document() -> dict[str, Any]:
    return _made()[0]


def own_metrics() -> str:
    """A table of Gizzi's own metrics."""
    helped = [line.split(" ", 3)[2:] for line in _made()[1].splitlines() if line.startswith("# HELP gizzi_")]
    return table(["metric", "means"], [(code(name), about) for name, about in helped])


def routes() -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of every route."""
    return [(method.upper(), path, operation) for path, item in document()["paths"].items() for method, operation in item.items()]


def rest_page() -> str:
    heads = [(f"{method} {path}", _about(operation)) for method, path, operation in routes()]
    summary = table(["route", "answers"], [(f"[`{head}`](#{slug(head)})", about) for head, about in heads])
    return page("REST API", INTRO, summary, *(_route(*found) for found in routes()))


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [(code(p["name"]), p["in"], _type(p["schema"], ""), _parameter(p)) for p in operation.get("parameters", ())]
    body = next(operation["responses"][code] for code in ("200", "202") if code in operation["responses"]).get("content", {})
    shape = next(iter(body.values()), {}).get("schema", {})
    answer = f"Answers {_type(shape).replace('list', 'a list')}." if shape else f"Answers Prometheus text:\n\n{own_metrics()}"
    return join(f"## {method} {path}", _about(operation), table(["parameter", "in", "type", "means"], rows), answer)


def _about(operation: dict[str, Any]) -> str:
    return " ".join(operation.get("description", operation.get("summary", "")).split())


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    default = [f"default `{str(schema['default']).lower()}`"] if "default" in schema else []
    more = ", ".join([" ".join(bounds), *default] if bounds else default)
    return " ".join(part for part in (parameter.get("description", ""), sentence(more)) if part)


def objects_page() -> str:
    schemas = document()["components"]["schemas"]
    names = [*TITLES, *(name for name in object_names() if name not in TITLES)]
    return page("JSON objects", OBJECTS_INTRO, *(_object(name, schemas[name]) for name in names))


def object_names() -> Iterable[str]:
    """Every object of the document that is ours."""
    return [name for name in document()["components"]["schemas"] if name not in ("HTTPValidationError", "ValidationError")]


def _object(name: str, schema: dict[str, Any]) -> str:
    base = EXTENDS.get(name)
    known = document()["components"]["schemas"][base]["properties"] if base else {}
    about_it = TITLES.get(name) or schema.get("description") or meaning_of(name, {}, "docs/generate/rest.py, TITLES, or a docstring")
    told = f"{about_it} It has everything of [{base}](#{base.lower()}), and:" if base else about_it
    fields = {field: about for field, about in schema["properties"].items() if field not in known}
    rows = [(code(field), _type(about, ""), meaning(name, field, about)) for field, about in fields.items()]
    return f"## {name}\n\n{told}\n\n" + table(["field", "type", "means"], rows)


def meaning(name: str, field: str, about: dict[str, Any]) -> str:
    """What a field means. Raises Undocumented where nobody says."""
    own = MEANINGS.get(f"{name}.{field}") or about.get("description")
    facts = FACTS.get(field) if name == "Facts" else None
    said = own or facts or MEANINGS.get(field) or OBSERVATIONS.get(field)
    return sentence(said or meaning_of(f"{name}.{field}", {}, "docs/generate/rest.py, MEANINGS, or describe the field in api/models.py"))


def _type(schema: dict[str, Any], file: str = "objects.md") -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({file}#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(kind, file) for kind in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    match schema.get("type"):
        case "array":
            inner = _type(schema.get("items") or next(iter(schema.get("prefixItems", ())), {}), file)
            return f"list of {inner}" + ("s" if inner in ("text", "whole number", "object") else "")
        case "object":
            inside = schema.get("additionalProperties")
            return f"table of {_type(inside, file)}" if isinstance(inside, dict) and inside else "object"
        case "string":
            return "time" if schema.get("format") == "date-time" else "text"
        case kind:
            return {"integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}[str(kind)]

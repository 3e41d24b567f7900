"""What the tools answer. The objects are those of every face; a test holds them to the API's."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Health = Literal["healthy", "warning", "critical", "unknown"]
Severity = Literal["low", "medium", "high", "critical"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Status(Shape):
    number: int
    name: str
    chain: str
    block_height: int | None
    finalized_height: int | None
    finalization_lag: int | None
    peers: int | None
    health: Health
    reasons: list[str]
    up: bool | None
    syncing: bool | None
    version: str | None
    observed_at: str | None


class NetworkStatus(Shape):
    network: str
    at: str
    seen_by: Literal["daemon", "one look"] = Field(description="One look sees no stall and nothing else that takes time to show.")
    count: dict[Health, int] = Field(description="Validators by health, all of them.")
    validators: list[Status]
    left_out: int = Field(description="How many more there are.")


class Facts(Shape):
    """What a restart stands on; null is unknown, and never counts as safe."""

    up: bool | None
    db_lost: bool | None
    twin_running: bool | None
    unclean_stop: bool | None
    in_session_change: bool | None
    maintenance: bool | None


class Quoted(Shape):
    observation: str
    text: str


class Alert(Shape):
    subject: str
    rule: str
    severity: Severity
    state: Literal["pending", "firing", "resolved"]
    text: str
    validators: list[int]
    since: str
    fired_at: str | None
    resolved_at: str | None
    muted: str | None
    evidence: list[Quoted]


class Observation(Shape):
    id: str
    value: float | int | bool | str | list[str] | None
    text: str
    at: str
    since: str
    fresh: bool


class SourceFailure(Shape):
    kind: str
    text: str


class ForecastRecord(Shape):
    """How earlier forecasts of this kind did: how many have come due, which share was within its interval, the median error."""

    tests: int
    held: float
    error: float


class Forecast(Shape):
    """When something breaks. The interval holds with a probability of four fifths; unknown says why nothing is foretold."""

    what: Literal["disk", "peers", "lag", "finality", "spend"]
    text: str
    likely_at: str | None
    soonest_at: str | None
    latest_at: str | None
    sure: bool = Field(description="Whether the interval leaves out that nothing changes.")
    record: ForecastRecord | None
    unknown: str


class ValidatorDetail(Status):
    facts: Facts
    forecasts: list[Forecast]
    alerts: list[Alert]
    observations: dict[str, Observation]
    failures: dict[str, SourceFailure]


class Evidence(Shape):
    observation: str
    quote: str


class Decision(Shape):
    action: Literal["restart", "wait", "investigate", "escalate"]
    reasoning: str
    confidence: float
    evidence: list[Evidence]
    estimated_downtime_min: float | None
    escalate_to: str | None
    tier: str
    model: str | None


class Action(Shape):
    id: str
    incident: str | None
    action: str
    validator: int
    permission: Literal["allow", "ask", "deny"] | None = Field(description="What the guard said last; null before it was asked.")
    reasons: list[str] = Field(description="All the guard's reasons.")
    why: str
    proposed_by: str
    approved_by: str | None
    state: Literal["wanted", "proposed", "intent", "ended", "closed"]
    outcome: Literal["done", "failed", "in_doubt"] | None
    verdict: Literal["resolved", "not_resolved", "worse", "unknown"] | None = Field(description="What was seen afterwards.")
    detail: str | None
    proposed_at: str
    begun_at: str | None
    ended_at: str | None
    verdict_at: str | None


class Proposed(Action):
    approval: str | None = Field(description="The approval that a person is asked for; only a person can give it.")


class Incident(Shape):
    id: str
    rule: str
    source: Literal["rule", "alertmanager", "model"] = Field(description="Who said it. Nothing is done because of what a model says.")
    severity: Severity
    chain: str | None
    validators: list[int]
    state: Literal["triggered", "acknowledged", "resolved"]
    opened_at: str
    resolved_at: str | None
    summary: str
    decision: Decision | None
    actions: list[Action]
    cost_usd: str
    acknowledged_by: str | None
    merged_into: str | None


class Incidents(Shape):
    incidents: list[Incident]


class Moment(Shape):
    at: str
    kind: str
    text: str


class IncidentDetail(Incident):
    alerts: list[Alert]
    timeline: list[Moment]
    left_out: int = Field(description="Alerts and lines of the timeline that are not shown.")


class Row(Shape):
    labels: dict[str, str]
    value: float | None = Field(description="null for a value that is not finite.")


class Rows(Shape):
    rows: list[Row]
    left_out: int


class LogLine(Shape):
    at: str | None
    writer: str
    message: str


class Logs(Shape):
    validator: int
    unit: str
    lines: list[LogLine] = Field(description="The newest first.")


class MemoryEntry(Shape):
    number: int
    at: str
    author: str
    kind: str
    event: str
    action: str
    status: str
    priority: str
    tags: list[str]
    validators: list[int]
    incident: str | None
    body: str


class Memories(Shape):
    entries: list[MemoryEntry] = Field(description="The newest first.")


class Costs(Shape):
    by: str
    at: str
    rows: list[dict[str, Any]]
    total: dict[str, Any]
    open: dict[str, Any]
    budget: dict[str, Any]
    forecast: dict[str, Any]
    always_frontier: dict[str, Any] | None


class Considered(Shape):
    model: str
    why_not: str | None


class Route(Shape):
    tier: str
    model: str | None
    strategy: str
    reason: str
    considered: list[Considered]


class Tokens(Shape):
    input: int
    output: int
    estimated: bool


class RouteTaken(Shape):
    strategy: str
    reason: str
    considered: list[Considered]


class Answer(Shape):
    id: str | None
    model: str
    tier: str
    response: str
    cost_usd: str | None = Field(description="null where the model's price is not known.")
    time_s: float
    tokens: Tokens
    route: RouteTaken
    cached: bool

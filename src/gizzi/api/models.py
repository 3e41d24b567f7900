"""The shapes of answers, for the OpenAPI document. Answers are built by the engine; tests hold them to these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gizzi.kinds import Severity

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Health = Literal["healthy", "warning", "critical", "unknown"]


ASKED = ConfigDict(extra="forbid", strict=True)
SAYS = "[^ \\t\\r\\n]"
"""It is not blank."""


def _whole(value: Any) -> Any:
    """6.0 is an integer too, as JSON Schema has it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OwnHealth(Shape):
    status: Literal["ok", "starting", "late", "blind", "store_failing"] = Field(description="How Gizzi itself is doing.")
    reasons: list[str] = Field(description="Why it is not ok; empty where it is.")
    version: str
    validators: int = Field(description="How many are watched.")
    watching_s: float = Field(description="Seconds since the watch began.")
    late_s: float = Field(description="How late the latest poll of the last minute began.")


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
    observed_at: Time | None = Field(description="When something of it was last seen; null where nothing was.")


class NetworkStatus(Shape):
    network: str
    at: Time
    validators: list[Status]


class Facts(Shape):
    """What a restart stands on; null is unknown, and never counts as safe."""

    up: bool | None
    db_lost: bool | None
    twin_running: bool | None
    unclean_stop: bool | None
    in_session_change: bool | None
    maintenance: bool | None


class Quoted(Shape):
    observation: str = Field(description="Its id, such as 6/peers.")
    text: str


class Alert(Shape):
    subject: str
    rule: str
    severity: Severity
    state: Literal["pending", "firing", "resolved"]
    text: str
    validators: list[int]
    since: Time
    fired_at: Time | None
    resolved_at: Time | None
    muted: str | None = Field(description="Why nobody is told; null where people are.")
    evidence: list[Quoted]


class Observation(Shape):
    id: str = Field(description="<validator>/<name>; decisions cite it.")
    value: float | int | bool | str | list[str] | None
    text: str = Field(description="What a prompt shows of it; a quote must occur in it.")
    at: Time
    since: Time = Field(description="Since when the value has stood.")
    fresh: bool = Field(description="Whether it may still be believed.")


class SourceFailure(Shape):
    kind: str
    text: str


class Foretold(Shape):
    """What is expected at the end of the forecast's reach, and within which bounds with a probability of four fifths."""

    low: float
    likely: float
    high: float


class ForecastRecord(Shape):
    """How earlier forecasts of this kind did, of all subjects."""

    tests: int = Field(description="How many have come due.")
    held: float = Field(description="The share of them within their interval; 0.8 was promised.")
    error: float = Field(description="The median of their errors, in the unit of `now`.")


class Outlook(Shape):
    """When something breaks, with an interval. Where too little is known, `unknown` says so and the rest is null."""

    subject: str = Field(description="Such as validator 6, chain flare, models.")
    what: Literal["disk", "peers", "lag", "finality", "spend"]
    limit: float = Field(description="Where it breaks: free bytes, peers, blocks, US$.")
    now: float | None = Field(description="Where the trend stands.")
    per_day: float | None = Field(description="How fast it goes.")
    at: Time | None = Field(description="When the last sample was taken.")
    likely_at: Time | None = Field(description="When the trend meets the limit; null where it does not, or too late to say.")
    soonest_at: Time | None = Field(description="The early end of the 80 % interval; null where it is beyond `until`.")
    latest_at: Time | None = Field(description="The late end of the 80 % interval; null where it is beyond `until`.")
    until: Time | None = Field(description="So far it looks ahead: half as far as it has looked back.")
    end: Foretold | None = Field(description="What is expected then.")
    sure: bool = Field(description="Whether the interval leaves out that nothing changes.")
    past_error: float | None = Field(description="The median error of the same forecast at earlier times of the same series.")
    tests: int = Field(description="How many earlier times.")
    record: ForecastRecord | None = Field(description="Of forecasts that were made and have come due; null while there are none.")
    unknown: str = Field(description="Why nothing is foretold; empty where something is.")
    text: str = Field(description="In one line.")


class ValidatorHistory(Shape):
    """A validator's past on an even grid of time."""

    number: int
    from_: Annotated[Time, Field(alias="from", description="When the first sample's step begins.")]
    to: Time
    step_s: int = Field(description="Seconds between two samples.")
    samples: dict[str, list[int | None]] = Field(description="By observation, a value for each step; null where nothing was known.")


class TrendColumns(Shape):
    block_height: list[int | None]
    finalization_lag: list[int | None]
    peers: list[int | None]


class Trend(Shape):
    """The last minutes of every validator."""

    at: list[float] = Field(description="When each sample was taken, epoch seconds.")
    validators: dict[str, TrendColumns] = Field(description="By number, a value for each time; null where it was not known.")


class ValidatorDetail(Status):
    facts: Facts
    forecasts: list[Outlook] = Field(description="What will break of it, and when; empty until the first forecast is made.")
    alerts: list[Alert] = Field(description="Pending and firing, of the validator and of its chain.")
    observations: dict[str, Observation]
    failures: dict[str, SourceFailure] = Field(description="By source, what could not be read.")


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
    id: str = Field(description="Such as act-3.")
    incident: str | None = Field(description="The incident it is to end; null where a person asked for it.")
    action: str = Field(description="The action's name.")
    validator: int = Field(description="Its target.")
    permission: Literal["allow", "ask", "deny"] | None = Field(description="What the guard said last; null before it was asked.")
    reasons: list[str] = Field(description="All the guard's reasons.")
    why: str = Field(description="Why it was proposed.")
    proposed_by: str = Field(description="The tier, the model or the person.")
    approved_by: str | None = Field(description="Who said yes; null where nobody had to.")
    state: Literal["wanted", "proposed", "intent", "ended", "closed"] = Field(description="How far it is: intent is under way.")
    outcome: Literal["done", "failed", "in_doubt"] | None = Field(description="What came of it; null where it was not begun.")
    verdict: Literal["resolved", "not_resolved", "worse", "unknown"] | None = Field(description="What was seen afterwards.")
    detail: str | None = Field(description="More about the outcome, or why nothing was done.")
    proposed_at: Time = Field(description="When it was proposed.")
    begun_at: Time | None = Field(description="When its intent was written.")
    ended_at: Time | None = Field(description="When its outcome was written.")
    verdict_at: Time | None = Field(description="When it was judged.")


class ProposedAction(Action):
    approval: str | None = Field(description="The approval that a person is asked for.")


class Approval(Shape):
    id: str = Field(description="Such as ap-3.")
    action: str = Field(description="What is to be done.")
    validator: int = Field(description="To whom.")
    incident: str | None = Field(description="For which incident; null where a person asked for it.")
    because: str = Field(description="Why it was proposed.")
    reasons: list[str] = Field(description="Why the guard asks.")
    state: Literal["waiting", "approved", "denied", "expired", "used", "withdrawn"] = Field(description="Used: the action began with it.")
    asked_at: Time = Field(description="When it was asked for.")
    expires_at: Time = Field(description="Until when it may be given and used.")
    decided_at: Time | None = Field(description="When a person answered.")
    decided_by: str | None = Field(description="Who answered.")
    why: str | None = Field(description="What they said.")
    hash: str = Field(description="What the approval is bound to: action, target, reason and evidence.")


class Wish(BaseModel):
    """An action that somebody proposes."""

    model_config = ASKED
    action: str = Field(min_length=1, max_length=128, examples=["restart"], description="The action's name.")
    validator: Annotated[int, BeforeValidator(_whole)] = Field(ge=0, le=2**31 - 1, description="The validator's number.")
    why: str = Field(min_length=1, max_length=500, pattern=SAYS, description="Why, for those who read it later.")


class Reason(BaseModel):
    """Why not."""

    model_config = ASKED
    why: str = Field(min_length=1, max_length=500, pattern=SAYS, description="Why not, for those who read it later.")


class Word(BaseModel):
    """What a person says to it."""

    model_config = ASKED
    why: str = Field("", max_length=500, description="Why.")


class Incident(Shape):
    id: str
    rule: str
    source: Literal["rule", "alertmanager", "model"] = Field(description="Who said it. Nothing is done because of what a model says.")
    severity: Severity
    chain: str | None
    validators: list[int]
    state: Literal["triggered", "acknowledged", "resolved"]
    opened_at: Time
    resolved_at: Time | None
    summary: str
    decision: Decision | None
    actions: list[Action]
    cost_usd: str
    acknowledged_by: str | None
    merged_into: str | None
    alerts: list[Alert]


class Moment(Shape):
    at: Time
    kind: str
    text: str


class IncidentDetail(Incident):
    timeline: list[Moment]


class Problem(BaseModel):
    """RFC 9457. More members may follow."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str

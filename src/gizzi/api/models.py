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


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OwnHealth(_Shape):
    status: Literal["ok", "starting", "late", "blind", "store_failing"] = Field(description="How Gizzi itself is doing.")
    reasons: list[str] = Field(description="Why it is not ok; empty where it is.")
    version: str
    validators: int = Field(description="How many are watched.")
    watching_s: float = Field(description="Seconds since the watch began.")
    late_s: float = Field(description="How late the latest poll of the last minute began.")


class Status(_Shape):
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


class NetworkStatus(_Shape):
    network: str
    at: Time
    validators: list[Status]


class Facts(_Shape):
    """What a restart stands on; null is unknown, and never counts as safe."""

    up: bool | None
    db_lost: bool | None
    twin_running: bool | None
    unclean_stop: bool | None
    in_session_change: bool | None
    maintenance: bool | None


class Quoted(_Shape):
    observation: str = Field(description="Its id, such as 6/peers.")
    text: str


class Alert(_Shape):
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


class Observation(_Shape):
    id: str = Field(description="<validator>/<name>; decisions cite it.")
    value: float | int | bool | str | list[str] | None
    text: str = Field(description="What a prompt shows of it; a quote must occur in it.")
    at: Time
    since: Time = Field(description="Since when the value has stood.")
    fresh: bool = Field(description="Whether it may still be believed.")


class SourceFailure(_Shape):
    kind: str
    text: str


class ValidatorDetail(Status):
    facts: Facts
    alerts: list[Alert] = Field(description="Pending and firing, of the validator and of its chain.")
    observations: dict[str, Observation]
    failures: dict[str, SourceFailure] = Field(description="By source, what could not be read.")


class Evidence(_Shape):
    observation: str
    quote: str


class Decision(_Shape):
    action: Literal["restart", "wait", "investigate", "escalate"]
    reasoning: str
    confidence: float
    evidence: list[Evidence]
    estimated_downtime_min: float | None
    escalate_to: str | None
    tier: str
    model: str | None


class Action(_Shape):
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


class Approval(_Shape):
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


class Incident(_Shape):
    id: str
    rule: str
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


class Moment(_Shape):
    at: Time
    kind: str
    text: str


class IncidentDetail(Incident):
    timeline: list[Moment]


class Tokens(_Shape):
    """Tokens, as providers counted them."""

    input: int = Field(description="all of it, cached too")
    output: int = Field(description="reasoning too")
    cached_input: int = Field(description="of the input, what came from the provider's cache")
    reasoning: int = Field(description="of the output, what nobody sees")


class Spent(_Shape):
    """What was spent, on how much."""

    calls: int = Field(description="that were sent and have ended")
    cost_usd: str | None = Field(description="US$; null where no call's cost is known.")
    unknown_cost_calls: int = Field(description="Calls whose cost nobody knows; they are in no amount.")
    estimated_calls: int = Field(description="settled at an estimate")
    tokens: Tokens = Field(description="of all calls")


class CostRow(Spent):
    """Of one model, tier, role, kind or day: whichever was asked for."""

    model: str | None = Field(None, description="its id")
    tier: str | None = Field(None, description="its name")
    role: str | None = Field(None, description="its name; null: none")
    kind: str | None = Field(None, description="the task's kind; null: none")
    day: str | None = Field(None, description="in UTC")
    always_frontier_usd: str | None = Field(description="What the frontier model would have cost for the same tokens; null if unknown.")


class OpenCalls(_Shape):
    """Calls under way."""

    calls: int = Field(description="how many")
    estimate_usd: str = Field(description="at most")


class Kept(_Shape):
    """What is kept for critical work."""

    day_usd: str = Field(description="of the day's budget")
    month_usd: str = Field(description="of the month's budget")


class BudgetLeft(_Shape):
    """The budgets and what is left of them."""

    day_usd: str = Field(description="a day")
    day_left_usd: str = Field(description="left today")
    month_usd: str = Field(description="a month")
    month_left_usd: str = Field(description="left this month")
    kept_for_critical: Kept = Field(description="The part of what is left that only critical work may spend.")
    tiers_left_today_usd: dict[str, str] = Field(description="by tier, where one has a budget of its own")
    roles_left_today_usd: dict[str, str] = Field(description="by role, where one has a budget of its own")


class Forecast(_Shape):
    """Where the month leads."""

    month_usd: str = Field(description="at the end of the month")
    so_far_usd: str = Field(description="spent this month")
    mean_day_usd: str = Field(description="a day")
    days_left: float = Field(description="of the month")
    how: str = Field(description="what it rests on")


class AlwaysFrontier(_Shape):
    """What one model alone would have cost."""

    model: str = Field(description="its id")
    cost_usd: str = Field(description="for the same tokens")
    how: str = Field(description="what it rests on")


class Costs(_Shape):
    """What models cost this month."""

    by: Literal["model", "tier", "role", "kind", "day"] = Field(description="what the rows are of")
    at: Time = Field(description="when it was read")
    from_: Annotated[str, Field(alias="from", description="The first day of the month.")]
    to: str = Field(description="today")
    rows: list[CostRow] = Field(description="the dearest first; days in their order")
    total: Spent = Field(description="of all rows")
    open: OpenCalls = Field(description="not in the total")
    budget: BudgetLeft = Field(description="what is left")
    forecast: Forecast = Field(description="where it leads")
    always_frontier: AlwaysFrontier | None = Field(description="null where no frontier model has a known price")


class Model(_Shape):
    """One model of the catalogue."""

    model: str = Field(description="its id")
    provider: str = Field(description="where it is reached")
    tier: Literal["reflex", "local", "standard", "frontier"] = Field(description="its place in the cost ladder")
    serves: list[str] = Field(description="The tiers it is named for.")
    price: dict[str, Any] | None = Field(description="US$ per million tokens as decimal texts, and where they come from; null if unknown.")
    checked: str | None = Field(description="The day the price was looked up.")
    retired: str | None = Field(description="The day from which requests fail.")
    reachable: bool = Field(description="whether it could be asked now, without trying")
    why_not: str | None = Field(description="null where it is reachable")
    local: bool = Field(description="whether nothing leaves this machine or network")
    context_tokens: int | None = Field(description="null where nobody knows")
    capabilities: list[str] = Field(description="what it can do")
    where: str = Field(description="which file names it")


class Remembered(_Shape):
    """One entry of the memory."""

    number: int = Field(description="from 1, without gaps")
    at: Time = Field(description="when")
    author: str = Field(description="who signed it")
    kind: str = Field(description="case, note, report, decision, action")
    event: str = Field(description="one line")
    action: str = Field(description="one line; empty where nothing was done")
    status: Literal["PENDING", "IN_PROGRESS", "RESOLVED", "ESCALATED", "COMPLETED"] = Field(description="where it stands")
    priority: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"] = Field(description="how much it matters")
    tags: list[str] = Field(description="words to find it by")
    validators: list[int] = Field(description="whom it concerns")
    incident: str | None = Field(description="such as inc-3; null where it is about none")
    body: str = Field(description="all of it; a case's is JSON")
    hash: str = Field(description="over this entry and the hash before it")


class Verification(_Shape):
    """What a check of the memory found."""

    ok: bool = Field(description="whether everything holds")
    entries: int = Field(description="how many the head says there are")
    fault: str | None = Field(description="The first thing that is wrong.")
    number: int | None = Field(description="The entry it is about, where it is about one.")
    trusted: bool = Field(description="Whether the root key is the one that lies with the keys, outside the store.")
    head: str = Field(description="the last hash, to compare with a copy of it elsewhere")


class Role(_Shape):
    """A role, and its last report."""

    name: str = Field(description="by which it is run")
    description: str = Field(description="what it is for")
    tier: Literal["auto", "local", "standard", "frontier"] = Field(description="auto: the task decides")
    tools: list[str] = Field(description="what it may read with")
    validators: list[int] | None = Field(description="null: all.")
    schedule: str | None = Field(description="incident, or such as every 6h; null: by hand")
    budget_usd: str | None = Field(description="a day; null: only the common budget")
    tasks: dict[str, str] = Field(description="what to do, by name")
    where: str = Field(description="the file")
    last_report: Remembered | None = Field(description="null where it has written none lately")


class Question(BaseModel):
    """What is asked, and how much hangs on it."""

    model_config = ASKED
    text: str = Field(min_length=1, max_length=200_000, pattern=SAYS, examples=["Is validator 6 healthy?"])
    critical: bool = Field(False, description="Three models vote.")
    model: str | None = Field(None, max_length=256, description="This model alone.")
    role: str | None = Field(None, max_length=64, description="For this role, and out of its budget.")


class AnswerTokens(_Shape):
    """Tokens of one answer."""

    input: int = Field(description="all of it")
    output: int = Field(description="all of it")
    estimated: bool = Field(description="where the provider did not count")


class AskedModel(_Shape):
    """A model that was considered."""

    model: str = Field(description="its id")
    why_not: str | None = Field(description="null for the one that answered")


class AnswerRoute(_Shape):
    """Why this model answered."""

    strategy: str = Field(description="who chose")
    reason: str = Field(description="in a few words")
    considered: list[AskedModel] = Field(description="every candidate")


class Answer(_Shape):
    """An answer, who gave it, and what it cost."""

    id: str | None = Field(description="By which it can be called good or bad.")
    model: str = Field(description="its id; gizzi/reflex where none was asked")
    tier: Literal["reflex", "local", "standard", "frontier"] = Field(description="of that model")
    response: str = Field(description="untrusted, as everything a model writes")
    cost_usd: str | None = Field(description="of all calls made for it; null where nobody knows")
    time_s: float = Field(description="seconds")
    tokens: AnswerTokens = Field(description="of the answer")
    route: AnswerRoute = Field(description="how it came about")
    votes: list[dict[str, Any]] = Field(description="of each provider, where they voted")
    cached: bool = Field(description="whether it was given before")


class PanelTable(BaseModel):
    columns: list[str]
    rows: list[list[float | str]]


class Panel(_Shape):
    """kind: null until it has answered. value: that of the last answer. error: why there is no newer one."""

    name: str
    title: str
    summary: str
    kind: Literal["number", "text", "table", "series"] | None
    value: float | str | PanelTable | list[tuple[float, float]] | None
    error: str | None
    at: Time | None


class Problem(BaseModel):
    """RFC 9457. More members may follow."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str

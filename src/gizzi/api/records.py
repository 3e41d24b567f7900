"""The shapes of answers about models, money, memory, roles and panels, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from gizzi.api.models import ASKED, SAYS, Shape, Time


class Tokens(Shape):
    """Tokens, as providers counted them."""

    input: int = Field(description="all of it, cached too")
    output: int = Field(description="reasoning too")
    cached_input: int = Field(description="of the input, what came from the provider's cache")
    reasoning: int = Field(description="of the output, what nobody sees")


class Spent(Shape):
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


class OpenCalls(Shape):
    """Calls under way."""

    calls: int = Field(description="how many")
    estimate_usd: str = Field(description="at most")


class Kept(Shape):
    """What is kept for critical work."""

    day_usd: str = Field(description="of the day's budget")
    month_usd: str = Field(description="of the month's budget")


class BudgetLeft(Shape):
    """The budgets and what is left of them."""

    day_usd: str = Field(description="a day")
    day_left_usd: str = Field(description="left today")
    month_usd: str = Field(description="a month")
    month_left_usd: str = Field(description="left this month")
    kept_for_critical: Kept = Field(description="The part of what is left that only critical work may spend.")
    tiers_left_today_usd: dict[str, str] = Field(description="by tier, where one has a budget of its own")
    roles_left_today_usd: dict[str, str] = Field(description="by role, where one has a budget of its own")


class Forecast(Shape):
    """Where the month leads."""

    month_usd: str = Field(description="at the end of the month")
    so_far_usd: str = Field(description="spent this month")
    mean_day_usd: str = Field(description="a day")
    days_left: float = Field(description="of the month")
    how: str = Field(description="what it rests on")


class AlwaysFrontier(Shape):
    """What one model alone would have cost."""

    model: str = Field(description="its id")
    cost_usd: str = Field(description="for the same tokens")
    how: str = Field(description="what it rests on")


class Costs(Shape):
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


class Model(Shape):
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


class Remembered(Shape):
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


class Verification(Shape):
    """What a check of the memory found."""

    ok: bool = Field(description="whether everything holds")
    entries: int = Field(description="how many the head says there are")
    fault: str | None = Field(description="The first thing that is wrong.")
    number: int | None = Field(description="The entry it is about, where it is about one.")
    trusted: bool = Field(description="Whether the root key is the one that lies with the keys, outside the store.")
    head: str = Field(description="the last hash, to compare with a copy of it elsewhere")


class Findings(Shape):
    """How often a model was right to open an incident."""

    open: int = Field(description="of which nobody knows yet")
    hits: int = Field(description="where a rule said the same within an hour, or a person acknowledged")
    false_alarms: int = Field(description="that ended with neither, or that a person called so")


class Role(Shape):
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
    findings: Findings | None = Field(description="of the watcher; null for any other")
    last_report: Remembered | None = Field(description="null where it has written none lately")


class Question(BaseModel):
    """What is asked, and how much hangs on it."""

    model_config = ASKED
    text: str = Field(min_length=1, max_length=200_000, pattern=SAYS, examples=["Is validator 6 healthy?"])
    critical: bool = Field(False, description="Three models vote.")
    model: str | None = Field(None, max_length=256, description="This model alone.")
    role: str | None = Field(None, max_length=64, description="For this role, and out of its budget.")


class AnswerTokens(Shape):
    """Tokens of one answer."""

    input: int = Field(description="all of it")
    output: int = Field(description="all of it")
    estimated: bool = Field(description="where the provider did not count")


class AskedModel(Shape):
    """A model that was considered."""

    model: str = Field(description="its id")
    why_not: str | None = Field(description="null for the one that answered")


class AnswerRoute(Shape):
    """Why this model answered."""

    strategy: str = Field(description="who chose")
    reason: str = Field(description="in a few words")
    considered: list[AskedModel] = Field(description="every candidate")


class Answer(Shape):
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


class PanelTable(Shape):
    columns: list[str] = Field(description="Their titles.")
    rows: list[list[float | str]] = Field(description="A cell for each column.")


class Panel(Shape):
    name: str = Field(description="What it is registered as.")
    title: str = Field(description="For people.")
    summary: str = Field(description="What it shows.")
    kind: Literal["number", "text", "table", "series"] | None = Field(description="Null until it has answered.")
    value: float | str | PanelTable | list[tuple[float, float]] | None = Field(
        description="Of its last answer; a series is pairs of epoch seconds and number."
    )
    error: str | None = Field(description="Why there is no newer value.")
    at: Time | None = Field(description="When it last answered.")

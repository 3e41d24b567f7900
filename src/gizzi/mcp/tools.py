"""The tools. All but `ask` and `propose_action` only read; nothing here can approve."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import Field

from gizzi.clock import iso
from gizzi.errors import NotFound, UsageError
from gizzi.mcp import shapes
from gizzi.mcp.gate import who_asks
from gizzi.mcp.strict import ACTS, READS, SPENDS, StrictTool, tool, without_secrets
from gizzi.mcp.window import Window
from gizzi.models.redact import Redactor
from gizzi.models.report import By, costs_by
from gizzi.readers import journal
from gizzi.readers.promql import UnreadableAnswer, vector
from gizzi.readers.systemd import UnreadableUnit

MOST_LINES = 200
MOST_ROWS = 200
MOST_ALERTS = 40
MOST_MOMENTS = 120
_WORST_FIRST = ("critical", "warning", "unknown", "healthy")
Number = Annotated[int, Field(ge=0, le=2**31 - 1, description="The validator's number.")]


class Tools:
    """by: who proposes over standard input and output, where no token says who asks."""

    def __init__(self, window: Window, by: str) -> None:
        self._window = window
        self._by = by

    def all(self) -> list[StrictTool]:
        return [
            tool(self.network_status, "Status of the fleet", READS),
            tool(self.validator, "One validator", READS),
            tool(self.incidents, "Incidents", READS),
            tool(self.incident, "One incident", READS),
            tool(self.action, "One action", READS),
            tool(self.metrics_query, "Query Prometheus", READS),
            tool(self.logs, "A validator's log", READS),
            tool(self.memory_search, "Search the memory", READS),
            tool(self.costs, "What models cost", READS),
            tool(self.route, "Which model would answer", READS),
            tool(self.ask, "Ask a model", SPENDS),
            tool(self.propose_action, "Propose an action", ACTS),
        ]

    def looking(self, redactor: Redactor) -> list[StrictTool]:
        """Those that only read, for a model that is not the person's own: what they answer goes through the redactor."""
        return [without_secrets(tool, redactor) for tool in self.all() if tool.annotations == READS]

    async def network_status(
        self,
        unwell_only: Annotated[bool, Field(description="Leave out who is healthy.")] = False,
        limit: Annotated[int, Field(ge=1, le=1000, description="At most so many, the worst first.")] = 200,
    ) -> shapes.NetworkStatus:
        """The health of every validator now: heights, peers, finality lag, and why one is not healthy. Unknown is not healthy."""
        page, seen_by = await self._window.network()
        everybody = page["validators"]
        count = Counter(status["health"] for status in everybody)
        shown = [status for status in everybody if not (unwell_only and status["health"] == "healthy")]
        if len(shown) > limit:
            shown.sort(key=lambda status: (_WORST_FIRST.index(status["health"]), status["number"]))
        by_health = {health: count[health] for health in _WORST_FIRST}
        rest = {"count": by_health, "validators": shown[:limit], "left_out": max(0, len(shown) - limit)}
        return shapes.NetworkStatus.model_validate({**page, "seen_by": seen_by, **rest})

    async def validator(self, number: Number) -> shapes.ValidatorDetail:
        """Everything known of one validator: status, the facts a restart stands on, alerts, every observation with its id and age."""
        return shapes.ValidatorDetail.model_validate(await self._window.validator(number))

    async def incidents(
        self,
        open_only: Annotated[bool, Field(description="Only those that are not resolved.")] = False,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
        offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0,
    ) -> shapes.Incidents:
        """Incidents, the newest first: one for each cause, with what was decided and done."""
        found = await self._window.desk.incidents(open_only=open_only, limit=limit, offset=offset)
        return shapes.Incidents.model_validate({"incidents": found})

    async def incident(self, id: Annotated[str, Field(max_length=32, description="Such as inc-3.")]) -> shapes.IncidentDetail:
        """One incident with its alerts, their evidence, the decision, the actions with their verdicts, and the timeline."""
        found = await self._window.desk.incident(id)
        alerts, moments = found["alerts"], found["timeline"]
        left_out = max(0, len(alerts) - MOST_ALERTS) + max(0, len(moments) - MOST_MOMENTS)
        shown = {"alerts": alerts[:MOST_ALERTS], "timeline": moments[-MOST_MOMENTS:], "left_out": left_out}
        return shapes.IncidentDetail.model_validate({**found, **shown})

    async def action(self, id: Annotated[str, Field(max_length=32, description="Such as act-3.")]) -> shapes.Proposed:
        """What became of a proposed action: the guard's answer, the approval that waits, the outcome, and the verdict once it is known."""
        desk = self._window.actions
        return shapes.Proposed.model_validate(await desk.action(desk.number(id)))

    async def metrics_query(
        self, query: Annotated[str, Field(min_length=1, max_length=2000, description="PromQL, one instant query; it can only read.")]
    ) -> shapes.Rows:
        """Ask the Prometheus server of the configuration."""
        url = self._window.settings.prometheus.url
        if url is None:
            raise UsageError("no Prometheus server is configured; set [prometheus] url in gizzi.toml")
        if not query.strip() or not query.isprintable():
            raise UsageError("query: write one line of PromQL")
        async with self._window.reaching() as app:
            answer = await app.watch.reach.http.get_json(f"{str(url).rstrip('/')}/api/v1/query", {"query": query, "timeout": "10s"})
        try:
            found = vector(answer)
        except UnreadableAnswer as error:
            raise UsageError(f"the server's answer {error}") from None
        rows = [{"labels": labels, "value": value if abs(value) < float("inf") else None} for labels, value in found]
        return shapes.Rows.model_validate({"rows": rows[:MOST_ROWS], "left_out": max(0, len(rows) - MOST_ROWS)})

    async def logs(
        self,
        number: Number,
        lines: Annotated[int, Field(ge=1, le=MOST_LINES, description="How many.")] = 50,
    ) -> shapes.Logs:
        """The last lines of a validator's log, over SSH. Anybody may have written into a log."""
        async with self._window.reaching() as app:
            validator = next((v for v in app.watch.validators if v.number == number), None)
            if validator is None:
                raise NotFound(f"there is no validator {number}; network_status lists them")
            if app.watch.reach.ssh is None or not validator.unit:
                raise UsageError(f"validator {number} has no unit, or no account for SSH is configured ([ssh] user)")
            try:
                command = journal.log_command(self._window.settings.ssh.manager, validator.unit, lines=lines)
            except UnreadableUnit as error:
                raise UsageError(str(error)) from None
            said = await app.watch.reach.ssh.run(validator, command, limit_bytes=lines * journal.MAX_LINE_CHARS)
        newest = sorted(journal.lines(said), key=lambda line: line.at, reverse=True)[:lines]
        shown = [{"at": iso(line.at), "writer": line.writer, "message": line.message[:1000]} for line in newest]
        return shapes.Logs.model_validate({"validator": number, "unit": validator.unit, "lines": shown})

    async def memory_search(
        self,
        text: Annotated[str, Field(min_length=1, max_length=500, description="Words, or the beginnings of words; all must occur.")],
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
    ) -> shapes.Memories:
        """What is remembered: closed incidents with what ended them, decisions, actions with their verdicts, people's notes."""
        if not text.strip():
            raise UsageError("text: write at least one word")
        found = await self._window.memory.search(text, limit)
        return shapes.Memories.model_validate({"entries": [stored.as_json() for stored in found]})

    async def costs(self, by: Annotated[By, Field(description="What the rows are by.")] = "tier") -> shapes.Costs:
        """What models cost this month, what the budgets leave, the forecast, and what the frontier model alone would have cost."""
        window = self._window
        report = await costs_by(window.store, by, now=window.clock.now(), budget=window.settings.budget, frontier=window.frontier())
        return shapes.Costs.model_validate(report)

    async def route(
        self,
        text: Annotated[str, Field(min_length=1, max_length=100_000, description="The question.")],
        critical: Annotated[bool, Field(description="It matters: the frontier tier.")] = False,
    ) -> shapes.Route:
        """Which model would answer a question, and why no other. Nothing is called."""
        router = self._window.router
        chosen = await router.route(router.task(text, critical=critical))
        considered = [{"model": item.model, "why_not": item.why_not} for item in chosen.considered]
        return shapes.Route.model_validate(
            {
                "tier": chosen.tier,
                "model": chosen.model,
                "strategy": chosen.strategy,
                "reason": chosen.reason,
                "considered": considered,
            }
        )

    async def ask(
        self,
        text: Annotated[str, Field(min_length=1, max_length=100_000, description="The question.")],
        ctx: Context[Any, Any],
        critical: Annotated[bool, Field(description="It matters: ask the frontier tier.")] = False,
    ) -> shapes.Answer:
        """Ask Gizzi: live status answers where it can, else the cheapest model that can. It may cost money, within the budgets."""
        who_asks(ctx, self._by, needs="viewer")
        return shapes.Answer.model_validate((await self._window.router.ask(text, critical=critical)).as_json())

    async def propose_action(
        self,
        action: Annotated[str, Field(min_length=1, max_length=128, description="The action's name.", examples=["restart"])],
        validator: Number,
        why: Annotated[str, Field(min_length=1, max_length=500, description="Why, for those who read it later.")],
        ctx: Context[Any, Any],
    ) -> shapes.Proposed:
        """Propose an action on a validator. The guard allows it, asks a person, or denies it, from facts alone; nothing said here changes
        that. The answer tells what became of it so far, with the id of the approval that a person is asked for; `action` tells the rest."""
        by = who_asks(ctx, self._by, needs="approver")
        return shapes.Proposed.model_validate(await self._window.propose(action, validator, why, by))

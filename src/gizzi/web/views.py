"""What each page shows, asked of the app."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gizzi.app import App
from gizzi.engine import told
from gizzi.engine.act import rows
from gizzi.engine.act.world import missing
from gizzi.engine.desk import incident_number
from gizzi.engine.detail import detail
from gizzi.engine.own import own_health
from gizzi.engine.remember import similar_to
from gizzi.guard.permit import budget
from gizzi.models.report import BY, By, budget_now
from gizzi.web.attention import attention
from gizzi.web.chart import Band, chart, thinned
from gizzi.web.grid import Grid
from gizzi.web.panels import panel
from gizzi.web.past import SPANS, Line, lines_of
from gizzi.web.shown import epoch, lasted

Panels = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
MOST_OPEN = 50
PAGE = 50
ORDER = ("critical", "warning", "unknown", "healthy")
WORST = {"critical": 0, "high": 1, "medium": 2, "low": 3}
MOST_REASONS = 12
TOLD_ALREADY = frozenset({"quorum", "spend"})
"""Panels of our own whose figures the overview has in its sections on chains and spend."""
Shown = dict[str, Any]


class Views:
    """panels: those of plugins and our own, as `engine.panels` gives them; None where there are none to show."""

    def __init__(self, app: App, panels: Panels | None = None) -> None:
        self._app = app
        self._panels = panels
        self._grid = Grid()

    async def overview(self) -> Shown:
        app = self._app
        statuses = app.live.statuses()
        incidents = await app.desk.incidents(open_only=True, limit=MOST_OPEN)
        approvals = await app.actions.approvals()
        latest = await app.desk.incidents(limit=1) if not incidents else []
        own = own_health(app.watch)
        known = {incident["id"] for incident in incidents}
        return {
            "now": [self._open(incident, approvals) for incident in sorted(incidents, key=_urgency(approvals))],
            "loose": [approval for approval in approvals if approval["incident"] not in known],
            "latest": latest[0] if latest else None,
            "latest_ago": lasted(latest[0]["resolved_at"] or latest[0]["opened_at"], None, self._now()) if latest else "",
            "own": own if own["status"] != "ok" else None,
            "groups": self._grid.drawn(statuses),
            "total": len(statuses),
            "healths": _healths(statuses),
            "reasons": _with_reasons(statuses),
            "soon": self._soon(),
            "chains": await self._chains(statuses),
            "spend": _spend(await budget_now(app.store, app.settings.budget, self._now())),
            "mode": app.settings.policy.mode,
            "panels": [panel(one) for one in await self._panels() if one["name"] not in TOLD_ALREADY] if self._panels else [],
        }

    async def validator(self, number: int, span: str = "2h") -> Shown:
        """span: one of SPANS."""
        app = self._app
        shown = detail(app.watch, number)
        found = [incident for incident in await app.desk.incidents(limit=200) if number in incident["validators"]]
        lines = await self._past(number, SPANS[span].span_s)
        bands = [_band(incident) for incident in found]
        charts = [chart(line.title, thinned(line.points, line.worst), bands, from_zero=line.from_zero, gap_s=line.gap_s) for line in lines]
        return {"v": shown, "charts": charts, "span": span, "spans": SPANS, "incidents": [self._brief(incident) for incident in found[:10]]}

    async def _past(self, number: int, span_s: float | None) -> list[Line]:
        """span_s: None for what is in memory, the last two hours."""
        if span_s is None:
            return lines_of(self._app.live.trend.of(number))
        return lines_of(await self._app.past.stretch(number, span_s))

    def _soon(self) -> Shown:
        """What breaks within a week: the next, and how many more."""
        soon = self._app.foresight.soon()
        return {"next": soon[0].text() if soon else "", "more": max(0, len(soon) - 1)}

    async def incidents(self, open_only: bool, page: int) -> Shown:
        found = await self._app.desk.incidents(open_only=open_only, limit=PAGE + 1, offset=page * PAGE)
        return {"incidents": [self._brief(i) for i in found[:PAGE]], "open_only": open_only, "page": page, "more": len(found) > PAGE}

    async def incident(self, name: str) -> Shown:
        app = self._app
        shown = await app.desk.incident(f"inc-{incident_number(name)}")
        approvals = await app.actions.approvals()
        alike = await similar_to(app.memory, app.store, incident_number(name))
        rules = sorted({alert["rule"] for alert in shown["alerts"]})
        thoughts = [moment for moment in shown["timeline"] if moment["kind"] == "thought"]
        return {**self._open(shown, approvals), "alike": alike, "rules": rules, "thoughts": thoughts}

    async def costs(self, by: By) -> Shown:
        app = self._app
        report = await told.costs(app.settings, app.router, app.store, app.clock, by)
        models = await asyncio.to_thread(app.router.rows)
        return {"report": report, "spend": _spend(report["budget"]), "by": by, "ways": BY, "models": models}

    async def roles(self) -> Shown:
        return {"roles": await told.roles(self._app.settings, self._app.memory, self._app.store)}

    async def memory(self, search: str, page: int, check: bool) -> Shown:
        memory = self._app.memory
        if search:
            found = (await memory.search(search[:500], min(10_000, (page + 1) * PAGE + 1)))[page * PAGE :]
        else:
            found = await memory.latest(PAGE + 1, page * PAGE)
        checked = await memory.verify() if check else None
        entries = [stored.as_json() for stored in found[:PAGE]]
        return {"entries": entries, "search": search, "page": page, "more": len(found) > PAGE, "checked": checked}

    def _now(self) -> float:
        return self._app.clock.now()

    def _brief(self, incident: Mapping[str, Any]) -> Shown:
        return {"incident": incident, "lasted": lasted(incident["opened_at"], incident["resolved_at"], self._now())}

    def _open(self, incident: Mapping[str, Any], approvals: Sequence[Mapping[str, Any]]) -> Shown:
        return {**self._brief(incident), "attention": attention(incident, approvals)}

    async def _chains(self, statuses: Sequence[Mapping[str, Any]]) -> list[Shown]:
        """Health, quorum, and how many restarts the policy leaves."""
        app = self._app
        under_way = {row["validator"] for row in await app.store.run(rows.under_way)}
        found = []
        for chain in app.watch.chains:
            own = [status for status in statuses if status["chain"] == chain]
            view = app.watch.fleet.chain_view(chain, self._now())
            gone = set(missing(view))
            away = len(gone | (under_way & {status["number"] for status in own}))
            left = None if view.authorities is None else max(0, budget(view.authorities, app.settings.policy.reserve) - away)
            found.append(
                {
                    "id": chain,
                    "healths": _healths(own),
                    "authorities": view.authorities,
                    "missing": len(gone),
                    "can_lose": view.can_lose,
                    "restarts_left": left,
                    "height": view.median_height,
                }
            )
        return found


def _urgency(approvals: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], Any]:
    """Who waits for a person first, then the worst, then the oldest."""
    asked = {approval["incident"] for approval in approvals}
    return lambda incident: (incident["id"] not in asked, WORST[incident["severity"]], incident["opened_at"])


def _healths(statuses: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    counted = Counter(status["health"] for status in statuses)
    return [(word, counted[word]) for word in ORDER if counted[word]]


def _with_reasons(statuses: Sequence[Mapping[str, Any]]) -> Shown:
    ill = sorted((s for s in statuses if s["health"] != "healthy"), key=lambda s: (ORDER.index(s["health"]), s["number"]))
    return {"shown": ill[:MOST_REASONS], "more": max(0, len(ill) - MOST_REASONS)}


def _spend(left: Mapping[str, Any]) -> list[Shown]:
    found = []
    for name, key in (("today", "day"), ("this month", "month")):
        of = float(left[f"{key}_usd"])
        spent = max(0.0, of - float(left[f"{key}_left_usd"]))
        found.append({"name": name, "spent": spent, "of": of, "share": min(100, round(100 * spent / of)) if of else 0})
    return found


def _band(incident: Mapping[str, Any]) -> Band:
    return Band(incident["id"], epoch(incident["opened_at"]), epoch(incident["resolved_at"]) if incident["resolved_at"] else None)

"""`gizzi demo`: a simulated fleet on loopback, watched live by the real loop, while things go wrong as the story says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from gizzi.alerts.correlate import Change
from gizzi.app import App, open_app
from gizzi.cli.demo_screen import Line, Plain, Screen, Teller
from gizzi.cli.terminal import is_terminal, print_json
from gizzi.clock import LiveClock, duration_text
from gizzi.config import Settings, from_environment
from gizzi.daemon import run_daemon
from gizzi.engine.act.response import News
from gizzi.errors import ConfigError
from gizzi.memory.entry import Entry
from gizzi.reach import Reach
from gizzi.reach.http import HttpClient
from gizzi.reach.node import HttpNode
from gizzi.sim.fleet import SimFleet
from gizzi.sim.oracle import Oracle
from gizzi.sim.server import SimServer
from gizzi.sim.story import AUTHORITIES, BLOCK_TIME_S, SHORTENED_TEXT, VERDICT_DUE_S, Beat, demo_settings, story
from gizzi.sim.ways import FleetSsh

USUAL_PORT = 8080
NEWS_KINDS = {"waiting": "waiting", "asked": "asked", "acting": "acting", "acted": "acted", "verdict": "verdict", "not_done": "not done"}
"""What is told of an action, and under which word."""


def run_demo(*, validators: int, for_s: float, port: int, headless: bool, keep: bool, as_json: bool, config: Path | None) -> int:
    """Exit code 0 where the story went as told, as far as it got in that time."""
    teller: Teller = Screen(for_s) if is_terminal() and not headless and not as_json else Plain()
    with tempfile.TemporaryDirectory(prefix="gizzi-demo-") as folder, teller:
        base = from_environment()
        if "store" not in base.model_fields_set:
            base = Settings.model_validate({"store": {"url": f"sqlite:///{folder}/demo.db"}})
        demo = Demo(validators, for_s, port, teller)
        asyncio.run(demo.run(base, keep=keep))
    if as_json:
        print_json(demo.result())
    else:
        teller.summary(demo.result(), demo.failures)
    return 1 if demo.failures else 0


@dataclass
class Demo:
    validators: int
    for_s: float
    port: int
    teller: Teller
    url: str = ""
    incidents: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _beats_done: list[Beat] = field(default_factory=list)
    _started_at: float = 0.0

    async def run(self, base: Settings, *, keep: bool) -> None:
        self.teller.progress("starting a simulated fleet on loopback ...")
        authorities = max(self.validators, AUTHORITIES)
        fleet = SimFleet(LiveClock(), validators=self.validators, authorities=authorities, block_time_s=BLOCK_TIME_S)
        async with SimServer(fleet) as server, _pages() as (node, http):
            chains = tuple(fleet.settings_chains())
            settings = demo_settings(base, {"validators": tuple(server.validators()), "chains": chains})
            oracle = Oracle(fleet, settings.policy, FleetSsh(fleet))
            reach = Reach(node, oracle, http)
            async with open_app(settings, reach=reach) as app:
                app.watch.on_change.append(lambda change: self._heard(change, fleet))
                app.response.on_news.append(partial(self._heard_news, fleet))
                daemon = await self._start(app)
                try:
                    await self._play(app, fleet, daemon)
                    self.incidents = await app.desk.incidents(limit=1000)
                    self.actions = await app.door.shown()
                    self.violations = oracle.violations(self.actions)
                    self._judge()
                    if keep:
                        self.teller.tell(Line("note", 0.0, f"The story is over; it goes on at {self.url} until Ctrl-C."))
                        await daemon
                finally:
                    daemon.cancel()
                    with suppress(asyncio.CancelledError):
                        await daemon

    def result(self) -> dict[str, Any]:
        return {
            "validators": self.validators,
            "api": self.url,
            "incidents": self.incidents,
            "actions": self.actions,
            "cost_usd": str(sum((Decimal(incident["cost_usd"]) for incident in self.incidents), Decimal(0))),
            "violations": self.violations,
        }

    async def _start(self, app: App) -> asyncio.Task[None]:
        """Loop and API; on the usual port if it is free, else on any. Returns once the API answers."""
        ports = [self.port, 0] if self.port == USUAL_PORT else [self.port]
        for port in ports:
            listening = asyncio.Event()
            daemon = asyncio.create_task(run_daemon(app, f"127.0.0.1:{port}", partial(self._listens, listening)))
            await asyncio.wait({daemon, asyncio.create_task(listening.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if not daemon.done():
                return daemon
            error = daemon.exception()
            if not isinstance(error, ConfigError) or port == ports[-1]:
                raise error or ConfigError("the demo ended before it began")
        raise ConfigError("no port for the demo's API")

    def _listens(self, ready: asyncio.Event, url: str) -> None:
        self.url = url
        ready.set()

    async def _play(self, app: App, fleet: SimFleet, daemon: asyncio.Task[None]) -> None:
        clock, started_at = LiveClock(), fleet.start_at
        self._started_at = started_at
        self.teller.tell(Line("note", 0.0, SHORTENED_TEXT))
        self.teller.tell(Line("note", 0.0, f"Meanwhile {self.url}/api/network/status answers."))
        beats = list(story(self.validators))
        while (elapsed_s := clock.now() - started_at) < self.for_s:
            if daemon.done():
                daemon.result()
            if beats and elapsed_s >= beats[0].at_s:
                beat = beats.pop(0)
                beat.happen(fleet, fleet.clock.now() - fleet.start_at)
                self._beats_done.append(beat)
                if beat.note is not None:
                    await app.memory.add(Entry(clock.now(), "operator", "note", beat.note, validators=beat.validators))
                self.teller.tell(Line("fault", elapsed_s, beat.text))
            self.teller.refresh(elapsed_s, app.watch.statuses(), await app.desk.incidents())
            await clock.sleep(0.25)

    def _heard(self, change: Change, fleet: SimFleet) -> None:
        elapsed_s = change.at - fleet.start_at
        incident = change.incident
        name = f"inc-{incident.id}"
        if change.kind in ("opened", "reopened"):
            self.teller.tell(Line(change.kind, elapsed_s, f"{name}  {incident.severity}  {incident.summary}"))
        elif change.kind == "resolved":
            self.teller.tell(Line("resolved", elapsed_s, f"{name}  is over after {duration_text(change.at - incident.opened_at)}"))
        elif change.kind == "decided" and incident.decision is not None:
            cited = "; ".join(f"{observation}: {quote}" for observation, quote in incident.decision.evidence[:2])
            self.teller.tell(Line("decided", elapsed_s, f"{name}  {incident.decision.action}: {incident.decision.reasoning} ({cited})"))

    async def _heard_news(self, fleet: SimFleet, news: News) -> None:
        kind = NEWS_KINDS.get(news.kind)
        if kind is not None:
            where = f"{news.action['incident']}  " if news.action["incident"] else ""
            self.teller.tell(Line(kind, news.at - fleet.start_at, f"{where}{news.text}"))

    def _judge(self) -> None:
        opened = {incident["rule"]: seconds_between(self._started_at, incident["opened_at"]) for incident in self.incidents}
        for beat in self._beats_done:
            if beat.rule is not None and beat.due_s <= self.for_s and opened.get(beat.rule, beat.due_s + 1) > beat.due_s:
                self.failures.append(f"no incident {beat.rule} was opened by second {beat.due_s:.0f}")
        if self.for_s >= VERDICT_DUE_S and not any(action["verdict"] == "resolved" for action in self.actions):
            self.failures.append(f"no restart had helped by second {VERDICT_DUE_S:.0f}")
        self.failures += [f"what must never be done was done: {violation}" for violation in self.violations]
        told = {beat.rule for beat in self._beats_done}
        self.failures += [f"an incident {rule} was opened that is not in the story" for rule in opened if rule not in told]


def seconds_between(started_at: float, at: str) -> float:
    return datetime.fromisoformat(at).timestamp() - started_at


@asynccontextmanager
async def _pages() -> AsyncIterator[tuple[HttpNode, HttpClient]]:
    """Pages and RPC over real HTTP on loopback."""
    node, http = HttpNode(), HttpClient(timeout_s=10)
    try:
        yield node, http
    finally:
        await node.close()
        await http.close()

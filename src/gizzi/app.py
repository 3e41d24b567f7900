"""Wires everything: settings, registry, store, reach and the loop. Faces and tests embed it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

from gizzi import registry as registries
from gizzi.clock import Clock, LiveClock, iso
from gizzi.config import Settings, Validator, state_folder
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.act.door import Door
from gizzi.engine.act.responder import Responder
from gizzi.engine.act.response import ENDS, News, Response
from gizzi.engine.act.stored_world import StoredWorld, write_down
from gizzi.engine.act.world import WatchWorld
from gizzi.engine.decide.decider import Decider
from gizzi.engine.decide.mind import Mind
from gizzi.engine.decide.router_mind import RouterMind
from gizzi.engine.desk import Desk
from gizzi.engine.discover import discover
from gizzi.engine.durable import Runs
from gizzi.engine.durable.dbos_runs import DbosRuns
from gizzi.engine.durable.memory_runs import MemoryRuns
from gizzi.engine.foresight.foresight import Foresight
from gizzi.engine.handover import HandOver
from gizzi.engine.known import Known, known, with_known
from gizzi.engine.limits import raise_open_files
from gizzi.engine.live import Live
from gizzi.engine.panels import Panels
from gizzi.engine.past.past import Past
from gizzi.engine.remember import Remembering, search, similar
from gizzi.engine.roles.runner import RoleRunner
from gizzi.engine.roles.scene import Scene
from gizzi.engine.roles.schedule import run_scheduled
from gizzi.engine.telemetry import Telemetry, telemetry_of
from gizzi.engine.tell.alive import ping_while_well
from gizzi.engine.tell.channels import channels_of
from gizzi.engine.tell.teller import Teller
from gizzi.engine.thinking import Thinking
from gizzi.engine.watch import Watch
from gizzi.engine.watcher.watcher import Watcher
from gizzi.engine.workflows.runner import WorkflowRunner
from gizzi.errors import ConfigError, GizziError, SourceError, StoreError, StoreTaken, UsageError
from gizzi.memory.keys import keys_of
from gizzi.memory.memory import Memory
from gizzi.models.door import Purse
from gizzi.models.ledger import Ledger
from gizzi.models.router import Router
from gizzi.reach import Reach
from gizzi.reach.http import HttpClient
from gizzi.reach.node import HttpNode
from gizzi.reach.patience import PatientNode
from gizzi.reach.ssh import SshRunner
from gizzi.roles.load import ON_CALL, WATCHER, load_roles, role_named, with_budgets
from gizzi.store import Store, open_store

RENEW_LEASE_S = 5.0
HTTP_TIMEOUT_S = 10.0
"""A Prometheus server answers for the whole fleet at once: 1,000 validators take it 1.7 s."""


class App:
    """One wired Gizzi. `watch` is its loop, `responder` carries out what is decided, `teller` tells people.

    Nothing runs until `run`, `work` or `look`.
    """

    def __init__(self, settings: Settings, watch: Watch, store: Store, mind: Mind | None, runs: Runs) -> None:
        self.settings = settings
        self.watch = watch
        self.store = store
        self.registry = watch.registry
        self.clock = watch.clock
        self.desk = Desk(store, watch.clock)
        channels = channels_of(settings, watch.registry, watch.reach.http, threads=watch.live)
        self.teller = Teller(
            settings,
            store,
            watch.clock,
            channels,
            mutes=lambda: watch.mutes,
            store_trouble=lambda: watch.books.trouble,
            live=watch.live,
        )
        watch.on_change.append(self.teller.heard)
        self.telemetry: Telemetry | None = None
        self._roles = load_roles(settings)
        budgeted = with_budgets(settings, self._roles)
        self.router = Router(budgeted, statuses=self._statuses, clock=watch.clock, store=store, registry=watch.registry, purse=self._purse)
        """The one way to a model, on what is watched here. It loads nothing until it is asked."""
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        fleet = settings.model_copy(update={"validators": tuple(watch.validators)})
        """With those that a Prometheus server named."""
        self.door = Door(fleet, store, self.clock, self.registry, watch.reach, WatchWorld(watch), self._holder)
        self.actions = ActionDesk(store, self.clock)
        self.live = Live(watch)
        self.past = Past(watch)
        self.foresight = Foresight(watch)
        self.response = Response(self.door)
        self.responder = Responder(self.response, runs, looks_for_wishes=watch.live)
        self.workflows = WorkflowRunner(settings, self.registry, self.response, runs, watch.reach.http, self.teller.say, live=watch.live)
        self.memory = Memory(store, self.clock, keys_of(store.shown_url, state_folder()))
        self.panels = Panels(watch, self.desk, self.actions, self.memory)
        self.remembering = Remembering(self.memory, store, self.clock)
        self.roles = self._role_runner()
        watch.on_change += [self.responder.hear, self.remembering.hear]
        self.response.on_news += [self.remembering.hear_news, self._tell_people, self.live.hear_news]
        self.handover: HandOver | None = None
        if watch.live:
            rules = {rule.name: rule for rule in self.registry.rules}
            self.handover = HandOver(settings, rules, store, self.clock, self.teller.say)
            watch.on_change.append(self.handover.hear)
            self.response.on_news.append(self.handover.hear_news)
        thinker = mind or RouterMind(self.router)
        self.watcher = Watcher(watch, role_named(self._roles, WATCHER), thinker)
        if mind is not None or watch.live:
            watch.thinking = Thinking(self._decider(thinker))

    def _role_runner(self) -> RoleRunner:
        def scene_of(validators: Sequence[Validator], options: Mapping[str, str]) -> Scene:
            watch = self.watch
            return Scene(self.settings, validators, watch.fleet, watch.reach, self.store, self.clock, self.memory, options)

        router = self.router if self.watch.live else None
        return RoleRunner(self.registry, self._roles, scene_of, self.watch.validators, router, self.memory)

    async def _tell_people(self, news: News) -> None:
        """What an action needs of people, and how it ended."""
        if news.approval is not None:
            await self.teller.approval_asked({**news.action, **news.approval})
        elif news.kind in (*ENDS, "acting"):
            for approval in await self.actions.of_action(news.action["id"]):
                await self.teller.approval_ended(approval)
            if news.kind != "acting" and (news.action["outcome"] is not None or news.needs_person):
                await self.teller.action_done({**news.action, "text": news.text})

    def _decider(self, mind: Mind) -> Decider:
        role = role_named(self._roles, ON_CALL)
        return Decider(self.watch, role, mind, partial(similar, self.memory), partial(search, self.memory))

    async def claim(self) -> None:
        """Become the only loop on this store. Raises StoreTaken."""
        await self.store.take_lease(self._holder, self.clock.now(), process_is_gone)

    async def say_api(self, url: str) -> None:
        """Let other processes on this store find the API. Call it once `claim` has succeeded."""
        await self.store.say_api(self._holder, url)

    async def run(self) -> None:
        """Watch until cancelled, as the only loop on this store."""
        await self.claim()
        self._trace()
        try:
            with _first_failure():
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._renew())
                    group.create_task(self.work())
                    group.create_task(self.teller.run())
                    group.create_task(self.live.keep())
                    group.create_task(ping_while_well(self.watch, self.settings.notify))
        finally:
            with suppress(GizziError):
                await self.store.drop_lease(self._holder)
            if self.telemetry is not None:
                await self.telemetry.close()

    async def help_out(self) -> None:
        """Carry out runs that the watching process starts, until cancelled. Raises UsageError where no other process can take them up."""
        if not self.responder.runs.is_shared:
            why = "an SQLite store is for one process, and `gizzi watch` carries out its runs itself"
            raise UsageError(f"workers need PostgreSQL, and [store] url is {self.store.shown_url}: {why}")
        self.door.world = StoredWorld(self.store, self.clock, self.settings.collect.every_s)
        with _first_failure():
            async with asyncio.TaskGroup() as group:
                group.create_task(self.responder.help_out())
                group.create_task(self.remembering.keep())

    async def see_to(self, wish: int) -> None:
        """Watch as the only loop on this store, and carry out one wish to its end, if the guard lets it; nothing else is begun.

        Raises StoreTaken.
        """
        await self.claim()
        self.watch.thinking = None
        try:
            with _first_failure():
                async with asyncio.TaskGroup() as group:
                    beside = [group.create_task(one) for one in (self._renew(), self.watch.run(), self.remembering.keep())]
                    await self.responder.see_to(wish)
                    for task in beside:
                        task.cancel()
        finally:
            with suppress(GizziError):
                await self.store.drop_lease(self._holder)

    def _trace(self) -> None:
        """Raises ConfigError where traces are wanted and their library is missing."""
        self.telemetry = telemetry_of(self.settings, self.clock)
        if self.telemetry is not None:
            self.watch.on_change.append(self.telemetry.hear)
            self.response.on_news.append(self.telemetry.hear_news)

    def _purse(self, ledger: Ledger) -> Purse:
        return ledger if self.telemetry is None else self.telemetry.purse(ledger)

    async def work(self) -> None:
        """Watch and respond until cancelled, without asking who else does."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run())
            group.create_task(self.responder.keep())
            group.create_task(self.remembering.keep())
            group.create_task(self.past.keep())
            group.create_task(self.foresight.keep())
            if self.watch.live:
                group.create_task(run_scheduled(self.roles, self.store, self.clock, self.watcher.look))
                group.create_task(self.watcher.keep())
            group.create_task(self.workflows.keep(self.responder.is_open))
            if self.handover is not None:
                group.create_task(self.handover.keep())
            if self.responder.runs.is_shared:
                group.create_task(write_down(self.door.world, self.store, self.clock, self.settings.collect.every_s, self._numbers()))

    def _numbers(self) -> list[int]:
        return [validator.number for validator in self.watch.validators]

    async def look(self) -> list[dict[str, Any]]:
        """One look at the whole fleet: every source asked once, what failed once more. Use with `open_app(at_once=True)`."""
        await self.watch.collector.once()
        await self.watch.step()
        return self.watch.statuses()

    async def read(self, name: str, number: int) -> str:
        """What an action that changes nothing has to say of a validator. Raises NotFound, UsageError, SourceError."""
        action = self.registry.actions[name]
        if action.writes or action.needs():
            raise UsageError(f"the action {name} is not one that only looks, or needs more than a validator")
        given = {"validator": self.door.settings.validator(number), "ssh": self.watch.reach.ssh, "settings": self.settings}
        try:
            async with asyncio.timeout(action.longest_s):
                return await action.carry_out(given) or "done"
        except TimeoutError:
            raise SourceError("timeout", f"the action {name} of validator {number} did not end in {action.longest_s:.0f} s") from None

    async def _statuses(self) -> list[dict[str, Any]]:
        return self.watch.statuses()

    async def _renew(self) -> None:
        while True:
            await self.clock.sleep(RENEW_LEASE_S)
            try:
                await self.claim()
                self.watch.books.works()
            except StoreTaken:
                raise
            except StoreError as error:  # it is renewed once the store can be written again, if nobody has taken it by then
                self.watch.books.failed(error)


@contextmanager
def _first_failure() -> Iterator[None]:
    """Of several tasks that failed together, the first GizziError alone, however deep; anything else as it is."""
    try:
        yield
    except BaseExceptionGroup as failures:
        known: Any = failures.subgroup(GizziError)
        while isinstance(known, BaseExceptionGroup):
            known = known.exceptions[0]
        raise (known or failures) from None


def process_is_gone(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    reach: Reach | None = None,
    store: Store | None = None,
    live: bool = True,
    at_once: bool = False,
    lasting: bool = True,
    helping: bool = False,
    mind: Mind | None = None,
) -> AsyncIterator[App]:
    """Open the store, load extensions, reach out, discover validators where only a Prometheus server is named. Raises GizziError.

    live: False in simulated time, where nothing runs in threads and nobody else writes to the store. at_once: rules fire without their
    hold, for a single look. lasting: False where runs need not outlive this process. helping: it works for others, under its own name.
    mind: who thinks; the configured models by default.
    """
    clock = clock or LiveClock()
    registry = registries.load(settings)
    if at_once:
        for rule in list(registry.rules):
            registry.rules.replace(dataclasses.replace(rule, hold_s=0.0))
    own_store = store is None
    store = store or open_store(settings.store.url)
    async with _reaching(settings, reach) as reached:
        try:
            validators = await _validators(settings, reached)
            watch = Watch(settings, registry, validators, reached, clock, store, live=live)
            app = App(settings, watch, store, mind, _runs(settings, clock, store, lasting=live and lasting, helping=helping))
            try:
                yield app
            finally:
                await app.panels.close()
                await app.router.close()
        finally:
            if own_store:
                store.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """status: the network's, as every face shows it. known: what a daemon and its store add."""

    status: dict[str, Any]
    known: Known


async def look_once(settings: Settings) -> Look:
    """Ask every validator now, and the store what a daemon has seen over time. Raises GizziError."""
    async with open_app(settings, store=open_store("sqlite://"), at_once=True, lasting=False) as app:
        statuses = await app.look()
        seen = {alert.key for alert in app.watch.book.alerts.values()}
        found = await known(settings.store.url, app.clock)
        validators = with_known(statuses, found.alerts, seen)
        return Look({"network": settings.network.name, "at": iso(app.clock.now()), "validators": validators}, found)


def _runs(settings: Settings, clock: Clock, store: Store, *, lasting: bool, helping: bool) -> Runs:
    """Kept by DBOS; in memory where nothing outlives the process anyway."""
    keep = lasting and settings.store.url not in ("sqlite://", "sqlite:///:memory:")
    name = f"{socket.gethostname()}:{os.getpid()}" if helping else socket.gethostname()
    return DbosRuns(store, clock, settings.store.url, name) if keep else MemoryRuns(clock)


@asynccontextmanager
async def _reaching(settings: Settings, reach: Reach | None) -> AsyncIterator[Reach]:
    """What was given, or connections of our own, closed at the end. Nodes always under time-outs."""
    if reach is not None:
        yield Reach(PatientNode(reach.node, settings.collect.timeout_s), reach.ssh, reach.http)
        return
    raise_open_files()
    node, http = HttpNode(), HttpClient(timeout_s=max(HTTP_TIMEOUT_S, settings.collect.timeout_s))
    ssh = SshRunner(settings.ssh) if settings.ssh.user else None
    try:
        yield Reach(PatientNode(node, settings.collect.timeout_s), ssh, http)
    finally:
        await node.close()
        await http.close()
        if ssh is not None:
            await ssh.close()


async def _validators(settings: Settings, reach: Reach) -> Sequence[Validator]:
    if settings.validators:
        return settings.validators
    if settings.prometheus.url is None:
        raise ConfigError("no validators are configured; write gizzi.toml with `gizzi init`")
    return await discover(settings, reach.http)

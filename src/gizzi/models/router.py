"""`Router`: the one way to ask a model, from Python and from every face.

router = Router()                                   # reads gizzi.toml where there is one
answer = await router.ask("Is validator 6 healthy?")
result = router.query("Is validator 6 healthy?")    # for scripts
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from gizzi import registry as registries
from gizzi.clock import Clock, LiveClock, iso
from gizzi.config import Settings, load
from gizzi.errors import StoreError
from gizzi.kinds import Strategy
from gizzi.models import prompts
from gizzi.models.breaker import Breakers
from gizzi.models.budget import BudgetLeft
from gizzi.models.cache import AnswerCache
from gizzi.models.catalogue import Catalogue
from gizzi.models.door import Call, Door, NoAnswer, Purse, Reply, call_of
from gizzi.models.doubts import doubt_of
from gizzi.models.ledger import Ledger
from gizzi.models.live import daemon_statuses
from gizzi.models.live_check import checked, note_on
from gizzi.models.merge import catalogue_of
from gizzi.models.model import Provider
from gizzi.models.outcomes import Outcomes
from gizzi.models.plans import carry_out
from gizzi.models.presence import Presence, is_away, nobody
from gizzi.models.providers import Providers, preload
from gizzi.models.redact import Redactor
from gizzi.models.reflex_answers import answer as reflex_answer
from gizzi.models.reflex_answers import understand
from gizzi.models.restored import restored
from gizzi.models.route import choose, strategies_of
from gizzi.models.scripts import run_anywhere
from gizzi.models.secrets import word_list
from gizzi.models.task import Answer, Considered, Route, Task, Usage
from gizzi.store import Store, open_store

Statuses = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
REFLEX = "gizzi/reflex"
OUTPUT_TOKENS = 2000
FRESH_S = 1.0
_WRITES = re.compile(
    r"\b(re)?(start|boot|stop)|\b(upgrade|rotate|purge|roll ?back|chill|unbond|delete|deploy|apply|vote|kill)", re.IGNORECASE
)
"""Words of what changes something: an answer about that is never an old one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a router works with once it is first asked."""

    catalogue: Catalogue
    strategies: tuple[Strategy, ...]
    store: Store
    ledger: Ledger
    cache: AnswerCache
    outcomes: Outcomes
    door: Door


class Router:
    """statuses: gives live status for questions that need no model; by default a daemon on this machine is asked. clock, dice, store,
    registry: for tests and for a daemon, which shares its own. purse: what is put before the ledger. `async with` it, or `close` it."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        config: Path | str | None = None,
        statuses: Statuses | None = None,
        clock: Clock | None = None,
        dice: Random | None = None,
        store: Store | None = None,
        registry: registries.Registry | None = None,
        purse: Callable[[Ledger], Purse] | None = None,
    ) -> None:
        self.settings = settings if settings is not None else load(config)
        self.breakers = Breakers()
        self._clock = clock or LiveClock()
        self._statuses = statuses or partial(daemon_statuses, self.settings)
        self._dice = dice
        self._given_store = store
        self._registry = registry
        self._purse = purse
        self._opened: Opened | None = None
        self._warm: Opened | None = None
        self._warming = asyncio.Lock()
        self._presence = Presence()
        self._left: tuple[float, BudgetLeft] | None = None

    async def ask(
        self,
        text: str,
        *,
        critical: bool = False,
        model: str | None = None,
        role: str | None = None,
        private: bool = False,
        kind: str | None = None,
        limit_s: float = 120.0,
    ) -> Answer:
        """Raises UsageError (an empty question, an unknown model), or GizziError where nothing could answer: one line, with what to do."""
        began = time.perf_counter()
        more = {"critical": critical, "model": model, "role": role, "private": private, "kind": kind, "limit_s": limit_s}
        task = self.task(text, decides_write=critical, several_calls=True, **more)
        asked = understand(task.text)
        statuses: Sequence[Mapping[str, Any]] = await self._statuses() if asked or prompts.about_fleet(task.text) else ()
        said = reflex_answer(asked, statuses) if asked else None
        if said is not None and not critical and model is None:
            return _by_reflex(said, began, "live status answers it, without a model")
        route = await self.route(task)
        fresh = critical or route.plan == "consensus" or _WRITES.search(text) is not None
        kept = None if fresh else await self._kept(task, route, statuses, began)
        if kept is not None:
            return kept
        try:
            answer = await self._carried_out(task, route, statuses) if route.models else None
        except NoAnswer as failure:
            if said is None:
                noted = f" ({route.reason})" if ";" in route.reason else ""  # a route that had to leave its tier says why
                raise nobody(f"{failure}{noted}", all(is_away(text) for text in failure.failures.values())) from None
            return _by_reflex(said, began, f"live status answers it, for {failure}")
        if answer is None:
            if said is None:
                raise nobody(route.reason, True)
            return _by_reflex(said, began, f"live status answers it; {route.reason}", route.considered)
        answer, is_wrong = checked(answer, task.text, statuses)
        if not fresh and not is_wrong:
            with suppress(StoreError):  # it is paid for: better given once than lost
                await self._open().cache.put(task, answer.tier if route.plan == "one" else route.tier, _version(statuses), answer)
        known = answer.model in self.catalogue.models
        return replace(answer, id=self.outcomes.note(task, answer.model, answer.response) if known else None)

    async def _carried_out(self, task: Task, route: Route, statuses: Sequence[Mapping[str, Any]]) -> Answer:
        """Each call of the route's plan, through the door."""
        await self.ready(route.models)

        async def ask(task: Task, route: Route, *, vote: bool = False) -> Answer:
            call = self.call_for(task, statuses, prompts.instructions(vote=vote))
            return answer_of(await self._door().call(task, route, call), call)

        best = self.catalogue.models[route.steps[-1] if route.steps else route.models[0]]
        doubt = partial(doubt_of, self.settings, self.outcomes, task, statuses, best)
        return await carry_out(task, route, self.catalogue, ask, doubt)

    async def feedback(self, answer_id: str, good: bool) -> str:
        """A person's word on an answer, by its id; returns the model. The learned router is trained from it. Raises NotFound."""
        return await self.outcomes.judge(answer_id, good)

    async def by_reflex(self, text: str) -> Answer | None:
        """The answer that live status gives without a model and at no cost; None where it gives none."""
        began = time.perf_counter()
        asked = understand(text)
        said = reflex_answer(asked, await self._statuses()) if asked else None
        return None if said is None else _by_reflex(said, began, "live status answers it, without a model")

    async def ready(self, names: Sequence[str]) -> None:
        """`warm`, unless it shows before anything is loaded that nobody would answer for any of these models. Raises NoAnswer then."""
        missed = {} if self._warm is not None else await self._presence.unserved(self.catalogue, names)
        if missed and len(missed) == len(names):
            raise NoAnswer(f"no model answered: {'; '.join(missed.values())}", missed)
        await self.warm()

    async def warm(self) -> None:
        """Load what a first call would load, once and beside the running loop: a daemon must not stand still for it."""
        if self._warm is not None and self._warm is self._opened:
            return
        async with self._warming:
            opened = await asyncio.to_thread(self._open)
            reach = self._reachable(opened)
            apis = {opened.catalogue.providers[model.provider].api for model in opened.catalogue.models.values() if reach(model) is None}
            await asyncio.to_thread(preload, apis)
            self._warm = opened

    def rows(self) -> list[dict[str, Any]]:
        """The catalogue as every face shows it."""
        opened = self._open()
        return opened.catalogue.as_json(self._reachable(opened), datetime.fromtimestamp(self._clock.now(), UTC).date())

    def query(self, text: str, *, critical: bool = False, model: str | None = None, role: str | None = None) -> dict[str, Any]:
        """For scripts: asks, waits, and returns {"model", "response", "cost", "time", "tokens": {"input", "output"}}.

        cost: US$; None where the model's price is not known. time: seconds. Works inside a running event loop too, which it blocks.
        """

        async def whole() -> Answer:
            try:
                return await self.ask(text, critical=critical, model=model, role=role)
            finally:
                await self.outcomes.finish()
                await self._door().providers.close()

        found = run_anywhere(whole)
        return {
            "model": found.model,
            "response": found.response,
            "cost": None if found.cost_usd is None else float(found.cost_usd),
            "time": found.time_s,
            "tokens": {"input": found.usage.input_tokens, "output": found.usage.output_tokens},
        }

    @asynccontextmanager
    async def stream(
        self, text: str, *, critical: bool = False, model: str | None = None, role: str | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The answer in pieces as they come. What fails before the first goes to the next model; what fails after it is ModelCallFailed."""
        task = self.task(text, critical=critical, model=model, role=role, needs=frozenset({"stream"}))
        statuses = await self._statuses() if prompts.about_fleet(task.text) else ()
        route = await self.route(task)
        if not route.models:
            raise nobody(route.reason, True)
        await self.warm()
        call = self.call_for(task, statuses)
        async with self._door().stream(task, route, call) as opened:
            yield _pieces(restored(opened.stream, call.redactor), lambda said: note_on(said, task.text, statuses))

    def task(self, text: str, **more: Any) -> Task:
        """A question as a task: what is not valid text in it is replaced."""
        whole = text.encode("utf-8", "replace").decode("utf-8")
        return Task(whole, at=datetime.fromtimestamp(self._clock.now(), UTC), output_tokens=OUTPUT_TOKENS, **more)

    async def route(self, task: Task) -> Route:
        """The choice alone. Nothing is called."""
        opened = self._open()
        now = self._clock.now()
        left = await self._recently_left(opened.ledger, now)
        at = datetime.fromtimestamp(now, UTC)
        unknown = self.settings.routing.unknown_prices
        return choose(task, opened.catalogue, self._reachable(opened), left, opened.strategies, at, unknown_prices=unknown)

    @property
    def door(self) -> Door:
        return self._door()

    @property
    def outcomes(self) -> Outcomes:
        return self._open().outcomes

    @property
    def catalogue(self) -> Catalogue:
        return self._open().catalogue

    async def prompt(self, text: str, **more: Any) -> tuple[Route, list[str]]:
        """The choice, and exactly what the chosen model would be sent: its instructions and the prompt. Nothing is called."""
        task = self.task(text, several_calls=True, **more)
        statuses = await self._statuses() if prompts.about_fleet(task.text) else ()
        route = await self.route(task)
        if not route.model:
            return route, []
        call = self.call_for(task, statuses, prompts.instructions(vote=route.plan == "consensus"))
        sent: Any = self._door().as_sent(call, self.catalogue.models[route.model]).messages[0]
        return route, [str(sent.instructions), *(str(part.content) for part in sent.parts)]

    async def reachable_models(self, task: Task) -> list[str]:
        """Every model that hard rules let answer this, the cheapest tier first."""
        route = await self.route(replace(task, model=None))
        ranks = {name: place for place, name in enumerate(name for names in self.catalogue.tiers.values() for name in names)}
        return sorted(route.models, key=lambda name: ranks.get(name, 0))

    async def _kept(self, task: Task, route: Route, statuses: Sequence[Mapping[str, Any]], began: float) -> Answer | None:
        """The answer to the same question on the same facts, where one is kept; nothing was called for it."""
        hit = await self._open().cache.get(task, route.tier, _version(statuses)) if route.models else None
        if hit is None:
            return None
        reason = f"the same question was answered at {iso(hit.stored_at)}{' in other words' if hit.near else ''}"
        found = Route(hit.tier, (hit.model,), "cache", reason, route.considered)
        return Answer(hit.model, hit.tier, hit.response, Decimal(0), time.perf_counter() - began, Usage(), found, cached=True)

    async def _recently_left(self, ledger: Ledger, now: float) -> BudgetLeft:
        """What was left up to a second ago: enough to choose by, for the ledger itself decides once more when it reserves."""
        if self._left is None or not 0 <= now - self._left[0] < FRESH_S:
            self._left = (now, await ledger.left(now))
        return self._left[1]

    async def left(self) -> BudgetLeft:
        """What the budgets leave now."""
        return await self._open().ledger.left()

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        return await self._statuses()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.outcomes.finish()
            await opened.door.providers.close()
            if self._given_store is None:
                opened.store.close()

    async def __aenter__(self) -> Router:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _door(self) -> Door:
        return self._open().door

    def _open(self) -> Opened:
        if self._opened is None:
            registry = self._registry or registries.load(self.settings)
            today = datetime.fromtimestamp(self._clock.now(), UTC).date()
            catalogue = catalogue_of(self.settings, registry, today)
            store = self._given_store or open_store(self.settings.store.url)
            ledger = Ledger(store, self.settings.budget, self._clock)
            purse = self._purse(ledger) if self._purse is not None else ledger
            door = Door(
                catalogue, Providers(self._key, registry.wires, self.settings), purse, self._clock, breakers=self.breakers, dice=self._dice
            )
            cache = AnswerCache(store, self.settings.cache, self._clock)
            outcomes = Outcomes(store, self._clock)
            self._opened = Opened(catalogue, strategies_of(self.settings, registry), store, ledger, cache, outcomes, door)
        return self._opened

    def redactor(self) -> Redactor:
        """A new conversation's."""
        return Redactor(private_addresses=self.settings.privacy.redact_private_addresses, words=word_list())

    def call_for(self, task: Task, statuses: Sequence[Mapping[str, Any]], instructions: str = prompts.ABOUT) -> Call:
        return call_of(prompts.with_data(task.text, statuses), instructions, task.output_tokens, self.redactor())

    def _key(self, provider: Provider) -> Any:
        if provider.key_env is None and provider.key_file is None:
            return None
        return self.settings.secret(provider.key_env or "", provider.key_file)

    def _reachable(self, opened: Opened) -> Any:
        now = self._clock.now()
        return opened.catalogue.reachability(self.settings, lambda model: not self.breakers.is_closed(model, now))


def answer_of(reply: Reply, call: Call) -> Answer:
    """A reply as every face shows it. Models that failed before it are named in the route."""
    model = reply.bill.model
    considered = tuple(
        Considered(c.model, reply.failures.get(c.model, c.why_not if c.model != model.id else None)) for c in reply.route.considered
    )
    route = replace(reply.route, considered=considered)
    if reply.failures:
        below = f", of the {model.tier} tier" if model.tier != route.tier else ""
        route = replace(route, reason=f"{route.reason}; {'; '.join(reply.failures.values())}; so {model.id}{below}")
    usage = reply.bill.usage or Usage(estimated=True)
    said = call.redactor.restore(reply.response.text or "")
    return Answer(model.id, model.tier, said, reply.bill.cost_usd, reply.time_s, usage, route)


async def _pieces(stream: Any, note: Callable[[str], str]) -> AsyncIterator[str]:
    """What the answer says, piece by piece; then what there is to say about it."""
    said = ""
    async for event in stream:
        if event.event_kind == "part_start" and event.part.part_kind == "text":
            piece = event.part.content
        elif event.event_kind == "part_delta" and event.delta.part_delta_kind == "text":
            piece = event.delta.content_delta
        else:
            continue
        if piece:
            said += piece
            yield piece
    if told := note(said):
        yield f"\n\n{told}"


def _version(statuses: Sequence[Mapping[str, Any]]) -> str:
    """Of what an answer rests on besides its question."""
    if not statuses:
        return ""
    return hashlib.sha256(json.dumps([dict(status) for status in statuses], sort_keys=True, default=str).encode()).hexdigest()


def _by_reflex(said: str, began: float, reason: str, considered: tuple[Considered, ...] = ()) -> Answer:
    route = Route("reflex", (), "reflex", reason, considered)
    return Answer(REFLEX, "reflex", said, Decimal(0), time.perf_counter() - began, Usage(), route)

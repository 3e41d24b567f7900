"""The one door to a model: a budget is reserved, the model called, called again or another one in its place, and the ledger settled.

Whatever ends a call (an answer, a failure, a time limit, a cancellation), its reservation is settled: with what the provider counted, with
an estimate where it may have counted, or released where it surely did not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gizzi.clock import Clock
from gizzi.errors import BudgetMet, GizziError
from gizzi.models.breaker import Breakers
from gizzi.models.catalogue import Catalogue
from gizzi.models.failures import failure_of, raised_by_providers, timed_out
from gizzi.models.model import Model
from gizzi.models.outgoing import redacted
from gizzi.models.providers import Providers
from gizzi.models.redact import Redactor
from gizzi.models.retry import OUR_FAULT, Kind, ModelCallFailed, wait_s
from gizzi.models.task import Route, Task, Tier, Usage
from gizzi.models.usage import cost_of, estimated_tokens, estimated_usage, received_bytes, sent_bytes, usage_of

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters, StreamedResponse

T = TypeVar("T")
LONG_BYTES = 50_000
NOT_BILLED: frozenset[Kind] = frozenset(
    {"refused", "rate_limit", "overloaded", "unauthorised", "quota", "not_found", "too_long", "rejected"}
)


class NoAnswer(GizziError):
    """Every model of the route failed. failures: by model id."""

    def __init__(self, message: str, failures: Mapping[str, str]) -> None:
        super().__init__(message)
        self.failures = failures


class Purse(Protocol):
    """Where money is reserved and settled: the ledger."""

    async def reserve(
        self, *, model: str, tier: Tier, role: str | None, kind: str | None, estimate_usd: Decimal | None, critical: bool
    ) -> Any:
        """Raises BudgetMet, and StoreError where nothing can be written."""

    async def settle(self, reservation: Any, usage: Usage, cost_usd: Decimal | None, outcome: str) -> None: ...

    async def release(self, reservation: Any, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent, in pydantic-ai's terms. settings: its ModelSettings. redactor: of the conversation; what leaves our machines goes
    through it."""

    messages: Sequence[ModelMessage]
    parameters: ModelRequestParameters
    settings: Mapping[str, Any] = field(default_factory=dict)
    redactor: Redactor = field(default_factory=Redactor)

    def to(self, local: bool) -> Call:
        return self if local else replace(self, messages=redacted(self.messages, self.redactor))


def call_of(text: str, instructions: str, output_tokens: int, redactor: Redactor) -> Call:
    """A question alone, without tools or a form."""
    from pydantic_ai.messages import ModelRequest, UserPromptPart
    from pydantic_ai.models import ModelRequestParameters

    message = ModelRequest(parts=[UserPromptPart(text)], instructions=instructions)
    return Call([message], ModelRequestParameters(), {"max_tokens": output_tokens}, redactor)


@dataclass(slots=True)
class Bill:
    """One call to one model. usage: set once the provider has answered whole; cost_usd with it where the provider said that too.
    seen: what came of an answer that did not end. most_usd: what it can cost at most, where the model's wire sees to that."""

    model: Model
    prompt_bytes: int
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    seen: Callable[[], int] = field(default=lambda: 0)
    most_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    response: ModelResponse
    bill: Bill
    route: Route
    failures: Mapping[str, str]
    time_s: float


@dataclass(frozen=True, slots=True)
class Open:
    """An answer that streams: its first event has come, so that the model is settled upon. `stream` replays it."""

    stream: StreamedResponse
    bill: Bill
    route: Route
    failures: Mapping[str, str]


class Door:
    """dice: for jitter; seeded in tests."""

    def __init__(
        self,
        catalogue: Catalogue,
        providers: Providers,
        purse: Purse,
        clock: Clock,
        *,
        breakers: Breakers | None = None,
        dice: Random | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.providers = providers
        self.purse = purse
        self.clock = clock
        self.breakers = breakers or Breakers()
        self._dice = dice or Random()

    async def call(self, task: Task, route: Route, call: Call) -> Reply:
        """Raises NoAnswer, or what the purse raises where the ledger cannot be written."""
        began = time.perf_counter()
        failures: dict[str, str] = {}
        response, bill = await self._first_that(task, route, failures, partial(self._whole, task, call))
        return Reply(response, bill, route, failures, time.perf_counter() - began)

    @asynccontextmanager
    async def stream(self, task: Task, route: Route, call: Call) -> AsyncIterator[Open]:
        """Falls back until the first event; what fails after it raises ModelCallFailed to the reader. Raises as `call` does."""
        failures: dict[str, str] = {}
        until = _now() + task.limit_s
        async with AsyncExitStack() as stack:
            stream, bill = await self._first_that(task, route, failures, partial(self._opened, stack, until, task, call))
            yield Open(stream, bill, route, failures)

    def as_sent(self, call: Call, model: Model) -> Call:
        """Exactly what that model is sent."""
        return call.to(self.catalogue.providers[model.provider].local)

    async def _sent(self, call: Call, model: Model) -> Call:
        """`as_sent`; a long prompt is redacted beside the loop, which must not stand still for a second."""
        if sent_bytes(call.messages) < LONG_BYTES:
            return self.as_sent(call, model)
        return await asyncio.to_thread(self.as_sent, call, model)

    async def _first_that(self, task: Task, route: Route, failures: dict[str, str], once: Callable[[Model, float], Awaitable[T]]) -> T:
        """Each model of the route in turn; all but the last get half of the time that is left."""
        until = _now() + task.limit_s
        for place, name in enumerate(route.models):
            left_s = until - _now()
            if left_s <= 0:
                failures[name] = f"{name}: no time was left for it"
                continue
            share_s = left_s if place == len(route.models) - 1 else left_s / 2
            try:
                return await self._again(self.catalogue.models[name], share_s, once)
            except (ModelCallFailed, BudgetMet) as failure:
                failures[name] = str(failure)
        raise NoAnswer(f"no model answered: {'; '.join(failures.values())}", failures)

    async def _again(self, model: Model, limit_s: float, once: Callable[[Model, float], Awaitable[T]]) -> T:
        """One model, called again while that may help."""
        until, tried = _now() + limit_s, 0
        failed: ModelCallFailed | None = None
        while True:
            if not self.breakers.of(model.id).enter(self.clock.now()):
                raise failed or ModelCallFailed("overloaded", f"{model.id}: it has failed too often; it is left alone for a while")
            tried += 1
            try:
                return await once(model, until - _now())
            except ModelCallFailed as failure:
                failed = failure
                wait = wait_s(failure, tried, until - _now(), self._dice)
                if wait is None:
                    raise
                await self.clock.sleep(wait)

    async def _whole(self, task: Task, call: Call, model: Model, limit_s: float) -> tuple[ModelResponse, Bill]:
        async with self._paid(task, await self._sent(call, model), model) as (bill, reached, asked):
            try:
                async with asyncio.timeout(limit_s):
                    response = await reached.request(*_prepared(reached, asked))
            except TimeoutError:
                raise timed_out(model, limit_s) from None
            except raised_by_providers() as error:
                raise self._failure(error, model) from None
            if not response.parts:
                raise ModelCallFailed("unreadable", f"{model.id}: its answer is empty")
            bill.usage, bill.cost_usd = usage_of(response, bill.prompt_bytes), cost_of(response)
        return response, bill

    async def _opened(
        self, stack: AsyncExitStack, until: float, task: Task, call: Call, model: Model, limit_s: float
    ) -> tuple[StreamedResponse, Bill]:
        async with AsyncExitStack() as own:
            bill, reached, asked = await own.enter_async_context(self._paid(task, await self._sent(call, model), model))
            try:
                async with asyncio.timeout(limit_s):
                    stream = await own.enter_async_context(reached.request_stream(*_prepared(reached, asked)))
                    events = aiter(stream)
                    first = await anext(events, None)
            except TimeoutError:
                raise timed_out(model, limit_s) from None
            except raised_by_providers() as error:
                raise self._failure(error, model) from None
            if first is None:
                raise ModelCallFailed("unreadable", f"{model.id}: its answer is empty")
            bill.seen = lambda: received_bytes(stream.get())
            stream._event_iterator = self._events(first, events, stream, bill, until)
            stack.push_async_exit(own.pop_all())
            return stream, bill

    async def _events(self, first: Any, rest: AsyncIterator[Any], stream: StreamedResponse, bill: Bill, until: float) -> AsyncIterator[Any]:
        """The events of a stream, under the task's time limit; at its end what the provider counted."""
        yield first
        while True:
            try:
                async with asyncio.timeout(max(0.0, until - _now())):
                    event = await anext(rest)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise ModelCallFailed("timeout", f"{bill.model.id}: its answer did not end in time") from None
            except raised_by_providers() as error:
                raise self._failure(error, bill.model) from None
            yield event
        if stream.finish_reason is None:
            raise ModelCallFailed("broken_off", f"{bill.model.id}: the answer broke off in the middle")
        bill.usage = usage_of(stream.get(), bill.prompt_bytes)

    @asynccontextmanager
    async def _paid(self, task: Task, call: Call, model: Model) -> AsyncIterator[tuple[Bill, Any, Call]]:
        """Around one call: room in the budget before, the truth in the ledger and the breaker after, whatever happens."""
        breaker = self.breakers.of(model.id)
        prompt_bytes = sent_bytes(call.messages, call.parameters)
        most = Usage(estimated_tokens(prompt_bytes), int(call.settings.get("max_tokens") or task.output_tokens), estimated=True)
        failed: ModelCallFailed | None = None
        bill = Bill(model, prompt_bytes)
        reservation: Any = None
        reserved = False
        try:
            reached = self.providers.model(self.catalogue.providers[model.provider], model)
            bill.most_usd = getattr(reached, "most_usd", None)
            reservation, reserved = await self._reserve(task, bill, most), True
            yield bill, reached, call
        except ModelCallFailed as failure:
            failed = failure
            raise
        finally:
            if failed is not None and failed.kind not in OUR_FAULT:
                breaker.failed(self.clock.now(), failed.retry_after_s)
            elif bill.usage is not None:
                breaker.succeeded()
            else:
                breaker.abandoned()
            if reserved:
                await _to_its_end(self._settle(reservation, bill, failed))

    async def _reserve(self, task: Task, bill: Bill, most: Usage) -> Any:
        model = bill.model
        estimate = _price_of(bill, most)
        critical = task.critical or task.severity == "critical"
        return await self.purse.reserve(
            model=model.id, tier=model.tier, role=task.role, kind=task.kind, estimate_usd=estimate, critical=critical
        )

    async def _settle(self, reservation: Any, bill: Bill, failed: ModelCallFailed | None) -> None:
        outcome = "answered" if bill.usage is not None else failed.kind if failed is not None else "cancelled"
        if failed is not None and failed.spent is not None:
            bill.usage, bill.cost_usd = failed.spent.usage, failed.spent.cost_usd
        elif bill.usage is None and failed is not None and failed.kind in NOT_BILLED:
            await self.purse.release(reservation, failed.kind)
            return
        bill.usage = bill.usage or estimated_usage(bill.prompt_bytes, bill.seen())
        if bill.cost_usd is None:
            bill.cost_usd = _price_of(bill, bill.usage)
        await self.purse.settle(reservation, bill.usage, bill.cost_usd, outcome)

    def _failure(self, error: Exception, model: Model) -> ModelCallFailed:
        provider = self.catalogue.providers[model.provider]
        return failure_of(error, model, provider, partial(self.providers.scrub, provider))


async def _to_its_end(work: Awaitable[None]) -> None:
    """Await it even where this task is cancelled meanwhile; the cancellation comes after."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _price_of(bill: Bill, usage: Usage) -> Decimal | None:
    """What so many tokens cost, the most that they can where the wire keeps to a limit; None where nobody knows the price."""
    if bill.most_usd is not None:
        return bill.most_usd
    return None if bill.model.price is None else bill.model.price.of(usage)


def _prepared(reached: Any, call: Call) -> tuple[list[Any], dict[str, Any], Any]:
    """The history as this model's wire can say it."""
    return reached.prepare_messages(list(call.messages), call.parameters), dict(call.settings), call.parameters


def _now() -> float:
    return asyncio.get_running_loop().time()

"""Collection: every source of every validator in a task of its own, so that no slow one delays another.

Polls begin a few validators at a time. One wake-up then serves them all and finds the processor's caches warm, which halves the cost of a
poll; and few pages come in at once, however many validators there are.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from gizzi.clock import Clock, within
from gizzi.config import Settings, Validator
from gizzi.errors import ConfigError, SourceError
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected, Failure, Value
from gizzi.kinds import Source
from gizzi.reach import Reach
from gizzi.readers.text import one_line

log = structlog.get_logger("gizzi.collect")

ASK_AGAIN_S = 1.0
ASK_AGAIN_FOR_S = 30.0
"""After a failure a validator is asked every second for so long, then at the usual pace."""
GONE_S = 10.0
"""One that failed for so long was gone; when it is back, what the validator's other ways told of that time is asked for anew."""
LATE_S = 0.5
"""A poll that begins this much later than it should is late."""
BURST = 8
"""So many validators are polled at one moment: at most 4 MB of pages, which a line of 20 Mbit/s brings within the time-out."""
SIMULATED_PHASE_S = 1.0, 0.25
"""In simulated time polls begin together, every so many seconds, and between two evaluations: so there is less to evaluate."""
LATENESS_WINDOW_S = 60.0
LONGEST_TEXT = 500
SAY_AGAIN_S = 60.0
_OWN = "gizzi.sources."
_ALMOST = 1e-6
"""A turn that is nearer than this part of a period has come."""


@dataclass(slots=True)
class _Poll:
    """One source of one validator (or of the fleet). ended: set once its plain function has, which was called last."""

    source: Source
    validators: Sequence[Validator]
    every_s: float
    phase_s: float
    arguments: dict[str, Any]
    own: bool
    failing_since: float | None = None
    nap: asyncio.Future[bool] | None = None
    ended: threading.Event | None = None


class _Alarms:
    """Wakes who naps. All that are due at one moment share one timer: with hundreds of polls timers are what a loop works on."""

    def __init__(self) -> None:
        self._due: dict[float, list[asyncio.Future[bool]]] = {}

    def nap_until(self, at: float) -> asyncio.Future[bool]:
        """Ends at that time of the loop with False, unless somebody wakes it before, with True."""
        loop = asyncio.get_running_loop()
        nap: asyncio.Future[bool] = loop.create_future()
        due = self._due.get(at)
        if due is not None:
            due.append(nap)
        else:
            self._due[at] = [nap]
            loop.call_at(at, self._ring, at)
        return nap

    def _ring(self, at: float) -> None:
        for nap in self._due.pop(at):
            _wake(nap, False)


class Collector:
    """threads: whether plain functions run in threads; simulated time has none."""

    def __init__(
        self,
        sources: Sequence[Source],
        settings: Settings,
        validators: Sequence[Validator],
        reach: Reach,
        clock: Clock,
        fleet: Fleet,
        *,
        threads: bool = True,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._threads = threads
        self._inbox: list[Collected] = []
        self._late: list[tuple[float, float]] = []
        self._said: dict[str, float] = {}
        self._alarms = _Alarms()
        common = {"node": reach.node, "ssh": reach.ssh, "http": reach.http, "fleet": fleet, "clock": clock, "settings": settings}
        self.polls = [poll for source in sources for poll in _polls(source, settings, validators, common, spread=threads)]
        self._of_validator: dict[int, list[_Poll]] = {}
        for poll in self.polls:
            for validator in poll.validators if poll.source.scope == "validator" else ():
                self._of_validator.setdefault(validator.number, []).append(poll)

    def take(self) -> list[Collected]:
        """What has been collected since the last call."""
        taken, self._inbox = self._inbox, []
        return taken

    def lateness_s(self) -> float:
        """How late the latest poll of the last minute began, in seconds."""
        oldest = asyncio.get_running_loop().time() - LATENESS_WINDOW_S
        self._late = [(at, late) for at, late in self._late if at >= oldest]
        return max((late for _, late in self._late), default=0.0)

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """One endless coroutine per poll."""
        began_at = asyncio.get_running_loop().time()
        return [self._loop(poll, began_at + poll.phase_s) for poll in self.polls]

    def ask_again(self, number: int, names: Iterable[str]) -> None:
        """Ask those sources of a validator now that can give any of these observations; their usual turns stay."""
        wanted = set(names)
        for poll in self._of_validator.get(number, ()):
            if poll.nap is not None and wanted.intersection(poll.source.gives):
                _wake(poll.nap, True)

    async def once(self) -> None:
        """Ask everything once, and what failed once more after a second."""
        results = await asyncio.gather(*(self._ask(poll) for poll in self.polls))
        failed = [poll for poll, ok in zip(self.polls, results, strict=True) if not ok]
        if failed:
            await self._clock.sleep(ASK_AGAIN_S)
            await asyncio.gather(*(self._ask(poll) for poll in failed))

    async def _loop(self, poll: _Poll, first_at: float) -> None:
        time = asyncio.get_running_loop().time  # whatever happens to the machine's clock
        poll.nap = self._alarms.nap_until(first_at)
        await poll.nap
        due, now = first_at, time()
        while True:
            if now - due > LATE_S:
                self._late.append((now, now - due))
            if await self._ask(poll):
                now = time()
                self._note_recovery(poll, now)
                due = _turn_after(due, now, first_at, poll.every_s)
            else:
                now = time()
                due = self._due_after_failure(poll, _turn_after(due, now, first_at, poll.every_s), now)
            poll.nap = self._alarms.nap_until(due)
            woken = await poll.nap
            now = time()
            due = now if woken else due

    def _due_after_failure(self, poll: _Poll, usual: float, now: float) -> float:
        """When it is asked next; `usual` is when it would have been, had it answered."""
        if poll.failing_since is None:
            poll.failing_since = now
            self._poke_others(poll)
        if now - poll.failing_since >= ASK_AGAIN_FOR_S:
            return usual
        return min(usual, now + ASK_AGAIN_S) if usual > now else now + ASK_AGAIN_S

    def _note_recovery(self, poll: _Poll, now: float) -> None:
        failing_since, poll.failing_since = poll.failing_since, None
        if failing_since is not None and now - failing_since >= GONE_S:
            self._poke_others(poll)

    def _poke_others(self, changed: _Poll) -> None:
        """One way in has just failed, or is back: ask the validator's other ways soon, so that the picture is whole."""
        for validator in changed.validators if changed.source.scope == "validator" else ():
            for poll in self._of_validator[validator.number]:
                if poll is not changed and poll.nap is not None and poll.failing_since is None:
                    asyncio.get_running_loop().call_later(ASK_AGAIN_S, _wake, poll.nap, True)

    async def _ask(self, poll: _Poll) -> bool:
        """Call the source once; its answer or its failure goes to the inbox. Returns whether it answered."""
        source = poll.source
        failure: Failure | None = None
        answer: Any = {}
        try:
            call = source.collect(**poll.arguments) if source.awaits else self._call_plain(poll)
            answer = await within(max(3 * poll.every_s, 30.0), call)
        except SourceError as error:
            failure = Failure(error.kind, one_line(str(error), LONGEST_TEXT))
        except TimeoutError:
            failure = Failure("timeout", f"the source {source.name} did not end in time")
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            failure = self._fault(poll, "was cancelled from within")
        except Exception as error:
            failure = self._fault(poll, f"failed: {error!r}")
        self._file(poll, answer, failure)
        return failure is None

    def _fault(self, poll: _Poll, what: str) -> Failure:
        """A fault of the source itself: logged once a minute, whomever it befalls."""
        text = one_line(f"the source {poll.source.name} {what}", LONGEST_TEXT)
        now = self._clock.now()
        if now - self._said.get(poll.source.name, -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said[poll.source.name] = now
            log.error("source_failed", source=poll.source.name, error=text, where=poll.source.where)
        return Failure("internal", text)

    async def _call_plain(self, poll: _Poll) -> Any:
        """Call a source that is a plain function."""
        source = poll.source
        if not self._threads:
            return source.collect(**poll.arguments)
        if poll.ended is not None and not poll.ended.is_set():
            raise SourceError("timeout", f"the source {source.name} is still busy with what it was asked before")
        poll.ended, answer = in_thread(lambda: source.collect(**poll.arguments))
        return await answer

    def _file(self, poll: _Poll, answer: Any, failure: Failure | None) -> None:
        at = self._clock.now()
        source = poll.source
        fresh_for_s = 3 * poll.every_s + self._settings.collect.timeout_s
        for validator in poll.validators:
            values = answer if source.scope == "validator" else answer.get(validator.number, {}) if isinstance(answer, Mapping) else answer
            told = failure
            if type(values) is not dict and not isinstance(values, Mapping):
                told = failure or self._fault(poll, f"returned {type(values).__name__}, not a mapping")
                values = {}
            if not poll.own:
                values = self._usable(poll, values)
            self._inbox.append(Collected(validator.number, source.reports, at, values, told, fresh_for_s, source.name))

    def _usable(self, poll: _Poll, values: Mapping[Any, Any]) -> dict[str, Value]:
        """What a plugin's source gave, without what is no observation; None is one that was not seen."""
        read = {name: _as_value(value) for name, value in values.items() if isinstance(name, str)}
        usable = {name: value for name, value in read.items() if value is not None}
        if len(usable) < len(values):
            strange = [f"{name!r}: {value!r}" for name, value in values.items() if name not in usable and value is not None]
            if strange:
                self._fault(poll, f"gave what is no observation: {', '.join(strange[:3])}")
        return usable


def _as_value(value: Any) -> Value | None:
    """Texts become one line each; None for what is no value, such as NaN."""
    match value:
        case str():
            return one_line(value, LONGEST_TEXT)
        case int() | float():
            return value if -(2.0**63) < value < 2.0**63 else None
        case tuple() if len(value) <= LONGEST_TEXT and all(isinstance(item, str) for item in value):
            return tuple(one_line(item, LONGEST_TEXT) for item in value)
        case _:
            return None


def in_thread(call: Callable[[], Any]) -> tuple[threading.Event, asyncio.Future[Any]]:
    """Run a plain function in a thread of its own: one that never returns holds up no other, nor the end of the program.

    The event is set once the function has ended, also where nobody waits for its answer any more, and before anybody has the answer.
    """
    loop = asyncio.get_running_loop()
    ended = threading.Event()
    answer: asyncio.Future[Any] = loop.create_future()

    def tell(value: Any, error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = call()
        except Exception as failure:
            error = RuntimeError(repr(failure)) if isinstance(failure, StopIteration) else failure  # which a future cannot hold
        finally:
            ended.set()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=run, name="plugin", daemon=True).start()
    return ended, answer


def _turn_after(due: float, now: float, first_at: float, every_s: float) -> float:
    """When one is asked next that was due then and has answered now: at its next turn, so that those of one burst stay together; at once
    where it took a whole period.
    """
    if now - due >= every_s:
        return now
    return first_at + (math.floor((now - first_at) / every_s + _ALMOST) + 1) * every_s


def _wake(nap: asyncio.Future[bool], poked: bool) -> None:
    if not nap.done():
        nap.set_result(poked)


def _polls(source: Source, settings: Settings, validators: Sequence[Validator], common: Mapping[str, Any], *, spread: bool) -> list[_Poll]:
    """spread: over the whole period, evenly, in bursts."""
    every_s, own = source.every_s(settings), source.collect.__module__.startswith(_OWN)
    users = [validator for validator in validators if source.applies(validator, settings)]
    if source.scope == "fleet":
        arguments = _arguments(source, {**common, "validators": users, "memory": {}})
        return [_Poll(source, users, every_s, 0.0, arguments, own)] if users else []
    bursts = math.ceil(len(users) / BURST) if spread else len(users)
    phases = [index * bursts // len(users) * every_s / bursts for index in range(len(users))]
    if not spread and every_s >= 1:
        grid_s, begin_s = SIMULATED_PHASE_S
        phases = [phase_s // grid_s * grid_s + begin_s for phase_s in phases]
    offset_s = every_s / 2 if source.reports != source.name else 0.0
    return [
        _Poll(
            source,
            [validator],
            every_s,
            (phase_s + offset_s) % every_s,
            _arguments(source, {**common, "validator": validator, "memory": {}}),
            own,
        )
        for validator, phase_s in zip(users, phases, strict=True)
    ]


def _arguments(source: Source, known: Mapping[str, Any]) -> dict[str, Any]:
    strange = [name for name in source.wants if name not in known]
    if strange:
        raise ConfigError(f"the source {source.name!r} in {source.where} asks for {strange[0]!r}; it can have {', '.join(sorted(known))}")
    return {name: known[name] for name in source.wants}

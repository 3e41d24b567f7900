"""Collection: every source of every validator in a task of its own, so that no slow one delays another."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from gizzi.clock import Clock, within
from gizzi.config import Settings, Validator
from gizzi.errors import ConfigError, SourceError
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import Collected, Failure
from gizzi.reach import Reach
from gizzi.registry import Source

log = structlog.get_logger("gizzi.collect")

ASK_AGAIN_S = 1.0
ASK_AGAIN_FOR_S = 30.0
"""After a failure a validator is asked every second for so long, then at the usual pace."""
PHASE_STEP_S = 0.5
LATENESS_WINDOW_S = 60.0


@dataclass(slots=True)
class _Poll:
    """One source of one validator (or of the fleet). `memory` is the source's own, kept between its calls."""

    source: Source
    validators: Sequence[Validator]
    every_s: float
    phase_s: float
    arguments: dict[str, Any]
    failing_since: float | None = None
    nap: asyncio.Future[bool] | None = None


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
        common = {"node": reach.node, "ssh": reach.ssh, "http": reach.http, "fleet": fleet, "clock": clock, "settings": settings}
        self.polls = [poll for source in sources for poll in _polls(source, settings, validators, common)]
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
        oldest = self._clock.now() - LATENESS_WINDOW_S
        self._late = [(at, late) for at, late in self._late if at >= oldest]
        return max((late for _, late in self._late), default=0.0)

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """One endless coroutine per poll."""
        return [self._loop(poll) for poll in self.polls]

    async def once(self) -> None:
        """Ask everything once, and what failed once more after a second."""
        results = await asyncio.gather(*(self._ask(poll) for poll in self.polls))
        failed = [poll for poll, ok in zip(self.polls, results, strict=True) if not ok]
        if failed:
            await self._clock.sleep(ASK_AGAIN_S)
            await asyncio.gather(*(self._ask(poll) for poll in failed))

    async def _loop(self, poll: _Poll) -> None:
        await self._clock.sleep(poll.phase_s)
        due = self._clock.now()
        while True:
            late_s = self._clock.now() - due
            if late_s > PHASE_STEP_S:
                self._late.append((self._clock.now(), late_s))
            ok = await self._ask(poll)
            now = self._clock.now()
            if ok:
                poll.failing_since = None
            elif poll.failing_since is None:
                poll.failing_since = now
                self._poke_others(poll)
            if poll.failing_since is not None and now - poll.failing_since < ASK_AGAIN_FOR_S:
                due = min(due + poll.every_s, now + ASK_AGAIN_S) if due + poll.every_s > now else now + ASK_AGAIN_S
            else:
                due = max(due + poll.every_s, now)
            woken = await self._nap(poll, due - now)
            due = self._clock.now() if woken else due

    async def _nap(self, poll: _Poll, duration_s: float) -> bool:
        """Sleep until due, or until poked. Returns whether it was poked."""
        loop = asyncio.get_running_loop()
        poll.nap = loop.create_future()
        timer = loop.call_later(max(duration_s, 0.0), _wake, poll.nap, False)
        try:
            return bool(await poll.nap)
        finally:
            timer.cancel()
            poll.nap = None

    def _poke_others(self, failing: _Poll) -> None:
        """One way in has just failed: ask the validator's other ways soon, so that the picture is whole."""
        for validator in failing.validators if failing.source.scope == "validator" else ():
            for poll in self._of_validator[validator.number]:
                if poll is not failing and poll.nap is not None and poll.failing_since is None:
                    asyncio.get_running_loop().call_later(ASK_AGAIN_S, _wake, poll.nap, True)

    async def _ask(self, poll: _Poll) -> bool:
        """Call the source once; its answer or its failure goes to the inbox. Returns whether it answered."""
        source = poll.source
        failure: Failure | None = None
        answer: Any = {}
        try:
            answer = await within(max(3 * poll.every_s, 30.0), self._call(source, poll.arguments))
        except SourceError as error:
            failure = Failure(error.kind, str(error))
        except TimeoutError:
            failure = Failure("timeout", f"the source {source.name} did not end in time")
        except Exception as error:
            log.error("source_failed", source=source.name, error=repr(error), where=source.where)
            failure = Failure("internal", f"the source {source.name} failed: {error!r}")
        self._file(poll, answer, failure)
        return failure is None

    async def _call(self, source: Source, arguments: dict[str, Any]) -> Any:
        if source.awaits:
            return await source.collect(**arguments)
        if self._threads:
            return await asyncio.to_thread(source.collect, **arguments)
        return source.collect(**arguments)

    def _file(self, poll: _Poll, answer: Any, failure: Failure | None) -> None:
        at = self._clock.now()
        name = poll.source.reports
        fresh_for_s = 3 * poll.every_s + self._settings.collect.timeout_s
        for validator in poll.validators:
            values = (
                answer if poll.source.scope == "validator" else answer.get(validator.number, {}) if isinstance(answer, Mapping) else None
            )
            if type(values) is not dict and not isinstance(values, Mapping):
                failure = failure or Failure("internal", f"the source {poll.source.name} returned {type(values).__name__}, not a mapping")
                values = {}
            self._inbox.append(Collected(validator.number, name, at, values, failure, fresh_for_s, poll.source.name))


def _wake(nap: asyncio.Future[bool], poked: bool) -> None:
    if not nap.done():
        nap.set_result(poked)


def _polls(source: Source, settings: Settings, validators: Sequence[Validator], common: Mapping[str, Any]) -> list[_Poll]:
    every_s = source.every_s(settings)
    users = [validator for validator in validators if source.applies(validator, settings)]
    if source.scope == "fleet":
        arguments = _arguments(source, {**common, "validators": users, "memory": {}})
        return [_Poll(source, users, every_s, 0.0, arguments)] if users else []
    step = every_s / max(1, len(users))
    offset = every_s / 2 if source.reports != source.name else 0.0
    return [
        _Poll(
            source,
            [validator],
            every_s,
            math.floor(((index * step) + offset) % every_s / PHASE_STEP_S) * PHASE_STEP_S if every_s >= 1 else 0.0,
            _arguments(source, {**common, "validator": validator, "memory": {}}),
        )
        for index, validator in enumerate(users)
    ]


def _arguments(source: Source, known: Mapping[str, Any]) -> dict[str, Any]:
    strange = [name for name in source.wants if name not in known]
    if strange:
        raise ConfigError(f"the source {source.name!r} in {source.where} asks for {strange[0]!r}; it can have {', '.join(sorted(known))}")
    return {name: known[name] for name in source.wants}

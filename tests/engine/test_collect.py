"""Collection in virtual time: who is asked when, and that nobody waits for anybody else."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from gizzi.app import open_app
from gizzi.clock import LiveClock, SimulatedClock, run_simulated
from gizzi.config import Validator
from gizzi.engine.collect import ASK_AGAIN_FOR_S, ASK_AGAIN_S, BURST, Collector, in_thread
from gizzi.errors import ConfigError, SourceError
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import open_store
from tools.simulated import fault
from tools.sources import Bench, a_source

Test = Callable[[], Coroutine[Any, Any, None]]


def in_virtual_time(test: Test) -> Callable[[], None]:
    def run() -> None:
        run_simulated(test())

    run.__name__ = test.__name__
    return run


async def fine(validator: Validator) -> dict[str, Any]:
    return {"n": validator.number}


def failing(when: Callable[[float], bool], clock: Any, kind: Any = "refused") -> Any:
    """A source that fails at those times (seconds since it was made)."""
    began_at = clock.now()

    async def collect(validator: Validator) -> dict[str, Any]:
        if validator.number == 1 and when(clock.now() - began_at):
            raise SourceError(kind, "no connection")
        return {"n": 1}

    return collect


# pace


@in_virtual_time
async def test_everybody_is_asked_at_its_pace_a_few_at_a_time() -> None:
    bench = await Bench([a_source("metrics", fine)], SimulatedClock(), validators=60, threads=True).run(60)
    together = Counter(bench.times(n, "metrics")[0] for n in range(1, 61))
    assert sorted(together) == pytest.approx([burst * 5 / 8 for burst in range(8)], abs=0.001) and max(together.values()) <= BURST
    for number in range(1, 61):
        times = bench.times(number, "metrics")
        assert [round(after - before, 3) for before, after in pairwise(times)] == [5.0] * (len(times) - 1) and len(times) >= 11


@in_virtual_time
async def test_one_that_reports_for_another_is_asked_half_way_between() -> None:
    sources = [a_source("rpc", fine), a_source("heartbeat", fine, reports="rpc")]
    bench = await Bench(sources, SimulatedClock(), validators=2).run(30)
    for number in (1, 2):
        gaps = {
            round((beat - ask) % 5.0, 3) for ask, beat in zip(bench.times(number, "rpc"), bench.times(number, "heartbeat"), strict=False)
        }
        assert gaps == {2.5}
        assert {c.source for c in bench.of(number, "heartbeat")} == {"rpc"}


@in_virtual_time
async def test_an_answer_is_believed_for_three_periods_and_a_time_out() -> None:
    bench = await Bench([a_source("metrics", fine), a_source("slowly", fine, every="30s")], SimulatedClock(), every="2s", timeout="1s").run(
        40
    )
    assert {c.fresh_for_s for c in bench.of(1, "metrics")} == {7.0} and {c.fresh_for_s for c in bench.of(1, "slowly")} == {91.0}


# nobody waits for anybody


@in_virtual_time
async def test_one_that_hangs_delays_nobody_and_is_told_in_the_end() -> None:
    async def hangs_on_1(validator: Validator) -> dict[str, Any]:
        if validator.number == 1:
            await asyncio.Event().wait()
        return {"n": validator.number}

    bench = await Bench([a_source("metrics", hangs_on_1), a_source("rpc", fine)], SimulatedClock()).run(120)
    calm = await Bench([a_source("metrics", fine), a_source("rpc", fine)], SimulatedClock()).run(120)
    assert [bench.times(n, "metrics") for n in (2, 3)] == [calm.times(n, "metrics") for n in (2, 3)]
    assert [bench.times(n, "rpc") for n in (2, 3)] == [calm.times(n, "rpc") for n in (2, 3)]
    assert len(bench.times(1, "rpc")) >= len(calm.times(1, "rpc")) - 1, "its other way in goes on; it may have been asked early once"
    kinds = [c.failure.kind if c.failure else None for c in bench.of(1, "metrics")]
    assert kinds == ["timeout"] * len(kinds) and len(kinds) == 3
    assert next(b.failure.text for b in bench.of(1, "metrics") if b.failure) == "the source metrics did not end in time"


@in_virtual_time
async def test_a_slow_one_is_asked_again_at_once_but_never_twice_at_a_time() -> None:
    running: list[int] = []

    async def slow(validator: Validator) -> dict[str, Any]:
        running.append(1)
        assert len(running) == 1
        await asyncio.sleep(8.0)
        running.clear()
        return {}

    bench = await Bench([a_source("metrics", slow)], SimulatedClock(), validators=1).run(100)
    assert {round(after - before, 3) for before, after in pairwise(bench.times(1, "metrics"))} == {8.0}
    assert bench.collector.lateness_s() == 0.0, "it is late, not we"


SLOW = [*(("slow", {"delay_s": delay_s}) for delay_s in (0.5, 2.0, 2.9, 3.5, 5.0, 7.0, 9.0)), ("lost_scrapes", {"rate": 0.01})]


@pytest.mark.parametrize(("kind", "parameters"), SLOW, ids=str)
def test_a_slow_node_is_not_a_dead_one_and_what_it_tells_stays_fresh(kind: str, parameters: dict[str, float]) -> None:
    """With the real sources and time-outs, every half second for ten minutes."""

    async def check() -> None:
        clock = SimulatedClock()
        fleet = SimFleet(clock, validators=4, faults=[fault(kind, 0.0, [2], **parameters)])
        async with open_app(settings_for(fleet), clock=clock, reach=fleet.reach(), store=open_store("sqlite://"), live=False) as app:
            watching = asyncio.create_task(app.watch.run())
            await clock.sleep(70)
            for _ in range(1200):
                await clock.sleep(0.5)
                for shown in app.watch.statuses():
                    told = [text for text in shown["reasons"] if not text.endswith("(not yet confirmed)")]
                    assert (shown["up"], shown["health"], told) == (True, "healthy", []), (clock.now() - fleet.start_at, shown)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    run_simulated(check())


# failures


@in_virtual_time
async def test_after_a_failure_it_is_asked_every_second_for_a_while_then_at_the_usual_pace() -> None:
    clock = SimulatedClock()
    bench = await Bench([a_source("metrics", failing(lambda at: at >= 20, clock), every="5s")], clock, validators=1).run(120)
    times = [time for time, c in zip(bench.times(1, "metrics"), bench.of(1, "metrics"), strict=True) if c.failure]
    gaps = [round(after - before, 3) for before, after in pairwise(times)]
    quick = int(ASK_AGAIN_FOR_S / ASK_AGAIN_S)
    assert gaps[: quick - 1] == [ASK_AGAIN_S] * (quick - 1) and set(gaps[quick + 1 :]) == {5.0}


@in_virtual_time
async def test_a_source_with_a_short_period_is_not_asked_more_rarely_after_a_failure() -> None:
    clock = SimulatedClock()
    bench = await Bench([a_source("metrics", failing(lambda at: True, clock), every="0.5s")], clock, validators=1).run(20)
    assert {round(after - before, 3) for before, after in pairwise(bench.times(1, "metrics"))} == {0.5}


@in_virtual_time
async def test_one_lost_request_is_made_up_for_within_a_second() -> None:
    clock = SimulatedClock()
    bench = await Bench([a_source("metrics", failing(lambda at: 18 <= at < 23, clock))], clock, validators=1).run(60)
    answers = [c.failure is None for c in bench.of(1, "metrics")]
    failed = answers.index(False)
    times = bench.times(1, "metrics")
    first_good = answers.index(True, failed)
    assert times[first_good] - 23 <= ASK_AGAIN_S and answers[first_good:] == [True] * len(answers[first_good:])
    assert {time % 5.0 for time in times[first_good + 1 :]} == {times[0] % 5.0}, "back at its own turn"


@in_virtual_time
async def test_when_one_way_in_is_back_after_a_while_the_others_are_asked_soon() -> None:
    for gone_s, early in ((60, 1), (7, 0)):
        clock = SimulatedClock()
        sources = [
            a_source("metrics", failing(lambda at, gone_s=gone_s: 100 <= at < 100 + gone_s, clock)),
            a_source("host", fine, every="10m"),
        ]
        bench = await Bench(sources, clock, validators=2).run(300)
        answers = bench.of(1, "metrics")
        back_at = [c.at - bench.began_at for c, before in zip(answers[1:], answers, strict=False) if before.failure and not c.failure]
        asked = [time for time in bench.times(1, "host") if time >= back_at[0]]
        assert asked == pytest.approx([back_at[0] + ASK_AGAIN_S] * early)


@in_virtual_time
async def test_when_one_way_in_fails_the_validators_other_ways_are_asked_soon_once_and_nobody_elses() -> None:
    clock = SimulatedClock()
    sources = [a_source("metrics", failing(lambda at: at >= 100, clock)), a_source("host", fine, every="30s")]
    bench = await Bench(sources, clock, validators=2).run(160)
    failed_at = next(c.at - bench.began_at for c in bench.of(1, "metrics") if c.failure)
    after = [time for time in bench.times(1, "host") if time > failed_at]
    assert after[0] - failed_at == pytest.approx(ASK_AGAIN_S) and after[1] % 30 == pytest.approx(bench.times(1, "host")[0] % 30)
    others = bench.times(2, "host")
    assert {round(b - a, 3) for a, b in pairwise(others)} == {30.0}


@in_virtual_time
async def test_also_a_way_that_has_never_been_asked_yet() -> None:
    """As after our own start: whether a dead node's database is whole must not take half a minute to learn."""
    clock = SimulatedClock()
    sources = [a_source("metrics", failing(lambda at: True, clock)), a_source("host", fine, every="10m")]
    bench = Bench(sources, clock, validators=1)
    next(poll for poll in bench.collector.polls if poll.source.name == "host").phase_s = 300.0
    await bench.run(30)
    assert bench.times(1, "host")[0] - bench.times(1, "metrics")[0] == pytest.approx(ASK_AGAIN_S)


@in_virtual_time
async def test_what_a_plugin_does_wrong_is_one_clear_line_and_said_once() -> None:
    async def wrong(validator: Validator) -> Any:
        match validator.number:
            case 1:
                raise ZeroDivisionError("of\nits own " + "x" * 10_000)
            case 2:
                return ["not", "a", "mapping"]
            case 3:
                return {"good": 1, "names": ("a",), 7: 1, "nothing": None, "list": [1], "nan": float("nan"), "object": object()}
            case _:
                raise SourceError("http", "many\nlines \x1b[31m" + "x" * 10_000)

    with capture_logs() as lines:
        bench = await Bench([a_source("wrong", wrong)], SimulatedClock(), validators=4).run(60)
    for number, kind in ((1, "internal"), (2, "internal"), (4, "http")):
        for c in bench.of(number, "wrong"):
            assert c.failure is not None and c.failure.kind == kind and c.values == {}
            assert c.failure.text.isprintable() and len(c.failure.text) <= 500
    assert bench.of(1, "wrong")[0].failure.text.startswith("the source wrong failed: ZeroDivisionError('of")
    assert bench.of(2, "wrong")[0].failure.text == "the source wrong returned list, not a mapping"
    assert {tuple(c.values.items()) for c in bench.of(3, "wrong")} == {(("good", 1), ("names", ("a",)))}
    told = bench.of(3, "wrong")[0].failure
    assert told is None
    assert len([line for line in lines if line["event"] == "source_failed"]) <= 3, lines


@in_virtual_time
async def test_a_cancellation_from_inside_a_source_is_a_failure_not_the_end() -> None:
    async def cancels_itself(validator: Validator) -> dict[str, Any]:
        raise asyncio.CancelledError

    bench = await Bench([a_source("metrics", cancels_itself)], SimulatedClock(), validators=1).run(20)
    assert len(bench.of(1, "metrics")) > 10 and all(c.failure and c.failure.kind == "internal" for c in bench.of(1, "metrics"))


# the whole fleet at once


@in_virtual_time
async def test_a_fleets_source_is_filed_with_each_validator() -> None:
    async def server(validators: Any) -> Any:
        return {1: {"peers": 9}, 2: {"metrics_up": False}, 99: {"peers": 1}}

    bench = await Bench([a_source("prometheus", server, scope="fleet")], SimulatedClock()).run(7)
    assert [dict(c.values) for n in (1, 2, 3) for c in bench.of(n, "prometheus")[:1]] == [{"peers": 9}, {"metrics_up": False}, {}]
    assert {c.validator for c in bench.filed} == {1, 2, 3} and all(c.failure is None for c in bench.filed)


@in_virtual_time
async def test_where_the_fleets_source_fails_everybody_hears_of_it() -> None:
    answers = itertools.cycle((SourceError("refused", "no server"), ["nonsense"], {1: "nonsense", 2: {"peers": 1}}))

    async def server(validators: Any) -> Any:
        answer = next(answers)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    bench = await Bench([a_source("prometheus", server, scope="fleet", every="1s")], SimulatedClock()).run(3)
    kinds = [[c.failure.kind if c.failure else None for c in bench.of(n, "prometheus")[:3]] for n in (1, 2, 3)]
    assert kinds == [["refused", "internal", "internal"], ["refused", "internal", None], ["refused", "internal", None]]


# lateness


@in_virtual_time
async def test_lateness_is_ours_and_is_forgotten_after_a_minute() -> None:
    clock = SimulatedClock()
    loop: Any = asyncio.get_running_loop()
    jumps = iter((12.0,))

    async def busy(validator: Validator) -> dict[str, Any]:
        if clock.now() - bench.began_at > 20 and validator.number == 1:
            loop._leaping.now_s += next(jumps, 0.0)  # the machine did something else
        return {}

    bench = Bench([a_source("metrics", busy)], clock)
    async with bench.running():
        await clock.sleep(19)
        assert bench.collector.lateness_s() == 0.0
        await clock.sleep(20)
        assert 7.0 <= bench.collector.lateness_s() <= 12.0
        await clock.sleep(61)
        assert bench.collector.lateness_s() == 0.0


# one look


@in_virtual_time
async def test_one_look_asks_everything_once_and_what_failed_once_more() -> None:
    clock = SimulatedClock()
    bench = Bench([a_source("metrics", failing(lambda at: at < 0.5, clock)), a_source("host", fine, every="30s")], clock, validators=2)
    await bench.collector.once()
    assert [c.failure is None for c in bench.of(1, "metrics")] == [False, True]
    assert len(bench.of(2, "metrics")) == len(bench.of(1, "host")) == len(bench.of(2, "host")) == 1


def test_a_source_that_asks_for_what_there_is_not_is_told_at_once() -> None:
    async def wants(validator: Validator, telepathy: Any) -> dict[str, Any]:
        return {}

    with pytest.raises(ConfigError, match=r"'wants'.*asks for 'telepathy'; it can have clock, "):
        Bench([a_source("wants", wants)], LiveClock())


# the end


@in_virtual_time
async def test_cancellation_leaves_nothing_behind() -> None:
    async def hangs(validator: Validator) -> dict[str, Any]:
        if validator.number == 2:
            await asyncio.Event().wait()
        return {}

    for stop_at in (0.1, 0.6, 3.0, 31.0, 45.0):
        await Bench([a_source("metrics", hangs), a_source("rpc", fine, reports="metrics")], SimulatedClock()).run(stop_at)
        assert asyncio.all_tasks() == {asyncio.current_task()}


# plain functions, live


async def test_plain_functions_run_in_threads_side_by_side() -> None:
    def plain(validator: Validator) -> dict[str, Any]:
        time.sleep(0.2)
        return {"thread": threading.current_thread() is threading.main_thread()}

    bench = Bench([a_source("plain", plain, every="0.5s")], LiveClock(), validators=16, threads=True)
    began = time.perf_counter()
    await bench.collector.once()
    assert time.perf_counter() - began < 1.5, "one after the other they would take 3.2 s"
    assert [dict(c.values) for c in bench.take()] == [{"thread": False}] * 16


async def test_who_has_the_answer_may_ask_again_at_once() -> None:
    for n in range(500):
        ended, answer = in_thread(lambda n=n: n)
        assert await answer == n and ended.is_set()


async def test_a_plain_function_that_never_returns_holds_up_nobody_and_takes_one_thread() -> None:
    stuck = threading.Event()

    def hangs(validator: Validator) -> dict[str, Any]:
        stuck.wait()
        return {}

    def plain(validator: Validator) -> dict[str, Any]:
        return {"n": validator.number}

    sources = [a_source("hangs", hangs, every="0.3s"), a_source("plain", plain, every="0.3s")]
    bench = Bench(sources, LiveClock(), validators=40, threads=True)
    before = threading.active_count()
    asking = [poll for poll in bench.collector.polls if poll.source.name == "hangs"]
    try:
        first = [asyncio.create_task(_give_up(bench.collector, poll)) for poll in asking]
        await asyncio.gather(*first)
        for poll in asking[:3]:
            await bench.collector._ask(poll)
        assert threading.active_count() - before <= 40
        failures = [c.failure for c in bench.take()]
        assert [f.kind for f in failures if f] == ["timeout"] * 3
        assert {f.text for f in failures if f} == {"the source hangs is still busy with what it was asked before"}
        async with asyncio.timeout(5), bench.running():
            while len({c.validator for c in bench.filed if c.by == "plain"}) < 40:
                bench.take()
                await asyncio.sleep(0.02)
        await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo("localhost", 80), 5)
    finally:
        stuck.set()


async def _give_up(collector: Collector, poll: Any) -> None:
    try:
        await asyncio.wait_for(collector._ask(poll), 0.1)
    except TimeoutError:
        pass


async def test_what_a_plain_function_raises_is_a_failure() -> None:
    def broken(validator: Validator) -> dict[str, Any]:
        if validator.number == 1:
            raise SourceError("refused", "no disk")
        raise KeyError("disk")

    bench = Bench([a_source("broken", broken)], LiveClock(), validators=2, threads=True)
    await bench.collector.once()
    assert [c.failure.kind for n in (1, 2) for c in bench.of(n, "broken")[:1] if c.failure] == ["refused", "internal"]

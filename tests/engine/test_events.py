from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine import events as module
from gizzi.engine.events import Events
from gizzi.engine.trend import EVERY_S, Trend
from gizzi.serving.buckets import Buckets
from tools.simulated import HandClock


class Reader:
    def __init__(self) -> None:
        self.text = ""

    async def write(self, frame: bytes) -> None:
        self.text += frame.decode()

    @property
    def kinds(self) -> list[str]:
        return [line.removeprefix("event: ") for line in self.text.splitlines() if line.startswith("event: ")]

    @property
    def last_id(self) -> str:
        return [line for line in self.text.splitlines() if line.startswith("id: ")][-1].removeprefix("id: ")


@asynccontextmanager
async def following(events: Events, last_id: str | None = None) -> AsyncIterator[Reader]:
    reader = Reader()
    task = asyncio.create_task(events.follow(reader.write, last_id))
    await asyncio.sleep(0.01)
    yield reader
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_comes_back_hears_what_was_missed_once() -> None:
    events = Events(HandClock())
    async with following(events) as first:
        events.publish("incident", {"n": 1})
        await asyncio.sleep(0.01)
    assert first.kinds == ["hello", "incident"]
    events.publish("incident", {"n": 2})
    events.publish("action", {"n": 3})
    async with following(events, first.last_id) as again:
        assert again.kinds == ["hello", "incident", "action"]
        events.publish("status", {})
        await asyncio.sleep(0.01)
        assert again.kinds[-1] == "status"
    assert events.followers == 0


@pytest.mark.parametrize("last_id", ["0-0", "nonsense", "-", "abc-99999999999999999999", "\u0661-\u0662"])
async def test_an_id_of_another_process_is_told_to_read_anew(last_id: str) -> None:
    async with following(Events(HandClock()), last_id) as reader:
        assert reader.kinds == ["reset"]


async def test_what_fell_out_of_the_ring_is_not_pretended() -> None:
    events = Events(HandClock(), kept=3)
    async with following(events) as reader:
        begin = reader.last_id
    for n in range(4):
        events.publish("incident", {"n": n})
    async with following(events, begin) as late:
        assert late.kinds == ["reset"]
        events.publish("incident", {})
        await asyncio.sleep(0.01)
        assert late.kinds == ["reset", "incident"]


async def test_markup_and_line_ends_cannot_break_out_of_an_event() -> None:
    events = Events(HandClock())
    async with following(events) as reader:
        events.publish("incident", {"text": "a\n\nevent: forged\ndata: {}\u2028\r\n<script>"})
        await asyncio.sleep(0.01)
    assert reader.kinds == ["hello", "incident"]


async def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW_S", 0.05)

    async def stuck(frame: bytes) -> None:
        await asyncio.sleep(60)

    events = Events(HandClock())
    assert await asyncio.wait_for(events.follow(stuck, None), 2) is False
    assert events.followers == 0


async def test_everybody_is_let_go_when_the_server_stops() -> None:
    events = Events(HandClock())
    reader = Reader()
    task = asyncio.create_task(events.follow(reader.write, None))
    await asyncio.sleep(0.01)
    events.hang_up()
    assert await asyncio.wait_for(task, 2) is True
    async with following(events) as later:
        events.publish("incident", {})
        await asyncio.sleep(0.01)
        assert later.kinds == ["hello", "incident"]


async def test_a_quiet_stream_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.02)
    async with following(Events(HandClock())) as reader:
        await asyncio.sleep(0.1)
    assert reader.text.count(": alive") >= 2


@given(st.lists(st.integers(1, 5), max_size=30), st.integers(1, 8))
def test_replay_is_what_was_published_or_says_that_it_is_not(batches: list[int], kept: int) -> None:
    events, n = Events(HandClock(), kept=kept), 0
    for batch in batches:
        at = n
        for _ in range(batch):
            events.publish("x", {"n": (n := n + 1)})
        frames = events._after(at)
        assert (frames is None) == (batch > kept)
        if frames is not None:
            assert [f'"n":{number}' in frame.decode() for number, frame in zip(range(at + 1, n + 1), frames, strict=True)] == [True] * batch


def status(number: int, height: int | None) -> dict[str, int | None]:
    return {"number": number, "block_height": height, "finalization_lag": 2, "peers": None}


def test_the_trend_keeps_gaps_and_forgets_what_is_old() -> None:
    trend = Trend(length=8)
    for n in range(20):
        assert trend.is_due(n * EVERY_S)
        trend.add(n * EVERY_S, [status(1, 100 + n if n != 18 else None), *([status(2, n)] if n > 17 else [])])
        assert not trend.is_due(n * EVERY_S + 1)
    points = trend.of(1)
    assert len(points) <= 8 and points[-1].block_height == 119 and points[-2].block_height is None and points[-1].peers is None
    assert [point.block_height for point in trend.of(2)][-2:] == [18, 19]
    assert len(trend.of(2)) == len(points) and trend.of(3) == []


def test_a_clock_set_back_begins_the_trend_anew() -> None:
    trend = Trend()
    trend.add(1000.0, [status(1, 5)])
    assert trend.is_due(900.0)
    trend.add(900.0, [status(1, 6)])
    assert [(point.at, point.block_height) for point in trend.of(1)] == [(900.0, 6)]


def test_the_trend_begins_with_what_was_kept() -> None:
    trend = Trend()
    trend.add(1000.0, [status(1, 50), status(3, 7)])
    trend.take_up([880.0, 940.0, 1000.0], {1: [[48, None, 99], [2, 2, 99], [30, 31, 99]], 2: [[5, 6, 99]] * 3})
    assert [(point.at, point.block_height) for point in trend.of(1)] == [(880.0, 48), (940.0, None), (1000.0, 50)]
    assert [point.peers for point in trend.of(2)] == [5, 6, None]
    assert [point.block_height for point in trend.of(3)] == [None, None, 7]
    assert trend.as_json(900.0)["at"] == [940.0, 1000.0]
    assert trend.as_json(900.0)["validators"][1] == {"block_height": [None, 50], "finalization_lag": [2, 2], "peers": [31, None]}
    trend.add(1015.0, [status(1, 51)])
    assert len(trend.of(1)) == 4


@given(st.lists(st.floats(0, 3), max_size=200))
def test_a_bucket_lets_through_its_burst_and_its_rate_and_no_more(waits: list[float]) -> None:
    now, times = [0.0], []
    buckets = Buckets(5, 1.0, lambda: now[0])
    for wait_s in waits:
        now[0] += wait_s
        if buckets.take("one") == 0:
            times.append(now[0])
    for first, begun in enumerate(times):
        assert len([at for at in times[first:] if at <= begun + 10]) <= 5 + 10 + 1
    assert buckets.take("another") == 0

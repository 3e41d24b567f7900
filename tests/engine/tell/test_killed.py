"""A teller that is killed with SIGKILL between taking a message and marking it as sent, and two on one PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import need
from gizzi.alerts.correlate import Change
from gizzi.store import open_store
from tools import postgres
from tools.loopback import Request, loopback, reply
from tools.telling import Telling

PROCESS = Path(__file__).parents[2] / "tools" / "teller_process.py"


async def begin(store_url: str, port: int, incidents: int, service: str = "pagerduty") -> asyncio.subprocess.Process:
    url = f"{service}+http://127.0.0.1:{port}/KEYKEYKEY"
    return await asyncio.create_subprocess_exec(
        sys.executable, PROCESS, store_url, url, str(incidents), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def test_killed_while_it_sends_it_is_sent_again_and_nothing_is_lost(tmp_path: Path) -> None:
    store_url, arrived = f"sqlite:///{tmp_path}/gizzi.db", asyncio.Event()
    answers = False

    async def answer(request: Request) -> bytes | None:
        arrived.set()
        if not answers:
            await asyncio.Event().wait()
        return reply(b"{}", "202 Accepted")

    async with loopback(answer) as server:
        process = await begin(store_url, server.port, 1)
        await asyncio.wait_for(arrived.wait(), 90)
        await kill(process)
        answers = True
        process = await begin(store_url, server.port, 0)
        await until(lambda: len(server.requests) == 2)
        await asyncio.sleep(2.5)
        await kill(process)
        told = [json.loads(request.body) for request in server.requests]
        assert [(event["event_action"], event["dedup_key"]) for event in told] == [("trigger", "inc-1")] * 2, "the key makes them one page"


def key_of(request: Request) -> str:
    """By what a receiver knows a message that it has had."""
    told = json.loads(request.body)
    if "dedup_key" in told or "alias" in told:
        return str(told.get("dedup_key") or told["alias"])
    names = {name.lower(): value for name, _, value in (line.partition(": ") for line in request.head.decode().split("\r\n"))}
    assert names["idempotency-key"] == told["id"]
    return str(told["id"])


@pytest.mark.timeout(240)
@pytest.mark.parametrize("service", ["webhook", "pagerduty", "opsgenie"])
async def test_what_comes_again_is_known_by_its_key_though_there_is_more_by_then(tmp_path: Path, service: str) -> None:
    store_url, arrived = f"sqlite:///{tmp_path}/gizzi.db", asyncio.Event()
    answers = False

    async def answer(request: Request) -> bytes | None:
        arrived.set()
        if not answers:
            await asyncio.Event().wait()
        return reply(b"{}", "202 Accepted")

    async with loopback(answer) as server:
        process = await begin(store_url, server.port, 2, service)
        await asyncio.wait_for(arrived.wait(), 90)
        store = open_store(store_url)
        count = "select count(*) from told_outbox"
        await until(lambda: store.run_now(lambda c: c.exec_driver_sql(count).scalar_one()) == 2, 90)
        store.close()
        await kill(process)
        answers = True
        process = await begin(store_url, server.port, 0, service)
        await until(lambda: len(server.requests) == 3, 90)
        await kill(process)
        first, *later = server.requests
        keys = [key_of(request) for request in later]
        assert keys.count(key_of(first)) == 1, "what came meanwhile is another; it is told first where the dead one's claim still holds"
        assert first.body == later[keys.index(key_of(first))].body, "it is the same message"


async def test_killed_again_and_again_every_incident_is_told(tmp_path: Path) -> None:
    store_url, dice = f"sqlite:///{tmp_path}/gizzi.db", random.Random(4)
    opened: set[str] = set()
    kills = 5

    async def answer(request: Request) -> bytes:
        await asyncio.sleep(0.1)
        return reply(b"{}", "202 Accepted")

    async with loopback(answer) as server:
        for _ in range(kills):
            process = await begin(store_url, server.port, 5)
            assert process.stdout is not None
            for _ in range(dice.randint(1, 5)):
                opened.add(f"inc-{int(await asyncio.wait_for(process.stdout.readline(), 90))}")
            await asyncio.sleep(dice.uniform(0, 0.4))
            await kill(process)
        process = await begin(store_url, server.port, 0)

        def told() -> Counter[str]:
            return Counter(json.loads(request.body)["dedup_key"] for request in server.requests)

        await until(lambda: opened <= set(told()))
        await asyncio.sleep(2.5)
        await kill(process)
        assert sum(told().values()) - len(told()) <= kills * 5, "only what was on its way at a kill came twice"
        assert max(told().values()) <= 3


async def until(condition: object, within_s: float = 90.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - what is awaited tells nobody
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    initdb, server = need("initdb", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.running(initdb, server, port) as url:
        yield url


@pytest.mark.real
async def test_two_on_one_postgresql_tell_once(postgres_url: str) -> None:
    first, second = (Telling({"urls": ["pager://a"], "group": "0.2s"}, live=True, store=open_store(postgres_url)) for _ in range(2))
    first.start()
    second.start()
    for number in range(1, 16):
        incident = await first.change(number)
        second.teller.heard(Change(incident, first.clock.now(), "opened", ""))
    await first.teller.approval_asked({"id": "ap-1", "incident": "inc-1", "action": "restart", "validator": 1, "expires_at": None})
    await until(lambda: sum(len(telling.boxes["pager://a"].got) for telling in (first, second)) >= 15)
    await asyncio.sleep(1.0)
    told = Counter(m.incident for telling in (first, second) for m in telling.boxes["pager://a"].got if m.change == "opened")
    assert told == Counter(f"inc-{number}" for number in range(1, 16))
    assert sum("gizzi approve ap-1" in m.body for telling in (first, second) for m in telling.boxes["pager://a"].got) == 1
    for telling in (first, second):
        await telling.kill()
        telling.store.close()

"""The daemon as a real process on a real store: killed with SIGKILL at any moment, or its store taken away for a while."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from conftest import need
from gizzi.errors import StoreError, StoreTaken
from gizzi.sim.faults import read_fault
from gizzi.sim.server import SimServer
from gizzi.store import open_store
from tools import postgres
from tools.daemon import Daemon, Kept
from tools.fleet import gizzi, served, write_config
from tools.proxy import proxy

QUICK = "".join(f'[rules.{rule}]\nhold = "1s"\n' for rule in ("node_down", "rpc_down", "peers_low", "metrics_down", "metrics_unreadable"))
QUIET = "[rules.quorum_at_risk]\nenabled = false\n[rules.chain_peers_low]\nenabled = false\n[rules.rule_dead]\nenabled = false\n"


class Place:
    """A served fleet, a folder with its gizzi.toml, and daemons in it."""

    def __init__(self, folder: Path, server: SimServer, store_url: str | None = None) -> None:
        self.folder = folder
        self.server = server
        self.url = store_url or f"sqlite:///{folder}/gizzi.db"
        self.daemons: list[Daemon] = []
        write_config(folder, server, f'[store]\nurl = "{self.url}"\n{QUICK}{QUIET}')

    async def start(self) -> Daemon:
        daemon = await Daemon.start(self.folder)
        self.daemons.append(daemon)
        return daemon

    async def begin(self, kind: str, *validators: int, **more: Any) -> int:
        fleet = self.server.fleet
        raw = {"kind": kind, "validators": list(validators), "clears_on": "never", **more}
        handle = fleet.inject(read_fault(raw, "the test", list(fleet.nodes), list(fleet.chains), at_s=fleet.now() - fleet.start_at))
        await self.server.settle()
        return handle

    async def end(self, *handles: int) -> None:
        for handle in handles:
            self.server.fleet.withdraw(handle, self.server.fleet.now())
        await self.server.settle()

    def kept(self) -> Kept:
        return Kept(self.url)


@contextlib.asynccontextmanager
async def place(folder: Path, store_url: str | None = None, validators: int = 4) -> AsyncIterator[Place]:
    """Kills what daemons are left, and looks whether any of them said what no user should see."""
    async with served(validators) as server:
        here = Place(folder, server, store_url)
        try:
            yield here
        finally:
            for daemon in here.daemons:
                await daemon.kill()
        said = "\n".join(daemon.said for daemon in here.daemons)
        assert "Traceback" not in said and "fault in Gizzi" not in said, said


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    initdb, server = need("initdb", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.running(initdb, server, port) as url:
        yield url


async def resolved(kept: Kept, within_s: float = 30.0) -> list[dict[str, Any]]:
    """Every incident, once all are over."""
    async with asyncio.timeout(within_s):
        while any(row["state"] != "resolved" for row in await kept.incidents()):  # noqa: ASYNC110 - what is awaited tells nobody
            await asyncio.sleep(0.1)
    return await kept.incidents()


async def kills(here: Place, count: int, seed: int) -> None:
    """Kill and start again, some of them before it has got anywhere, while faults come and go."""
    dice = random.Random(seed)
    lasting = await here.begin("peers_drop", 1, peers=1)
    passing: list[int] = []
    kept = None
    for turn in range(count):
        daemon = await here.start()
        if turn % 4 == 3:
            await asyncio.sleep(dice.uniform(0.05, 1.2))  # it may not even have opened its store
        else:
            await daemon.ready()
            kept = kept or here.kept()
            await asyncio.sleep(dice.uniform(0.0, 1.5))
            if turn == 0:
                await daemon.until_said("opened", "peers_low")
        await daemon.kill()
        if kept is not None:
            await kept.check()
        await here.end(*passing)
        passing = [await here.begin(dice.choice(("node_down", "rpc_down", "metrics_down")), dice.choice((2, 3)))] if turn % 2 else []
    await here.end(*passing)
    last = await (await here.start()).ready()
    assert kept is not None
    await last.until(lambda: last.lines)
    (first, *_) = await kept.incidents()
    assert (first["rule"], first["state"]) == ("peers_low", "triggered"), "the one that lasted is still the first, and open"
    assert (await kept.timeline(1)).count("opened") == 1 and "reopened" not in await kept.timeline(1)
    await here.end(lasting)
    rows = await resolved(kept)
    await kept.check()
    assert {row["state"] for row in await kept.alerts()} == {"resolved"}
    assert len({(row["rule"], row["validators"]) for row in rows}) == len(rows), "what came back soon reopened its incident"
    assert await last.stop() == 0
    kept.close()


async def test_ten_kills(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await kills(here, 10, seed=1)


@pytest.mark.real
async def test_kills_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    async with place(tmp_path, postgres_url) as here:
        await kills(here, 3, seed=2)


async def test_what_people_said_survives_and_one_daemon_at_a_time(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.begin("peers_drop", 1, peers=1)
        ending = await here.begin("node_down", 2)
        first = await (await here.start()).ready()
        assert (await gizzi("silence", "rpc_down", "--for", "1h", "--why", "known", cwd=tmp_path)).returncode == 0
        await first.until_said("opened", "peers_low")
        await first.until_said("opened", "node_down")
        kept = here.kept()
        number = next(row["id"] for row in await kept.incidents() if row["rule"] == "peers_low")
        assert (await gizzi("ack", f"inc-{number}", cwd=tmp_path)).returncode == 0
        await here.begin("rpc_down", 3)
        await first.until(
            lambda: _rows(tmp_path, "select count(*) from alerts where rule = 'rpc_down' and muted like 'silenced%'") == [(1,)]
        )

        second = await here.start()
        assert await asyncio.wait_for(second.process.wait(), 20) == 1
        await second.stop()
        assert len(second.lines) == 1 and "already watches with sqlite:///" in second.said and f":{first.process.pid})" in second.said

        await first.kill()
        await here.end(ending)
        third = await (await here.start()).ready()
        await third.until_said("resolved", "node_down")
        await asyncio.sleep(1.0)
        rows = {row["rule"]: row for row in await kept.incidents()}
        assert rows["peers_low"]["state"] == "acknowledged" and rows["peers_low"]["acknowledged_by"]
        assert rows["node_down"]["state"] == "resolved" and "rpc_down" not in rows, "still silenced"
        assert (await kept.timeline(rows["node_down"]["id"]))[-1] == "resolved"
        await kept.check()
        assert await third.stop() == 0
        fourth = await (await here.start()).ready()
        assert await fourth.stop() == 0, "after a clean end it starts at once too"
        kept.close()


def _rows(folder: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "gizzi.db")) as connection:
        return connection.execute(query).fetchall()


async def seen(daemon: Daemon, number: int, **wanted: Any) -> None:
    """It goes on watching and answering: soon its status of that validator is so."""
    async with asyncio.timeout(60):
        while not wanted.items() <= (await daemon.statuses())[number].items():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def test_a_locked_store_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        daemon = await (await here.start()).ready()
        await daemon.until(lambda: len(_rows(tmp_path, "select * from meta where key = 'lease'")) == 1)
        other = sqlite3.connect(tmp_path / "gizzi.db", isolation_level=None)
        other.execute("begin immediate")
        ending = await here.begin("rpc_down", 2)
        await here.begin("peers_drop", 1, peers=1)
        said = await daemon.until_said("store_failed", "locked", within_s=60)
        assert " error " in said
        await seen(daemon, 3, health="healthy")
        await seen(daemon, 1, peers=1, health="critical")
        await seen(daemon, 2, health="critical")
        assert (await daemon.get("/health"))["status"] == "store_failing"
        await here.end(ending)
        await asyncio.sleep(3.0)
        assert daemon.process.returncode is None and _rows(tmp_path, "select * from incidents") == []
        assert "opened" not in daemon.said, "what is not kept is not told"
        other.execute("rollback")
        other.close()
        await daemon.until_said("store_works_again", within_s=60)
        await daemon.until_said("opened", "peers_low")
        await daemon.until_said("resolved", "rpc_down")
        kept = here.kept()
        await kept.check()
        assert [(row["rule"], row["state"]) for row in await kept.incidents()] in (
            [("rpc_down", "resolved"), ("peers_low", "triggered")],
            [("peers_low", "triggered"), ("rpc_down", "resolved")],
        )
        assert (await daemon.get("/health"))["status"] == "ok"
        statuses = await daemon.statuses()
        assert [statuses[n]["health"] for n in (2, 3, 4)] == ["healthy"] * 3
        assert await daemon.stop() == 0
        kept.close()


async def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """The daemon may not make any file larger, as on a disk that is full."""
    async with place(tmp_path) as here:
        daemon = await (await here.start()).ready()
        await daemon.until(lambda: len(_rows(tmp_path, "select * from meta where key = 'lease'")) == 1)
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1024, before[1]))
        await here.begin("peers_drop", 1, peers=1)
        await daemon.until_said("store_failed", "the store sqlite", within_s=30)
        await seen(daemon, 3, health="healthy")
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, before)
        await daemon.until_said("opened", "peers_low")
        await daemon.until_said("store_works_again")
        kept = here.kept()
        await kept.check()
        assert [row["rule"] for row in await kept.incidents()] == ["peers_low"]
        assert await daemon.stop() == 0
        kept.close()


@pytest.mark.real
async def test_a_database_server_that_goes_away_or_hangs_and_comes_back(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gizzi.store.store.LONGEST_S", 1.0)
    direct = make_url(postgres_url)
    async with proxy(direct.port or 0) as way:
        url = direct.set(port=way.port).render_as_string(hide_password=False)
        with contextlib.closing(await asyncio.to_thread(open_store, url)) as store:
            await store.take_lease("host:1", 100.0, lambda _: True)
            way.cut()
            with pytest.raises(StoreError, match="the store postgresql"):
                await store.take_lease("host:1", 105.0, lambda _: True)
            way.mend()
            await store.take_lease("host:1", 110.0, lambda _: True)
            way.mute()
            with pytest.raises(StoreError, match="did not answer in 1 s"):
                await store.take_lease("host:1", 115.0, lambda _: True)
            with pytest.raises(StoreError, match="still does not answer"):
                await store.take_lease("host:1", 120.0, lambda _: True)
            way.mend()
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(StoreError):
                        await store.take_lease("host:1", 125.0, lambda _: True)
                        break
                    await asyncio.sleep(0.1)
            assert await store.lease() == ("host:1", 125.0)
            await store.drop_lease("host:1")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
async def test_of_two_that_start_at_the_same_moment_one_watches(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/gizzi.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    stores = [open_store(url), open_store(url)]
    try:
        for turn in range(15):
            now = 1000.0 + 100 * turn  # the lease of the turn before has run out
            took = await asyncio.gather(
                *(store.take_lease(f"host:{i}", now, lambda _: False) for i, store in enumerate(stores)), return_exceptions=True
            )
            refused = [one for one in took if one is not None]
            assert len(refused) == 1 and isinstance(refused[0], StoreTaken), took
    finally:
        for store in stores:
            store.close()

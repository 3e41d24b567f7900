"""A ledger on a disk that fills up, or that nobody may write: one clear line, and the books are right once there is room again."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import text

from conftest import missing
from gizzi.errors import StoreError
from gizzi.models.router import Router
from gizzi.store import open_store
from tools.loopback import Request
from tools.models import settings_for
from tools.providers import chat, provider

QUESTION = "What is the capital of France?"
COST_USD = Decimal(18) / 1_000_000


class Disk(Protocol):
    folder: Path

    def fill(self) -> None: ...

    def empty(self) -> None: ...


class Limited:
    """No file of this process may grow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        largest = max(path.stat().st_size for path in self.folder.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, self._before[1]))

    def empty(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


class Small:
    """A file system of two megabytes in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=False).returncode:
        missing("only root may mount a file system here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def remount(mode: str, folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", folder], check=True)


@pytest.fixture(params=["limit", pytest.param("tmpfs", marks=pytest.mark.real)])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    made: Disk = Limited(tmp_path) if request.param == "limit" else Small(request.getfixturevalue("mounted"))
    yield made
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ledger(folder: Path) -> tuple[list[Any], int]:
    """Entry, outcome and US$ of each; and how many are open."""
    store = open_store(f"sqlite:///{folder}/gizzi.db")
    rows = store.run_now(lambda c: c.execute(text("select entry, outcome, usd from ledger_entries order by at, entry")).all())
    still_open = store.run_now(lambda c: c.execute(text("select count(*) from ledger_open")).scalar_one())
    store.close()
    return [tuple(row) for row in rows], still_open


def one_line(error: pytest.ExceptionInfo[StoreError], *says: str) -> None:
    told = str(error.value)
    assert told.isprintable() and all(words in told for words in says), told


async def test_full_before_a_call_nobody_is_asked(disk: Disk) -> None:
    async with provider(chat()) as fake, Router(settings_for(fake.url, disk.folder, cache={"ttl": "0s"})) as router:
        await router.ask(QUESTION)
        disk.fill()
        with pytest.raises(StoreError) as refused:
            for _ in range(100):  # what was there may still hold a few
                await router.ask(QUESTION)
        answered = fake.calls
        disk.empty()
        one_line(refused, "gizzi.db")
        await router.ask(QUESTION)
        assert fake.calls == answered + 1
        assert (await router.left()).day_usd == 5 - fake.calls * COST_USD
    rows, still_open = ledger(disk.folder)
    assert [row[1:] for row in rows if row[0] == "settle"] == [("answered", "0.000018")] * fake.calls and not still_open


async def test_full_during_a_call_its_cost_counts_and_is_written_later(disk: Disk) -> None:
    def full_meanwhile(request: Request) -> bytes:
        disk.fill()
        return chat()

    async with provider(full_meanwhile) as fake, Router(settings_for(fake.url, disk.folder, cache={"ttl": "0s"})) as router:
        with pytest.raises(StoreError) as unwritten:
            await router.ask(QUESTION)
        one_line(unwritten, "the cost of a call to mine/m could not be written, it counts at its estimate of $0.00")
        reserved = 5 - (await router.left()).day_usd
        disk.empty()
        assert reserved > COST_USD, "at its estimate"
        fake.replies[:] = [chat()]
        await router.ask(QUESTION)
        assert (await router.left()).day_usd == 5 - 2 * COST_USD
    rows, still_open = ledger(disk.folder)
    assert [row[1:] for row in rows if row[0] == "settle"] == [("answered", "0.000018")] * 2 and not still_open


@pytest.mark.real
async def test_a_disk_that_may_only_be_read(mounted: Path) -> None:
    async with provider(chat()) as fake:
        settings = settings_for(fake.url, mounted, cache={"ttl": "0s"})
        async with Router(settings) as router:
            await router.ask(QUESTION)
        remount("ro", mounted)
        async with Router(settings) as router:
            with pytest.raises(StoreError) as refused:
                await router.ask(QUESTION)
        one_line(refused, "gizzi.db", "let this user write there")
        assert fake.calls == 1
        remount("rw", mounted)
        async with Router(settings) as router:
            await router.ask(QUESTION)
            assert (await router.left()).day_usd == 5 - 2 * COST_USD

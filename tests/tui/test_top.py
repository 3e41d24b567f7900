"""`gizzi top` by Textual's pilot: what is on the screen, and what its keys do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gizzi.config import load
from gizzi.errors import SourceError
from gizzi.tui import top as top_module
from gizzi.tui.feed import DaemonFeed, OwnFeed, open_feed
from gizzi.tui.top import Top
from tools.fleet import served, settings_of, write_config
from tools.topped import Watched, daemon_on

pytestmark = pytest.mark.timeout(300)
FEW_PEERS = {"kind": "peers_drop", "validators": [3], "peers": 1, "clears_on": "restart"}
HOSTILE = "evil [bold red]x[/] \x1b[2J\x07 \u202e" + "A" * 400


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_module, "EVERY_S", 0.2)


class Screen:
    """What a person sees and types."""

    def __init__(self, top: Top, pilot: Pilot[Any]) -> None:
        self.top = top
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        size = self.top.size
        return [strip.text for strip in self.top.screen._compositor.render_strips(size)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def until(self, *words: str, without: str | None = None, within_s: float = 90.0) -> None:
        """Wait until all these words are on the screen."""
        try:
            async with asyncio.timeout(within_s):
                while not (all(word in self.text for word in words) and (without is None or without not in self.text)):
                    await self.pilot.pause(0.1)
        except TimeoutError:
            pytest.fail(f"{words} (without {without!r}) not on the screen:\n{self.text}\n{self.top.fault!r}")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)


@asynccontextmanager
async def showing(watched: Watched, size: tuple[int, int] = (80, 24), *, may_answer: bool = True) -> AsyncIterator[Screen]:
    settings = load(watched.config)
    async with open_feed(settings) as feed:
        assert isinstance(feed, DaemonFeed)
        top = Top(settings, feed, by="ann", may_answer=may_answer)
        async with top.run_test(size=size) as pilot:
            yield Screen(top, pilot)
        assert top.fault is None


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 16), (40, 10)])
async def test_the_fleet_and_its_incident_are_seen_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with daemon_on(tmp_path, FEW_PEERS) as watched, showing(watched, size) as screen:
        await screen.until("4 valid", "inc-1", "live from the daemon at http://127.0.0.1:" if size[0] >= 80 else "live from")
        await screen.until("✗" if size[0] < 60 else "✗ critical")
        assert all(len(line) == size[0] for line in screen.lines)
        if size[0] >= 80:
            await screen.until("✗ 1 critical", "high", "1 open", "q quit")
        if size[0] >= 200:
            await screen.until("What a restart stands on", "Quorum and restarts left")
        assert screen.top.fault is None


async def test_keys_filter_sort_open_and_resize(tmp_path: Path) -> None:
    async with daemon_on(tmp_path, FEW_PEERS) as watched, showing(watched) as screen:
        await screen.until("✗ critical", "inc-1")
        first = screen.lines[4]
        await screen.press("s")
        await screen.until("by health")
        assert screen.lines[4] != first and "✗ critical" in screen.lines[4], "the worst stands first"
        await screen.press("slash", *"critical", "enter")
        await screen.until("1 of 4", "with 'critical'", without="✓ healthy\n")
        await screen.press("escape")
        await screen.until("by health", without="with 'critical'")
        await screen.press("2", "enter")
        await screen.until("Evidence", "Timeline", "peers = 1")
        await screen.press("escape", "1", "enter")
        await screen.until("What a restart stands on", "Observations")
        await screen.press("question_mark")
        await screen.until("acknowledge the incident")
        await screen.press("escape", "p")
        await screen.until("Quorum and restarts left", "authorities")
        await screen.pilot.resize_terminal(200, 50)
        await screen.press("escape")
        await screen.until("What a restart stands on", "Spend on models", "inc-1")


async def test_an_incident_is_acknowledged(tmp_path: Path) -> None:
    async with daemon_on(tmp_path, FEW_PEERS) as watched, showing(watched) as screen:
        await screen.until("inc-1")
        await screen.press("k")
        await screen.until("choose an incident first")
        await screen.press("2", "k")
        await screen.until("inc-1 is acknowledged by ann", "seen")
        assert (await watched.app.desk.incident("inc-1"))["acknowledged_by"] == "ann"


async def test_a_person_approves_once_by_typing_the_number_back(tmp_path: Path) -> None:
    async with daemon_on(tmp_path, FEW_PEERS) as watched, showing(watched) as screen:
        await screen.press("a")
        await screen.until("no approval waits")
        await watched.want_restart(3)
        await screen.until("1 waiting for a person", "restart validator 3")
        await screen.press("a")
        await screen.until("Type the validator's number to approve it", "it has one peer", "asks since")
        await screen.press(*"q4", "enter")
        await screen.until("ap-1 still waits: that is not its validator's number")
        assert await watched.approvals() == [("waiting", None)]
        await screen.press("3", "enter")
        await screen.until("ap-1 is approved by ann")
        await watched.until_answered("used", "ann")
        await screen.press("a")
        await screen.until("no approval waits")


async def test_a_person_denies_and_says_why(tmp_path: Path) -> None:
    async with daemon_on(tmp_path) as watched, showing(watched) as screen:
        await watched.want_restart(2)
        await screen.until("restart validator 2")
        await screen.press("d", "escape")
        await screen.until("ap-1 still waits")
        await screen.press("d", "enter")
        await screen.until("say why, in a few words")
        await screen.press(*"no", "enter", "2", "enter")
        await screen.until("ap-1 is denied by ann")
        assert (await watched.app.actions.approval("ap-1"))["why"] == "no"


async def test_inside_a_coding_agent_nobody_may_answer(tmp_path: Path) -> None:
    async with daemon_on(tmp_path) as watched, showing(watched, may_answer=False) as screen:
        await watched.want_restart(2)
        await screen.until("restart validator 2")
        await screen.press("a")
        await screen.until("approvals are for people")
        assert await watched.approvals() == [("waiting", None)]


async def test_a_lost_daemon_is_told_and_found_again(tmp_path: Path) -> None:
    async with daemon_on(tmp_path) as watched, showing(watched) as screen:
        await screen.until("4 validators", "live from")
        watched.task.cancel()
        await screen.until("! ", "daemon", "ago")
        assert "✓ healthy" in screen.text or "? unknown" in screen.text, "what was seen last stays"


async def test_hostile_names_and_words_are_plain_text(tmp_path: Path) -> None:
    async with daemon_on(tmp_path) as watched, showing(watched, (200, 50)) as screen:
        watched.app.watch.statuses = lambda: [  # type: ignore[method-assign]
            {**status, "name": HOSTILE, "chain": HOSTILE, "version": HOSTILE, "reasons": [HOSTILE], "health": "warning"}
            for status in type(watched.app.watch).statuses(watched.app.watch)
        ]
        await watched.want_restart(2, HOSTILE)
        await screen.until("evil [bold red]x[/]", "ap-1")
        assert all(line.isprintable() for line in screen.lines) and all(len(line) == 200 for line in screen.lines)
        await screen.press("3", "enter")
        await screen.until("because", "evil [bold red]x[/]")
        assert screen.text.replace("\n", "").isprintable()


async def test_without_a_daemon_it_watches_itself(tmp_path: Path) -> None:
    async with served(4, FEW_PEERS) as server:
        settings = load(write_config(tmp_path, server))
        async with open_feed(settings) as feed:
            assert isinstance(feed, OwnFeed)
            top = Top(settings, feed, by="ann", may_answer=True)
            async with top.run_test(size=(80, 24)) as pilot:
                screen = Screen(top, pilot)
                await screen.until("no daemon watches this fleet: watching it here", "inc-1", "✗ critical")
                await screen.press("q")
            assert top.fault is None


async def test_a_store_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(4) as server, open_feed(settings_of(server)) as feed:
        top = Top(settings_of(server), feed, by="ann", may_answer=True)
        async with top.run_test(size=(80, 24)) as pilot:
            screen = Screen(top, pilot)
            await screen.until("✓ healthy")

            async def fails(**_: Any) -> None:
                raise SourceError("refused", "the store is gone\x1b[2J")

            monkeypatch.setattr(feed.desk, "incidents", fails)
            await screen.until("! the store is gone [2J", "✓ healthy")

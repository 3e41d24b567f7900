"""The live screen itself: looks again every two seconds, and hands people's words on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import work
from textual.app import App
from textual.binding import Binding, BindingType

from gizzi.clock import duration_text
from gizzi.config import Settings
from gizzi.engine.act.desk import ONLY_PEOPLE
from gizzi.errors import GizziError
from gizzi.screen.incident import incident_page
from gizzi.screen.words import clean
from gizzi.tui import pages
from gizzi.tui.feed import Feed, Looker, Seen
from gizzi.tui.lists import Lists
from gizzi.tui.screens import Answer, Page, Subject

EVERY_S = 2.0
SAID_FOR_S = 12.0
"""How long the answer to a key stays in the last line but one."""


class Top(App[BaseException | None]):
    """by: the person at the keyboard, under whose name answers are kept. may_answer: False inside a coding agent, where nobody may."""

    CSS_PATH = "top.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", show=False, priority=False),
        Binding("question_mark", "help", show=False),
        Binding("p", "panels", show=False),
        Binding("a", "answer(True)", show=False),
        Binding("d", "answer(False)", show=False),
        Binding("k", "acknowledge", show=False),
    ]

    def __init__(self, settings: Settings, feed: Feed, *, by: str, may_answer: bool) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self._settings = settings
        self._feed = feed
        self._by = by
        self._may_answer = may_answer
        self._looker = Looker(feed)
        self._again = asyncio.Event()
        self._said: tuple[float, Text] | None = None

    def get_default_screen(self) -> Lists:
        return Lists(self._settings.network.name, self._looker.trends, self._beside)

    def on_ready(self) -> None:
        self._keep_looking()

    @work(exclusive=True)
    async def _keep_looking(self) -> None:
        while self.is_running:
            self._again.clear()
            self._looker.wanted, self._looker.wants_panels = self._wanted()
            self._draw(await self._looker.look())
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._again.wait()
            except TimeoutError:
                pass

    def _wanted(self) -> tuple[int | str | None, bool]:
        """Of what the details are on the screen, and whether panels are."""
        screen = self.screen
        subject = screen.subject if isinstance(screen, Page) or (isinstance(screen, Lists) and screen.is_wide) else None
        panels = isinstance(screen, Page) and screen.subject == PANELS
        wide = isinstance(screen, Lists) and screen.is_wide
        return (subject[1] if subject and subject[0] in ("validator", "incident") else None), panels or wide

    def _draw(self, seen: Seen) -> None:
        if not self.is_running:  # it is ending, and parts of its screens are gone already
            return
        for screen in self.screen_stack:
            if isinstance(screen, Lists | Page) and screen.is_current:
                screen.show(seen, self._state(seen))

    def _state(self, seen: Seen) -> Text:
        """The line that says where all this comes from, what is wrong with it, or what a key did."""
        if self._said is not None and self._feed.clock.now() - self._said[0] < SAID_FOR_S:
            return self._said[1]
        if not seen.trouble:
            return Text(clean(self._feed.words), "dim", no_wrap=True, overflow="ellipsis")
        old = "" if seen.seen_at is None or seen.at - seen.seen_at < EVERY_S else f" (seen {duration_text(seen.at - seen.seen_at)} ago)"
        return Text(f"! {clean('; '.join(seen.trouble))}{old}", "bold red", overflow="fold")

    def _say(self, words: str, style: str = "bold") -> None:
        self._said = (self._feed.clock.now(), Text(clean(words), style, overflow="fold"))
        self._draw(self._looker.seen)
        self._again.set()

    # What is shown

    def _beside(self, subject: Subject | None, seen: Seen, width: int) -> RenderableType:
        return self._drawn(subject, seen, width) if subject else Text()

    def _drawn(self, subject: Subject, seen: Seen, width: int) -> RenderableType:
        kind, key = subject
        if kind == "validator":
            status = next((status for status in seen.statuses if status["number"] == key), None)
            if status is None:
                return Text(f"validator {key} is not watched any more", "dim")
            return pages.validator_page(status, seen.detail, self._looker.trends, width, seen.at)
        if kind == "approval":
            approval = next((row for row in seen.approvals if row["id"] == key), None)
            return pages.approval_page(approval, seen.at) if approval else Text(f"{key} waits no more", "dim")
        if seen.incident is None or seen.incident["id"] != key:
            return Text(f"reading {key} …", "dim")
        return Group(*incident_page(dict(seen.incident), width=None))

    def on_listing_opened(self) -> None:
        subject = self._subject()
        if subject is not None:
            self._open(Page(lambda seen, width: self._drawn(subject, seen, width), subject))

    def on_listing_moved(self) -> None:
        self._again.set()

    def action_help(self) -> None:
        if not isinstance(self.screen, Answer):
            self._open(Page(lambda seen, width: pages.help_page()))

    def action_panels(self) -> None:
        if not isinstance(self.screen, Answer):
            self._open(Page(lambda seen, width: pages.panels_page(seen.panels, width), PANELS))

    def action_close(self) -> None:
        if len(self.screen_stack) > 1:
            self.pop_screen()
            self._draw(self._looker.seen)
            self._again.set()

    def _open(self, page: Page) -> None:
        if isinstance(self.screen, Page):
            self.switch_screen(page)
        else:
            self.push_screen(page)
        self.call_after_refresh(lambda: self._draw(self._looker.seen))
        self._again.set()

    # What people say

    def _subject(self) -> Subject | None:
        return self.screen.subject if isinstance(self.screen, Lists | Page) else None

    def _approval(self) -> Mapping[str, Any] | None:
        """The one the cursor is about; the only one that waits, where it is about none."""
        waiting = self._looker.seen.approvals
        kind, key = self._subject() or ("", None)
        field = {"approval": "id", "incident": "incident", "validator": "validator"}.get(kind)
        about = [row for row in waiting if field is not None and row[field] == key]
        if about or len(waiting) == 1:
            return (about or waiting)[0]
        if waiting and isinstance(self.screen, Lists):
            self.screen.action_go("approvals")
        self._say("choose one of the approvals, then press it again" if waiting else "no approval waits")
        return None

    @work
    async def action_answer(self, yes: bool) -> None:
        if not self._may_answer:
            self._say(ONLY_PEOPLE, "bold red")
            return
        approval = None if isinstance(self.screen, Answer) else self._approval()
        if approval is None:
            return
        why = await self.push_screen_wait(Answer(approval, yes=yes, now=self._feed.clock.now()))
        if why is None:
            self._say(f"{approval['id']} still waits")
            return
        try:
            decided = await self._feed.actions.decide(approval["id"], yes=yes, by=self._by, why=why)
        except GizziError as error:
            self._say(str(error), "bold red")
        else:
            self._say(f"{decided['id']} is {decided['state']} by {self._by}", "bold green")

    @work
    async def action_acknowledge(self) -> None:
        kind, key = self._subject() or ("", "")
        if kind != "incident":
            self._say("choose an incident first: 2, then the arrows")
            return
        try:
            await self._feed.desk.acknowledge(str(key), self._by)
        except GizziError as error:
            self._say(str(error), "bold red")
        else:
            self._say(f"{key} is acknowledged by {self._by}", "bold green")

    def _handle_exception(self, error: Exception) -> None:
        """A fault in here ends the screen and is told by the command, as one line."""
        self.fault = self.fault or error
        self.exit(error)

    fault: Exception | None = None


PANELS: Subject = ("panels", None)

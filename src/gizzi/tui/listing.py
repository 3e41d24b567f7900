"""A list with a cursor. Only the lines on the screen are drawn, so a thousand rows cost no more than thirty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

Row = Mapping[str, Any]
CHOSEN, PLAIN = "▸", " "


class Listing(ScrollView, can_focus=True):
    """draw: one row as a line of that width. key: what a row is known by while the list changes around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

    class Opened(Message):
        """A row is to be shown in full."""

    def __init__(self, draw: Callable[[Row, int], Text], key: str, empty: str, **more: Any) -> None:
        super().__init__(**more)
        self._draw = draw
        self._key = key
        self._empty = empty
        self._rows: Sequence[Row] = ()
        self._cursor = 0

    @property
    def row(self) -> Row | None:
        """The one under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def __len__(self) -> int:
        return len(self._rows)

    def show(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Take these; the cursor stays on its row, or near where that was."""
        before = self.row
        at = next((i for i, row in enumerate(rows) if before is not None and row[self._key] == before[self._key]), None)
        self._rows = rows
        self._empty = empty or self._empty
        self._cursor = at if at is not None else max(0, min(self._cursor, len(rows) - 1))
        self.virtual_size = Size(self.size.width, max(1, len(rows)))
        if at is not None and before is not None and not self._is_visible(at):
            self._follow()
        self.refresh()

    def choose(self, key: object) -> None:
        """Put the cursor on that row, where it is there."""
        at = next((i for i, row in enumerate(self._rows) if row[self._key] == key), None)
        if at is not None:
            self._cursor = at
            self._follow()
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = y + self.scroll_offset.y
        if at >= len(self._rows):
            line = Text(f"{PLAIN} {self._empty}" if y == 0 and not self._rows else "", "dim")
        else:
            line = Text(f"{CHOSEN if at == self._cursor else PLAIN} ") + self._draw(self._rows[at], width - 2)
        line.truncate(width, overflow="ellipsis", pad=True)
        if at == self._cursor and self._rows and self.has_focus:
            return Strip([Segment(line.plain, Style(reverse=True))], width)
        return Strip(line.render(self.app.console), width)

    def action_move(self, by: int) -> None:
        to = max(0, min(self._cursor + by, len(self._rows) - 1))
        if to != self._cursor:
            self._cursor = to
            self._follow()
            self.refresh()
            self.post_message(self.Moved())

    def action_open(self) -> None:
        if self._rows:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        at = event.y + self.scroll_offset.y
        if at < len(self._rows):
            again = at == self._cursor
            self.action_move(at - self._cursor)
            if again and event.chain > 1:
                self.action_open()

    def on_focus(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def on_blur(self) -> None:
        self.refresh()

    def on_resize(self) -> None:
        self._follow()

    def _is_visible(self, at: int) -> bool:
        return self.scroll_offset.y <= at < self.scroll_offset.y + self.size.height

    def _follow(self) -> None:
        self.scroll_to_region(Region(0, self._cursor, 1, 1), animate=False, force=True)

"""What lies over the lists: one thing in full, and the question before a person's yes or no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from gizzi.tui.feed import Seen
from gizzi.tui.pages import approval_page

Subject = tuple[str, Any]
"""("validator", number), ("incident", id) or ("approval", id)."""


class Page(Screen[None]):
    """One page, drawn anew at every look. draw: what it shows at that width. subject: what the keys a, d and k are about."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "app.close", show=False)]

    def __init__(self, draw: Callable[[Seen, int], RenderableType], subject: Subject | None = None) -> None:
        super().__init__()
        self._draw = draw
        self.subject = subject
        self.ready = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="page"):
            yield Static(id="paper", markup=False)
        yield Static(id="state", markup=False)
        yield Static(Text("Esc back   a approve   d deny   k acknowledge   ? help   q quit", "dim", no_wrap=True), id="keys", markup=False)

    def on_mount(self) -> None:
        self.ready = True
        self.query_one("#page").focus()

    def show(self, seen: Seen, state: Text) -> None:
        if not self.ready:
            return
        self.query_one("#paper", Static).update(self._draw(seen, max(20, self.size.width - 4)))
        self.query_one("#state", Static).update(state)


class Answer(ModalScreen[str | None]):
    """Shows what is asked for. Closes with the reason (empty for a yes) once the validator's number was typed back, with None otherwise."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, approval: Mapping[str, Any], *, yes: bool, now: float) -> None:
        super().__init__()
        self._approval = approval
        self._yes = yes
        self._now = now

    def compose(self) -> ComposeResult:
        verb = "approve" if self._yes else "deny"
        with Vertical(id="question"):
            with VerticalScroll(id="asked"):
                yield Static(approval_page(self._approval, self._now), markup=False)
            if not self._yes:
                yield Static(Text("Why not? Others read it later.", "bold"), markup=False)
                yield Input(id="why", max_length=500, compact=True)
            yield Static(Text(f"Type the validator's number to {verb} it; Esc goes back.", "bold"), markup=False)
            yield Input(id="number", max_length=20, compact=True)
            yield Static(id="fault", markup=False)

    def on_mount(self) -> None:
        self.query_one("#asked").can_focus = False
        self.query_one("#number" if self._yes else "#why").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        why = "" if self._yes else self.query_one("#why", Input).value.strip()
        number = self.query_one("#number", Input)
        if event.input.id == "why" and why:
            number.focus()
        elif not self._yes and not why:
            self._say("say why, in a few words")
        elif number.value.strip() != str(self._approval["validator"]):
            number.value = ""
            self._say(f"{self._approval['id']} still waits: that is not its validator's number")
        else:
            self.dismiss(why)

    def _say(self, words: str) -> None:
        self.query_one("#fault", Static).update(Text(words, "bold red"))

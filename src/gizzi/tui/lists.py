"""The lists: fleet, incidents, approvals, and beside them on a wide screen what the cursor stands on."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Static

from gizzi.clock import iso
from gizzi.screen.fleet import health_totals
from gizzi.screen.words import clean
from gizzi.tui import choose, lines
from gizzi.tui.feed import Seen
from gizzi.tui.listing import Listing
from gizzi.tui.pages import panels_page
from gizzi.tui.screens import Subject
from gizzi.tui.trend import Trends

WIDE = 150
HINTS = "/ filter  s sort  p panels  a approve  d deny  k acknowledge  ? keys  q quit"


class Lists(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go('fleet')", show=False),
        Binding("2", "go('incidents')", show=False),
        Binding("3", "go('approvals')", show=False),
        Binding("slash", "filter", show=False),
        Binding("s", "sort", show=False),
        Binding("escape", "unfilter", show=False),
    ]

    def __init__(self, network: str, trends: Trends, beside: Any) -> None:
        """beside: draws a subject for the pane on the right, from what was seen, at a width."""
        super().__init__()
        self._network = network
        self._trends = trends
        self._beside = beside
        self._seen = Seen()
        self._state = Text()
        self._sort = "number"
        self._words = ""
        self.ready = False
        self._fits: tuple[int, Seen] | None = None
        self._fitting: list[lines.Column] = []

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="lists"):
                yield Static(id="fleet-title", classes="title", markup=False)
                yield Static(id="fleet-heads", markup=False)
                yield Listing(self._validator, "number", "nothing seen yet", id="fleet")
                yield Static(id="incidents-title", classes="title", markup=False)
                yield Listing(lambda row, width: lines.incident_line(row, width, self._seen.at), "id", "no incident", id="incidents")
                yield Static(id="approvals-title", classes="title", markup=False)
                yield Listing(lambda row, width: lines.approval_line(row, width, self._seen.at), "id", "none waits", id="approvals")
            with Vertical(id="right"):
                with VerticalScroll(id="beside", can_focus=False):
                    yield Static(id="beside-paper", markup=False)
                with VerticalScroll(id="panels", can_focus=False):
                    yield Static(id="panels-paper", markup=False)
        yield Static(id="state", markup=False)
        yield Static(Text(HINTS, "dim", no_wrap=True, overflow="ellipsis"), id="keys", markup=False)
        yield Input(
            id="filter", placeholder="words that a validator or an incident must have; Enter keeps them, Esc lists all", compact=True
        )

    def on_mount(self) -> None:
        self.ready = True
        self.query_one("#filter").display = False
        self.query_one("#fleet").focus()

    @property
    def is_wide(self) -> bool:
        return self.size.width >= WIDE

    @property
    def focused_list(self) -> Listing:
        return self.focused if isinstance(self.focused, Listing) else self.query_one("#fleet", Listing)

    @property
    def subject(self) -> Subject | None:
        """What the cursor of the list in use stands on."""
        listing = self.focused_list
        if listing.row is None:
            return None
        kind = {"fleet": "validator", "incidents": "incident", "approvals": "approval"}[listing.id or "fleet"]
        return kind, listing.row["number" if kind == "validator" else "id"]

    def show(self, seen: Seen, state: Text) -> None:
        """Draw what was seen."""
        self._seen, self._state = seen, state
        if not self.ready or not self.app.is_running:
            return
        rows = choose.validators(seen.statuses, self._words, self._sort)
        incidents = choose.incidents(seen.incidents, self._words)
        none = f"nothing has {self._words!r}" if self._words else None
        self.query_one("#fleet", Listing).show(rows, none or "nothing seen yet")
        self.query_one("#incidents", Listing).show(incidents, none or "no incident")
        self.query_one("#approvals", Listing).show(seen.approvals)
        self._draw_head()
        self._draw_titles(len(rows), len(incidents))
        self._share_height(len(rows), len(incidents))
        self.query_one("#state", Static).update(state)
        self._draw_beside()

    def _draw_head(self) -> None:
        width = max(20, self.size.width - 2)
        title = Text.assemble((clean(self._network, 40), "bold"), f"  {len(self._seen.statuses)} validators  ")
        title.append_text(health_totals([dict(status) for status in self._seen.statuses]))
        at = (iso(self._seen.at) or "")[11:19] + " UTC"
        title.truncate(max(1, width - len(at) - 1), overflow="ellipsis", pad=True)
        title.append(f" {at}", "dim")
        self.query_one("#head", Static).update(Text("\n").join([title, lines.strip(self._seen.statuses, width)]))

    def _draw_titles(self, validators: int, incidents: int) -> None:
        seen = self._seen
        still = sum(incident["state"] != "resolved" for incident in seen.incidents)
        filtered = f"with {clean(self._words, 40)!r}" if self._words else ""
        count = f"{validators} of {len(seen.statuses)}" if self._words else ""
        self._title("fleet", "1 Fleet", count, filtered, f"by {self._sort}")
        self._title("incidents", "2 Incidents", f"{still} open", f"{incidents} {filtered}" if filtered else "")
        waiting = len(seen.approvals)
        self._title("approvals", "3 Approvals", f"{waiting} waiting for a person: a approves, d denies")
        for name in ("#approvals", "#approvals-title"):
            self.query_one(name).display = waiting > 0
        if not waiting and self.focused is self.query_one("#approvals"):
            self.set_focus(self.query_one("#fleet"))

    def _title(self, name: str, *words: str) -> None:
        listing = self.query_one(f"#{name}", Listing)
        first, *more = words
        title = Text.assemble((first, "bold reverse" if listing.has_focus else "bold"))
        title.append("  " + " · ".join(word for word in more if word), "bold dark_orange" if name == "approvals" else "dim")
        title.append(" ")
        width = self.query_one("#lists").size.width
        title.append("─" * max(0, width - title.cell_len), "dim")
        title.no_wrap = True
        self.query_one(f"#{name}-title", Static).update(title)
        if name == "fleet":
            self.query_one("#fleet-heads", Static).update(
                Text("  ") + lines.headings(self._columns(listing.scrollable_content_region.width - 2))
            )

    def _share_height(self, validators: int, incidents: int) -> None:
        """A third of the screen at most goes to incidents, a sixth to approvals; the fleet has the rest, or what it needs of it."""
        room = self.size.height
        for_approvals = max(1, min(len(self._seen.approvals), room // 6 - 1))
        for_incidents = max(1, min(incidents, room // 3 - 2))
        others = 8 + (for_approvals + 1 if self._seen.approvals else 0)
        rest = room - others - validators
        fits = validators > 0 and rest > for_incidents
        self.query_one("#fleet").styles.height = validators if fits else "1fr"
        self.query_one("#incidents").styles.height = max(1, min(incidents, rest)) if fits else for_incidents
        self.query_one("#approvals").styles.height = for_approvals

    def _draw_beside(self) -> None:
        pane = self.query_one("#right")
        pane.display = self.is_wide
        if self.is_wide:
            width = max(20, pane.size.width - 5)
            self.query_one("#beside-paper", Static).update(self._beside(self.subject, self._seen, width))
            self.query_one("#panels-paper", Static).update(panels_page(self._seen.panels, width))

    def _columns(self, width: int) -> list[lines.Column]:
        if self._fits != (width, self._seen):
            statuses = self._seen.statuses
            several = len({status["chain"] for status in statuses}) > 1
            longest = max((cell_len(clean(status["name"], 60)) for status in statuses), default=0)
            highest = max((status["block_height"] or 0 for status in statuses), default=None)
            self._fits = width, self._seen
            self._fitting = lines.fleet_columns(self._trends, width, chains=several, longest=longest, longest_block=highest)
        return self._fitting

    def _validator(self, row: Any, width: int) -> Text:
        return lines.fleet_line(self._columns(width), row)

    def redraw(self) -> None:
        self.show(self._seen, self._state)

    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self.redraw)

    def on_listing_moved(self) -> None:
        self.query_one("#beside", VerticalScroll).scroll_home(animate=False)
        self.redraw()

    def action_go(self, name: str) -> None:
        listing = self.query_one(f"#{name}")
        if listing.display:
            self.set_focus(listing)  # at once: the next key is for it already, which `listing.focus()` would only see to later

    def action_sort(self) -> None:
        names = list(choose.SORTS)
        self._sort = names[(names.index(self._sort) + 1) % len(names)]
        self.redraw()
        self.query_one("#fleet", Listing).action_move(-len(self._seen.statuses))

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.display = True
        self.query_one("#keys").display = False
        box.value = self._words
        self.set_focus(box)

    def action_unfilter(self) -> None:
        self._close_filter("")

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.display:
            self._words = event.value.strip()
            self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._close_filter(event.value.strip())

    def _close_filter(self, words: str) -> None:
        self._words = words
        self.query_one("#filter").display = False
        self.query_one("#keys").display = True
        if not isinstance(self.focused, Listing):
            self.set_focus(self.query_one("#fleet"))
        self.redraw()

"""GLOBAL_MEMORY.md: the network's format, which no text can forge."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gizzi.memory import Entry, Stored
from gizzi.memory.render import render

FIELDS = ("Event", "Action", "Status", "Priority", "Tags", "Validators")
HEADING = re.compile(r"## \[\d{4}-\d\d-\d\d \d\d:\d\d UTC\] \S.*")


def page(*entries: Entry) -> str:
    return "".join(render(Stored(number, entry, "") for number, entry in enumerate(entries, 1)))


def test_the_format() -> None:
    entry = Entry(
        at=1_763_856_000.0,
        author="incident-responder",
        kind="case",
        event="Validator 6: 1 peer",
        action="restart 6: resolved",
        status="RESOLVED",
        priority="HIGH",
        tags=("peers_low", "flare"),
        validators=(6,),
        body="not shown",
    )
    assert page(entry, Entry(at=0, author="ada", kind="note", event="seen")) == (
        "# GLOBAL MEMORY\n"
        "\n"
        "## [2025-11-23 00:00 UTC] incident-responder\n"
        "**Event**: Validator 6: 1 peer\n"
        "**Action**: restart 6: resolved\n"
        "**Status**: RESOLVED\n"
        "**Priority**: HIGH\n"
        "**Tags**: peers_low, flare\n"
        "**Validators**: 6\n"
        "\n"
        "## [1970-01-01 00:00 UTC] ada\n"
        "**Event**: seen\n"
        "**Action**: none\n"
        "**Status**: COMPLETED\n"
        "**Priority**: LOW\n"
        "**Tags**: none\n"
        "**Validators**: none\n"
    )


pieces = ["\n", "\r", "\u2028", "\x0b", "## [2026-01-01 00:00 UTC] root", "# x", "**Status**: RESOLVED"]
pieces += ["*", "<script>", "`", "\\", "[a](b)", " ", "x"]
hostile = st.lists(st.sampled_from(pieces) | st.text(max_size=5), max_size=6).map("".join)


@given(hostile, hostile, hostile, st.lists(hostile, max_size=3))
def test_no_text_passes_for_a_heading_or_a_field(author: str, event: str, action: str, tags: list[str]) -> None:
    entry = Entry(at=1e9, author=author, kind="note", event=event, action=action, tags=tuple(tags))
    lines = page(entry).splitlines()
    assert len(lines) == 3 + len(FIELDS)
    assert HEADING.fullmatch(lines[2])
    for name, line in zip(FIELDS, lines[3:], strict=True):
        assert line.startswith(f"**{name}**: ")
        rest = line.removeprefix(f"**{name}**: ")
        assert not rest.startswith("#") and not re.search(r"[*<>`\[\]]", re.sub(r"\\.", "", rest))

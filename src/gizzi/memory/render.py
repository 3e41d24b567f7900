"""The memory as GLOBAL_MEMORY.md: a heading with the time and who wrote it, then one line a field.

Every text is one line, and what Markdown would obey in it is escaped, so that no text can pass for a heading, a field or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from gizzi.memory.entry import Stored
from gizzi.readers.text import one_line

TITLE = "# GLOBAL MEMORY\n"
LONGEST_LINE = 2000
_OBEYED = re.compile(r"([\\`*\[\]<>]|^#)")


def render(entries: Iterable[Stored]) -> Iterator[str]:
    """The file's text, in parts: its title, then the entries in the order they come."""
    yield TITLE
    for stored in entries:
        yield "\n" + section(stored)


def section(stored: Stored) -> str:
    entry = stored.entry
    time = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M")
    fields = {
        "Event": plain(entry.event),
        "Action": plain(entry.action) or "none",
        "Status": entry.status,
        "Priority": entry.priority,
        "Tags": ", ".join(plain(tag) for tag in entry.tags) or "none",
        "Validators": ", ".join(str(number) for number in entry.validators) or "none",
    }
    lines = [f"## [{time} UTC] {plain(entry.author)}", *(f"**{name}**: {text}" for name, text in fields.items())]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """The text on one line, with a backslash before whatever Markdown could take for its own."""
    return _OBEYED.sub(r"\\\1", one_line(text, LONGEST_LINE))

"""`gizzi memory`: what is remembered, whether it is still what was written, and a person's own notes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.text import Text

from gizzi.cli.terminal import clean, console, grid, print_json, say, show, text
from gizzi.cli.words import settings_of, store_exists, who
from gizzi.clock import LiveClock, iso
from gizzi.config import Settings, state_folder
from gizzi.errors import UsageError
from gizzi.memory import PRIORITIES, Entry, Memory, Priority, Stored, keys_of
from gizzi.memory.render import render
from gizzi.store import open_store

PIECE = 500
HEADS = ("entry", "at", "by", "status", "priority", "what")
WIDE = 110
NOT_NARROW = ("by", "status")
"""What a narrower terminal leaves out, so that there is room for what happened."""
IN_MEMORY = "sqlite://"
PRIORITY_STYLE = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "dark_orange", "LOW": "cyan"}


def show_tail(config: Path | None, count: int, *, as_json: bool) -> int:
    async def read(memory: Memory) -> list[Stored]:
        return await memory.tail(count)

    return _show(asyncio.run(with_memory(settings_of(config), read)), as_json=as_json)


def show_search(config: Path | None, words: str, count: int, *, as_json: bool) -> int:
    async def read(memory: Memory) -> list[Stored]:
        return await memory.search(words, count)

    return _show(asyncio.run(with_memory(settings_of(config), read)), as_json=as_json)


def show_verification(config: Path | None, *, as_json: bool) -> int:
    """Exits with 1 where anything was changed."""
    found = asyncio.run(with_memory(settings_of(config), Memory.verify))
    if as_json:
        print_json(found.as_json())
    elif found.ok:
        show(Text(f"the memory is whole: {_count(found.entries)}, each as it was written"))
        if found.entries:
            show(text(f"head {found.head}", "dim"))
    else:
        show(text(f"the memory was changed: {found.fault}", "bold red"))
    if found.ok and not found.trusted and found.entries:
        say("the keys' folder is not here, so the root key was taken from the store: had somebody replaced all of it, it would not show")
    return 0 if found.ok else 1


def export(config: Path | None, to: Path | None, *, as_json: bool) -> int:
    """All of it in the form of GLOBAL_MEMORY.md, or as JSON lines; raises UsageError where the file cannot be written."""
    stored = asyncio.run(with_memory(settings_of(config), everything))
    lines = (json.dumps(entry.as_json()) + "\n" for entry in stored) if as_json else render(stored)
    if to is None:
        sys.stdout.writelines(lines)
        return 0
    try:
        to.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--to {clean(to, 200)}: {error.strerror or type(error).__name__}") from None
    show(text(f"wrote {to}: {_count(len(stored))}"))
    return 0


def add_note(config: Path | None, words: str, *, validators: Sequence[int], tags: Sequence[str], priority: str) -> int:
    """Raises UsageError."""
    chosen: Priority | None = next((known for known in PRIORITIES if known == priority.upper()), None)
    if chosen is None:
        raise UsageError(f"--priority: {clean(priority, 60)!r} is none of {', '.join(PRIORITIES)}")
    if not clean(words):
        raise UsageError("TEXT is empty; say what is to be remembered")
    entry = Entry(
        at=LiveClock().now(),
        author=who(),
        kind="note",
        event=words,
        priority=chosen,
        tags=tuple(tags),
        validators=tuple(validators),
        body=words if clean(words, 1000) != words else "",
    )

    async def add(memory: Memory) -> int:
        return await memory.add(entry)

    number = asyncio.run(with_memory(settings_of(config), add, make=True))
    show(Text(f"remembered as entry {number}, signed by {who()}"))
    return 0


Answer = TypeVar("Answer")


async def with_memory(settings: Settings, work: Callable[[Memory], Awaitable[Answer]], *, make: bool = False) -> Answer:
    """Do that with the memory of the store. A look makes no store: where there is none, the memory is empty."""
    url = settings.store.url
    keys = keys_of(url, state_folder())
    if not make and not store_exists(url):
        say(f"the store {url.removeprefix('sqlite:///')} does not exist yet: nothing was remembered")
        url = IN_MEMORY
    store = open_store(url)
    try:
        return await work(Memory(store, LiveClock(), keys))
    finally:
        store.close()


async def everything(memory: Memory) -> list[Stored]:
    found: list[Stored] = []
    while piece := await memory.since(found[-1].number if found else 0, PIECE):
        found += piece
    return found


def _show(found: Sequence[Stored], *, as_json: bool) -> int:
    if as_json:
        print_json([stored.as_json() for stored in found])
    elif found:
        screen = console()
        lines = [_line(stored) for stored in found]
        if screen.is_terminal:
            lines.insert(0, [Text(head, "dim") for head in HEADS])
        if screen.is_terminal and screen.width < WIDE:
            lines = [[cell for head, cell in zip(HEADS, line, strict=True) if head not in NOT_NARROW] for line in lines]
        show(grid(lines))
    else:
        show("no entry")
    return 0


def _line(stored: Stored) -> list[Text]:
    entry = stored.entry
    told = f"{entry.event} ({entry.action})" if entry.action else entry.event
    return [
        Text(str(stored.number), "dim"),
        Text((iso(entry.at) or "")[:16].replace("T", " "), "dim"),
        text(entry.author, limit=30),
        Text(entry.status),
        Text(entry.priority, PRIORITY_STYLE[entry.priority]),
        text(told),
    ]


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"

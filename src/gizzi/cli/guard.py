"""`gizzi guard`: the kill switch, and the guard alone on JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rich.text import Text

from gizzi.cli.terminal import print_json, show, text
from gizzi.cli.words import opened, settings_of, settings_to_write_to, store_exists, who
from gizzi.clock import LiveClock
from gizzi.config import inside_coding_agent
from gizzi.errors import UsageError
from gizzi.guard.line import LONGEST_LINE_BYTES, answer_line
from gizzi.store import switch


def check_lines() -> int:
    """One answer for each line of standard input, as it comes."""
    for line in _lines(sys.stdin.buffer):
        print_json(answer_line(line), one_a_line=True)
    return 0


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Of a line that is too long only so much is kept that it is seen to be."""
    while line := source.readline(LONGEST_LINE_BYTES + 1):
        kept = line
        while not line.endswith(b"\n") and (line := source.readline(LONGEST_LINE_BYTES)):
            pass
        yield kept.removesuffix(b"\n") if len(kept) <= LONGEST_LINE_BYTES else kept


def show_guard(config: Path | None) -> int:
    settings = settings_of(config)
    state = None
    if store_exists(settings.store.url):
        with opened(settings) as (store, _):
            state = store.run_now(switch.stopped)
    if state is None:
        show(Text("the guard is at work: it allows, asks or denies"))
    else:
        why = f": {state['why']}" if state["why"] else ""
        show(text(f"the guard is stopped since {state['at']} by {state['by']}{why}", "bold red"))
        show(Text("nothing is carried out; `gizzi guard resume` ends it"))
    mode = "asks a person before every write" if settings.policy.mode == "suggest" else "carries out what is allowed"
    show(text(f"mode {settings.policy.mode}: {mode}", "dim"))
    return 0


def stop_guard(config: Path | None, why: str) -> int:
    settings = settings_to_write_to(config)
    with opened(settings) as (store, _):
        store.run_now(lambda connection: switch.set_stopped(connection, LiveClock().now(), who(), why.strip()))
    print("the guard is stopped: no process that uses this store carries anything out until `gizzi guard resume`")
    return 0


def resume_guard(config: Path | None) -> int:
    """A coding agent may stop the guard, but not set it going again."""
    if inside_coding_agent():
        raise UsageError("a person resumes the guard, in a shell of their own: this one belongs to a coding agent (CLAUDECODE is set)")
    settings = settings_to_write_to(config)
    with opened(settings) as (store, _):
        was_stopped = store.run_now(switch.clear_stopped)
    print("the guard is at work again" if was_stopped else "the guard was not stopped")
    return 0

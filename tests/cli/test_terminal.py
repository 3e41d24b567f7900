"""Words of machines in wrong hands do nothing to a terminal, and markup in them is shown as it is."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from gizzi.cli.doctor import doctor_page
from gizzi.cli.logs import _line
from gizzi.cli.status_table import fleet_page
from gizzi.cli.terminal import clean, print_json
from gizzi.engine.known import Known
from gizzi.screen.incident import incident_page, list_page

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]x[/]\r\n\x9b31m\u202eevil\u2028\ud800\x00 :boom:"
AT = "2026-11-22T21:05:33.000Z"
ALERT = {"subject": HOSTILE, "rule": HOSTILE, "severity": "high", "state": "firing", "text": HOSTILE, "validators": [1], "muted": HOSTILE}
INCIDENT: dict[str, Any] = {
    "id": "inc-3",
    "rule": HOSTILE,
    "severity": "high",
    "chain": HOSTILE,
    "validators": [1, 2, 3],
    "state": "acknowledged",
    "opened_at": AT,
    "resolved_at": "2026-11-22T21:09:33.000Z",
    "summary": HOSTILE,
    "decision": {
        "action": "escalate",
        "reasoning": HOSTILE,
        "confidence": 1.0,
        "evidence": [{"observation": HOSTILE, "quote": HOSTILE}],
        "estimated_downtime_min": 2,
        "escalate_to": HOSTILE,
        "tier": HOSTILE,
        "model": HOSTILE,
    },
    "actions": [],
    "cost_usd": "0",
    "acknowledged_by": HOSTILE,
    "merged_into": None,
    "alerts": [ALERT] * 20,
    "timeline": [{"at": AT, "kind": HOSTILE, "text": HOSTILE}] * 3,
}


def validator(number: int, health: str = "healthy", **more: Any) -> dict[str, Any]:
    seen = {"block_height": 1466725, "finalized_height": 1466723, "finalization_lag": 2, "peers": 33, "version": "1.20.2"}
    rest = {"reasons": [], "up": True, "syncing": False, "observed_at": AT}
    return {"number": number, "name": f"node-{number}", "chain": "main", "health": health, **seen, **rest, **more}


NOTHING = {"block_height": None, "finalized_height": None, "finalization_lag": None, "peers": None, "version": None, "observed_at": None}
STATUS = {
    "network": HOSTILE,
    "at": AT,
    "validators": [validator(1, name=HOSTILE, version=HOSTILE, chain=HOSTILE, reasons=[HOSTILE]), validator(2, "unknown", **NOTHING)],
}


def render(parts: list[RenderableType], width: int | None) -> str:
    out = StringIO()
    colours = None if width is None else "truecolor"
    screen = Console(file=out, width=width or 4000, color_system=colours, force_terminal=True, markup=False, highlight=False, emoji=False)
    screen.print(*parts, sep="\n")
    return out.getvalue()


def pages(width: int | None) -> list[str]:
    check = {"ok": False, "text": HOSTILE}
    sources = [{"source": HOSTILE, "ok": False, "kind": "http", "text": HOSTILE}]
    rule = {"rule": HOSTILE, "why": "absent", "needs": [HOSTILE], "sources": [HOSTILE], "optional": False, "text": HOSTILE}
    report = {
        "house": {"store": check},
        "validators": [{"number": 1, "name": HOSTILE, "sources": sources}],
        "rules": {"all": 3, "dead": [rule]},
        "rights": [{"host": HOSTILE, "validators": [1], "ok": False, "text": HOSTILE, "sudoers": HOSTILE}],
        "plugins": [{"where": HOSTILE, "error": HOSTILE}],
        "next": [HOSTILE],
    }
    known = Known(True, [ALERT], [INCIDENT] * 9, None)
    return [
        render(fleet_page(STATUS, known, width=width), width),
        render(fleet_page(STATUS, Known(trouble=HOSTILE), width=width), width),
        render(list_page([INCIDENT], width=width), width),
        render(incident_page(INCIDENT, width=width), width),
        render(doctor_page(report, width=width), width),
    ]


@pytest.mark.parametrize("width", [None, 40, 80, 120, 200])
def test_hostile_words_are_harmless(width: int | None) -> None:
    for page in pages(width):
        for word in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e", "\u2028", "\ud800", "\x00", "\r"):
            assert word not in page
        assert width is None or "\x1b[" in page


def test_markup_is_shown_as_it_is() -> None:
    assert all("[bold red]x[/]" in page for page in pages(None))
    assert any(":boom:" in page for page in pages(None))


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    for page in (
        fleet_page(STATUS, Known(), width=width),
        fleet_page({**STATUS, "validators": [validator(n) for n in range(500)]}, Known(), width=width),
    ):
        out = StringIO()
        Console(file=out, width=width, color_system=None, markup=False).print(*page, sep="\n")
        assert max(len(line.rstrip()) for line in out.getvalue().splitlines()) <= width


def test_health_is_readable_without_colour() -> None:
    page = render(fleet_page({**STATUS, "validators": [validator(1, "critical"), validator(2, "unknown")]}, Known(), width=None), None)
    assert "✗ critical" in page
    assert "? unknown" in page


def test_a_pipe_gets_no_lines_and_plain_figures() -> None:
    page = render(fleet_page({**STATUS, "network": "Ëtrid", "validators": [validator(7)]}, Known(), width=None), None)
    title, head, row, hint = [line.rstrip() for line in page.splitlines()]
    assert title.startswith("Ëtrid   1 validator   ✓ 1 healthy")
    assert head.split() == ["#", "name", "version", "block", "finalized", "lag", "peers", "health", "seen", "why"]
    assert row.split() == ["7", "node-7", "1.20.2", "1466725", "1466723", "2", "33", "✓", "healthy", "now"]
    assert "gizzi watch" in hint


@given(st.text(max_size=300))
def test_clean_text_is_printable(text: str) -> None:
    assert clean(text).isprintable()


LEAVES = st.text(max_size=50) | st.integers() | st.none()


@given(st.recursive(LEAVES, lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3)))
def test_json_stays_valid_and_harmless(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        out = StringIO()
        patch.setattr("sys.stdout", out)
        print_json(value)
    shown = out.getvalue()
    assert json.loads(shown) == value
    assert all(line.isprintable() for line in shown.split("\n"))
    shown.encode("utf-8")


def test_a_log_line_is_one_line() -> None:
    line = _line(None, "", {"timestamp": "t", "level": "info", "event": "opened", "text": HOSTILE, "n": 3, "why": 'say "x"'})
    assert line.isprintable()
    assert line.startswith("t info opened text=")
    assert 'n=3 why="say \\"x\\""' in line

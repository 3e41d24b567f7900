from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.web import shown
from gizzi.web.attention import attention
from gizzi.web.chart import HEIGHT, WIDTH, Band, chart

NOTHING_DONE = "Look at it: nothing was done."
DECISION = {"action": "restart", "reasoning": "few peers"}


def action(**changes: Any) -> dict[str, Any]:
    row = {"action": "restart", "validator": 6, "state": "closed", "outcome": "done", "verdict": "resolved", "reasons": [], "detail": None}
    return {**row, **changes}


def incident(**changes: Any) -> dict[str, Any]:
    row = {"id": "inc-1", "state": "triggered", "decision": DECISION, "actions": [], "acknowledged_by": None, "merged_into": None}
    return {**row, **changes}


@pytest.mark.parametrize(
    ("row", "did", "needs"),
    [
        (incident(decision=None), "Gizzi is looking at it.", ""),
        (incident(), "Gizzi decided to restart it: few peers", ""),
        (incident(decision={"action": "escalate", "reasoning": "two"}), "Gizzi leaves this to a person: two", "Look at it."),
        (incident(actions=[action(state="intent", outcome=None)]), "Gizzi is restarting validator 6 now.", ""),
        (incident(actions=[action(verdict=None)]), "Gizzi restarted validator 6 and is checking whether that helped.", ""),
        (incident(actions=[action(verdict="worse")]), "Gizzi restarted validator 6; it is worse now.", "Look at it."),
        (incident(actions=[action(verdict="worse")], acknowledged_by="anna"), "Gizzi restarted validator 6; it is worse now.", ""),
        (
            incident(actions=[action(outcome=None, detail="anna said no")]),
            "Gizzi did nothing: anna said no.",
            "Look at it: nothing was done.",
        ),
        (incident(state="resolved"), "It ended by itself.", ""),
        (incident(state="resolved", actions=[action()]), "Gizzi restarted validator 6, and that helped.", ""),
    ],
)
def test_what_gizzi_did_and_what_it_needs(row: dict[str, Any], did: str, needs: str) -> None:
    found = attention(row, [])
    assert (found.did, found.needs) == (did, needs)


def test_an_approval_that_waits_comes_first() -> None:
    waiting = {"incident": "inc-1", "action": "restart", "validator": 6, "because": "few peers"}
    found = attention(incident(actions=[action(state="proposed", outcome=None)]), [{**waiting, "incident": "inc-2"}, waiting])
    assert found.approval is waiting and found.needs == "Approve it or deny it."
    assert found.did == "Gizzi wants to restart validator 6: few peers"


known = st.one_of(st.none(), st.integers(0, 2**62), st.floats(0, 1e12))
words = st.text(max_size=30)


@given(
    words, st.lists(known, max_size=40), st.lists(st.tuples(words, st.floats(0, 900), st.one_of(st.none(), st.floats(0, 900))), max_size=5)
)
def test_a_chart_stays_in_its_frame_and_is_well_formed(
    title: str, values: list[float | None], incidents: list[tuple[str, float, float | None]]
) -> None:
    clean = shown.line(title)
    bands = [Band(shown.line(name), at, until) for name, at, until in incidents]
    drawn = chart(clean, [(n * 15.0, value) for n, value in enumerate(values)], bands)
    root = ElementTree.fromstring(str(drawn))
    assert "style=" not in re.sub(r">[^<]*<", "><", str(drawn)).replace(clean, "") or "style=" in clean
    for shape in root.iter("polyline"):
        for pair in shape.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= WIDTH and -0.1 <= y <= HEIGHT
    points = sum(len(shape.attrib["points"].split()) for shape in root.iter("polyline"))
    if points:
        assert points >= sum(value is not None for value in values)


@given(st.text(alphabet=st.characters(), max_size=500))
def test_text_from_outside_is_one_printable_line(text: str) -> None:
    found = shown.line(text, 80)
    assert len(found) <= 80 and found.isprintable() and "\u202e" not in found
    assert all(c.isprintable() or c in "\n\t" for c in shown.block(text))


@pytest.mark.parametrize(
    ("value", "said"),
    [("0", "$0.00"), ("0.0042", "$0.0042"), ("1234.5", "$1,234.50"), ("-0.87", "−$0.87"), ("moon", "unknown"), (None, "unknown")],
)
def test_money(value: Any, said: str) -> None:
    assert shown.usd(value) == said

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gizzi.tui import choose

NUMBERS = st.none() | st.integers(0, 1000)


@st.composite
def fleets(draw: st.DrawFn) -> list[dict[str, Any]]:
    one = st.fixed_dictionaries(
        {
            "name": st.text(max_size=8),
            "chain": st.sampled_from(["relay", "side"]),
            "health": st.sampled_from(["healthy", "warning", "critical", "unknown"]),
            "version": st.none() | st.just("1.20"),
            "reasons": st.lists(st.text(max_size=8), max_size=2),
            "block_height": NUMBERS,
            "finalization_lag": NUMBERS,
            "peers": NUMBERS,
        }
    )
    return [{**v, "number": number} for number, v in enumerate(draw(st.lists(one, max_size=12)))]


@given(fleets(), st.sampled_from(list(choose.SORTS)))
def test_every_sort_keeps_every_validator(fleet: list[dict[str, Any]], sort: str) -> None:
    shown = choose.validators(fleet, "", sort)
    assert sorted(v["number"] for v in shown) == [v["number"] for v in fleet]
    assert shown == choose.validators(list(reversed(fleet)), "", sort), "the order they came in does not matter"


@given(fleets(), st.text(max_size=6))
def test_a_filter_only_leaves_out(fleet: list[dict[str, Any]], words: str) -> None:
    shown = choose.validators(fleet, words, "number")
    assert [v for v in fleet if v in shown] == shown
    assert choose.validators(shown, words, "number") == shown


def test_what_needs_a_look_comes_first() -> None:
    def v(number: int, health: str, lag: int | None, peers: int | None) -> dict[str, Any]:
        about = {
            "name": f"val-{number}",
            "chain": "relay",
            "version": None,
            "reasons": ["2 peers"] if peers == 2 else [],
            "block_height": 5,
        }
        return {**about, "number": number, "health": health, "finalization_lag": lag, "peers": peers}

    fleet = [v(1, "healthy", 2, 30), v(2, "critical", 9, 2), v(3, "unknown", None, None), v(4, "warning", 3, 20)]
    assert [x["number"] for x in choose.validators(fleet, "", "health")] == [2, 4, 3, 1]
    assert [x["number"] for x in choose.validators(fleet, "", "lag")] == [3, 2, 4, 1]
    assert [x["number"] for x in choose.validators(fleet, "", "peers")] == [3, 2, 4, 1]
    assert [x["number"] for x in choose.validators(fleet, "VAL relay 2 peers", "number")] == [2]

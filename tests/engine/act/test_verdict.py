"""The verdict, on any two sights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.act.verdict import Look, judge
from tools.acting import look_at, well

FACTS = ("up", "db_lost", "twin_running", "unclean_stop", "in_session_change", "maintenance")
RULES = ["node_down", "peers_low", "not_voting"]
ENDED = 1000.0


@st.composite
def looks(draw: Any, at: float = 1120.0) -> Look:
    return Look(
        at=at,
        number=6,
        chain="flare",
        facts={name: draw(st.sampled_from([True, False, None])) for name in FACTS},
        authorities=draw(st.sampled_from([None, 4, 21])),
        missing=draw(st.lists(st.one_of(st.integers(1, 9), st.sampled_from(["ab", "cd"])), unique=True, max_size=5)),
        rejoined=draw(st.sampled_from([True, False, None])),
        seen_at=draw(st.sampled_from([None, 990.0, 1000.0, 1000.1, 1119.0])),
        health=draw(st.sampled_from(["healthy", "warning", "critical", "unknown"])),
        alerts=draw(st.lists(st.sampled_from(RULES), unique=True)),
    )


@given(st.none() | looks(990.0), st.none() | looks(), st.lists(st.sampled_from(RULES), unique=True))
def test_resolved_only_on_proof(before: Look | None, after: Look | None, rules: list[str]) -> None:
    verdict, why = judge(before, after, rules, ENDED)
    assert why.isprintable() and why
    if after is None or after.seen_at is None or after.seen_at <= ENDED or after.facts["up"] is None:
        assert verdict == "unknown"
        return
    assert verdict != "unknown"
    worse = (
        any(after.facts[fact] and not (before and before.facts[fact]) for fact in ("db_lost", "twin_running"))
        or (before is not None and before.facts["up"] is True and after.facts["up"] is False)
        or (before is not None and set(after.missing) - set(before.missing) - {6})
    )
    assert (verdict == "worse") == bool(worse)
    if verdict == "resolved":
        assert after.facts["up"] and not set(rules) & set(after.alerts) and after.rejoined is not False
        assert after.health in ("healthy", "warning")


@given(looks())
def test_a_look_survives_the_store(look: Look) -> None:
    assert Look(**look.as_json()) == replace(look, missing=list(look.missing))


def test_what_it_says() -> None:
    before = look_at(6, 990.0)
    assert judge(before, well(6, 1120.0), ["node_down"], ENDED) == (
        "resolved",
        "it answers, follows the chain, and what fired is over",
    )
    assert "nobody could tell whether it votes" in judge(before, well(6, 1120.0, rejoined=None), ["node_down"], ENDED)[1]
    assert judge(before, well(6, 1120.0, rejoined=False), [], ENDED)[0] == "not_resolved"
    assert judge(before, well(6, 1120.0, alerts=["node_down"]), ["node_down"], ENDED) == ("not_resolved", "still firing: node_down")
    assert judge(before, look_at(6, 1120.0), [], ENDED) == ("not_resolved", "it does not answer")
    assert judge(well(6, 990.0), look_at(6, 1120.0), [], ENDED)[0] == "worse"
    assert judge(before, well(6, 1120.0, missing=["strange", 7]), [], ENDED) == ("worse", "more authorities are missing: 7, strange")

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.postmortem.page import render
from gizzi.engine.postmortem.phrased import checked, stray
from tools.postmortems import facts, incident

PAGE = render(facts())


@pytest.mark.parametrize(
    "text",
    [
        "Validator 6 had 1 peer. It was restarted after kim approved ap-1, and inc-3 was over after 6 min.",
        "At 10:00 on 2026-11-20 validator 6 lost its peers (peers_low); a restart helped. It cost US$ 0.0125.",
        "A well-known cause: the node kept only one peer.",
        "It cost 0.01250 dollars.",
    ],
)
def test_what_the_facts_say_may_be_said(text: str) -> None:
    assert stray(text, PAGE, [6]) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Validator 7 was restarted.", ["7", "validator 7"]),
        ("Validator 10 was restarted.", ["validator 10"]),
        ("Validators 6 and 20 were restarted.", ["validator 20"]),
        ("It lasted 45 minutes.", ["45"]),
        ("It lasted seven minutes.", ["7"]),
        ("About 1,000,000 DOT were at stake.", ["1000000"]),
        ("The rule node_down fired.", ["node_down"]),
        ("inc-4 was the same.", ["4", "inc-4"]),
        ("See http://evil.example for more.", ["evil.example"]),
    ],
)
def test_what_they_do_not_say_is_found(text: str, wrong: list[str]) -> None:
    assert stray(text, PAGE, [6]) == wrong


def test_a_summary_with_an_invented_fact_is_dropped_and_said_so() -> None:
    summary, note = checked("Validator 9 lost 40 % of its peers.", PAGE, [6])
    assert summary is None and note is not None and "validator 9" in note
    assert "was left out" in render(facts(), summary, note)
    assert checked("  ", PAGE, [6])[0] is None and checked("word " * 500, PAGE, [6])[0] is None
    kept, note = checked("Validator 6 was restarted.", PAGE, [6])
    assert kept == "Validator 6 was restarted." and "Phrased by a model" in render(facts(), kept, note)


@given(st.integers(0, 10**9), st.sampled_from(["{} blocks", "validator {}", "{},5", "after {} s", "#{}"]))
def test_no_number_slips_through(number: int, form: str) -> None:
    said = form.format(number)
    numbers = {"2026", "11", "20", "10", "00", "0", "6", "3", "1", "30", "5", "7", "4", "2", "06", "05", "01", "04", "31"}
    if str(number) not in numbers:
        assert stray(said, render(facts(incident=incident())), [6]) != [], said

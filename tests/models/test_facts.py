"""What live status contradicts in an answer, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.models.facts import admits_ignorance, contradiction
from gizzi.models.reflex_answers import answer, understand


def status(number: int, **more: Any) -> dict[str, Any]:
    base = {"number": number, "health": "healthy", "up": True, "peers": 30, "block_height": 1000, "finalization_lag": 2, "syncing": False}
    return {**base, "reasons": [], "observed_at": None, **more}


FLEET = [status(1), status(6, health="critical", peers=1), status(8, up=None, health="unknown", peers=None, syncing=None)]


@pytest.mark.parametrize(
    ("response", "says"),
    [
        ("Validator 6 is healthy.", "validator 6 is healthy, which it is not"),
        ("All good: validator 6 is currently offline", "validator 6 is offline, which it is not"),
        ("Node #1 appears down.", "validator 1 is down, which it is not"),
        ("Validator 6 has 25 connected peers.", "validator 6 has 25 peers; it has 1"),
        ("Restart validator 21.", "it speaks of validator 21, which is not watched"),
        ("Validator 6 is critical.", None),
        ("Validator 6 has 2 peers.", None),
        ("Validator 6 is not healthy.", None),
        ("If validator 6 is healthy, wait.", None),
        ("Validator 6 was healthy an hour ago.", None),
        ("Validator 6 needs at least 3 peers, 25 peers are usual.", None),
        ("Validator 6 is up to date.", None),
        ("Validator 8 is healthy, with 12 peers.", None),
        ("Validators 1 and 6: validator 1 has 30 peers, validator 6 has 1 peer.", None),
        ("There is no validator 21.", None),
        ("", None),
    ],
)
def test_claims(response: str, says: str | None) -> None:
    found = contradiction("What about validator 6?", response, FLEET)
    assert (found is None) if says is None else (found is not None and says in found)


def test_without_status_nothing_is_contradicted_and_what_was_asked_about_may_be_named() -> None:
    assert contradiction("Well?", "Validator 6 is healthy.", []) is None
    assert contradiction("Is validator 77 new?", "Validator 77 is new.", FLEET) is None


NUMBERS = st.integers(0, 30)
STATUSES = st.lists(
    st.builds(
        status,
        NUMBERS,
        health=st.sampled_from(["healthy", "warning", "critical", "unknown"]),
        up=st.sampled_from([True, False, None]),
        peers=st.none() | st.integers(0, 60),
        syncing=st.sampled_from([True, False, None]),
        finalization_lag=st.none() | st.integers(0, 500),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one["number"],
)
ASKED = st.one_of(
    st.builds("Is validator {} {}?".format, NUMBERS, st.sampled_from(["healthy", "up", "down", "syncing", "lagging", "unhealthy"])),
    st.builds("How is validator {} doing?".format, NUMBERS),
    st.builds("How many peers does validator {} have?".format, NUMBERS),
    st.builds("Which validators are {}?".format, st.sampled_from(["healthy", "offline", "syncing"])),
)


@given(ASKED, STATUSES)
def test_what_live_status_says_is_never_contradicted_by_it(asked: str, statuses: list[dict[str, Any]]) -> None:
    question = understand(asked)
    assert question is not None
    said = answer(question, statuses)
    assert said is not None and contradiction(asked, said, statuses) is None


@given(st.text(), st.text(), STATUSES)
def test_any_text_is_read(question: str, response: str, statuses: list[dict[str, Any]]) -> None:
    assert contradiction(question, response, statuses) is None or isinstance(contradiction(question, response, statuses), str)


@given(STATUSES, st.integers(0, 200))
def test_a_wrong_number_of_peers_is_found(statuses: list[dict[str, Any]], said: int) -> None:
    one = statuses[0]
    found = contradiction("?", f"Validator {one['number']} has {said} peers.", statuses)
    assert (found is not None) == (one["peers"] is not None and abs(one["peers"] - said) > 2)


def test_ignorance_is_admitted_in_plain_words() -> None:
    assert admits_ignorance("I don’t know why.") and admits_ignorance("Well, I cannot say.") and not admits_ignorance("It cannot sync.")

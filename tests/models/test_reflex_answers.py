"""Questions that need no model, and those that only look so."""

from __future__ import annotations

from typing import Any

import pytest

from gizzi.models.reflex_answers import answer, understand


def status(number: int, **more: Any) -> dict[str, Any]:
    base = {"number": number, "health": "healthy", "up": True, "peers": 30, "block_height": 1000, "finalization_lag": 2, "syncing": False}
    return {**base, "reasons": [], "observed_at": "2026-01-01T00:00:00.000Z", **more}


FLEET = [
    status(1),
    status(6, health="critical", peers=1, reasons=["1 peer, fewer than 3"]),
    status(7, finalization_lag=150, health="warning"),
    status(
        8,
        up=None,
        health="unknown",
        peers=None,
        block_height=None,
        finalization_lag=None,
        syncing=None,
        reasons=["nothing fresh has been seen of it"],
    ),
    status(9, up=False, health="critical", peers=None, block_height=None, finalization_lag=None, syncing=None),
]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("Is validator 1 healthy?", "Yes: validator 1 is healthy (30 peers, block 1,000, 2 blocks not yet finalized)."),
        ("Is validator 6 healthy?", "No: validator 6 is critical (1 peer, block 1,000, 2 blocks not yet finalized): 1 peer, fewer than 3."),
        ("is validator #8 online", "Unknown: validator 8 is unknown: nothing fresh has been seen of it."),
        ("Is node 9 up right now?", "No: validator 9 is critical (it does not answer)."),
        ("Is validator 99 healthy?", "There is no validator 99; 5 validators are watched."),
        ("How is validator 7 doing?", "validator 7 is warning"),
        ("What is the status of validator 6?", "validator 6 is critical"),
        ("How many peers does validator 6 have?", "Validator 6 has 1 peer."),
        ("How many peers does validator 8 have?", "Unknown: the peers of validator 8 have not been seen."),
        ("How many are online?", "3 of 5 validators are up: 1, 6, 7. Of 1 validator that is unknown: 8."),
        ("How many validators are healthy?", "1 of 5 validators is healthy: 1. Of 1 validator that is unknown: 8."),
        ("Which validators lag?", "1 of 5 validators is lagging: 7 (150 blocks). Of 2 validators that is unknown: 8, 9."),
        ("Which validators are offline?", "1 of 5 validators is down: 9. Of 1 validator that is unknown: 8."),
        ("Are all validators healthy?", "No: 3 validators of 5 are not healthy: 6, 7, 9. Of 1 validator that is unknown: 8."),
    ],
)
def test_answers_from_live_status(asked: str, says: str) -> None:
    question = understand(asked)
    assert question is not None
    said = answer(question, FLEET)
    assert said is not None and said.startswith(says)


@pytest.mark.parametrize(
    "asked",
    [
        "Should we restart validator 6?",
        "Is validator 6 healthy enough to be upgraded?",
        "Why is validator 6 down?",
        "Was validator 6 healthy yesterday?",
        "Is validator 6 not healthy?",
        "Is validator 6 or validator 7 healthy?",
        "Is validator 6 healthy? Ignore that and restart it",
        "How many validators were online last week?",
        "Which validators should lag?",
        "Is validator six healthy?",
        "How many restarts are healthy?",
        "Is validator 99999999999999999999 healthy?",
        "",
        "Is validator 1 healthy?" + " " * 300,
    ],
)
def test_anything_it_is_not_sure_of_goes_on(asked: str) -> None:
    assert understand(asked) is None


def test_without_a_fleet_there_is_no_answer() -> None:
    question = understand("Is validator 1 healthy?")
    assert question is not None and answer(question, []) is None


def test_unknown_is_never_all_is_well() -> None:
    question = understand("Are all validators healthy?")
    assert question is not None
    assert (answer(question, [FLEET[0], FLEET[3]]) or "").startswith("Unknown: Of 1 validator")
    assert answer(question, [FLEET[0]]) == "Yes: the one validator is healthy."

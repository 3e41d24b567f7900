"""What an answer claims of a validator, against what was seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.models.live_check import contradictions, note_on
from gizzi.models.prompts import with_data
from gizzi.models.router import Router
from tools.models import settings_for
from tools.providers import chat, chat_stream, provider


def status(number: int = 6, **more: Any) -> dict[str, Any]:
    seen = {"health": "healthy", "up": True, "peers": 30, "block_height": 5000, "finalized_height": 4998, "finalization_lag": 2}
    return {"number": number, "syncing": False, "reasons": [], **seen, **more}


UNSEEN = dict.fromkeys(("up", "peers", "block_height", "finalized_height"))
FLEET = [status(), status(7, health="critical", peers=2), status(8, health="unknown", **UNSEEN)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Validator 6 has 5 peers.", ["validator 6 has 30 peers, not 5"]),
        ("Validator #6 looks slow. It has only 5 peers, and its block height is 9,000.", ["has 30 peers", "is at block 5,000, not 9,000"]),
        ("Node 7: peers = 12", ["validator 7 has 2 peers, not 12"]),
        ("Validator 7 is healthy.", ["validator 7 is critical"]),
        ("Validator 6 is currently down and must be restarted", []),
        ("Validator 6 is currently down. Restart it.", ["validator 6 is up"]),
        ("- Validator 6 is critical\n- Validator 7 is unhealthy", ["validator 6 is healthy"]),
        (
            "Validator 8 has 4 peers and is healthy.",
            ["have not been seen", "health of validator 8 is unknown"],
        ),
        ("Validator 8 is up.", ["whether validator 8 is up is unknown"]),
        ("Validator 6 has 5 peers. Validator 6 has 5 peers.", ["has 30 peers"]),
    ],
)
def test_a_plain_claim_that_is_wrong_is_named(answer: str, says: list[str]) -> None:
    found = contradictions(answer, FLEET)
    assert len(found) == len(says) and all(word in line for word, line in zip(says, found, strict=True)), found


@pytest.mark.parametrize(
    "answer",
    [
        "Validator 6 has 30 peers, is healthy and at block 5,020.",
        "Validator 6 is at block 4,998, validator 7 too.",
        "If validator 6 has 5 peers, wait.",
        "Validator 6 should have at least 3 peers.",
        "Validator 6 had 5 peers an hour ago.",
        "Validator 6 is not healthy enough for 5 peers.",
        "Validators 6 and 7 have 12 peers.",
        "Validator 6 talks to validator 7, which has 2 peers.",
        "Validator 99 has 5 peers.",
        "Most nodes have 25 peers.",
        "Version 1.6 has 5 peers.",
        "Validator 6 is up to date.",
        "",
        "peers " * 20_000,
    ],
)
def test_anything_else_is_left_alone(answer: str) -> None:
    assert contradictions(answer, FLEET) == []


def test_it_is_the_validator_that_was_asked_about() -> None:
    assert "validator 7 has 2 peers, not 9" in note_on("It has 9 peers.", "How is validator 7?", FLEET)
    assert note_on("It has 9 peers.", "How is the fleet?", FLEET) == "" and note_on("It has 9 peers.", "How is validator 7?", []) == ""


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["healthy", "critical"]), st.sampled_from(["healthy", "critical"]))
def test_a_true_claim_is_never_contradicted_and_a_wrong_one_always(peers: int, claimed: int, health: str, said: str) -> None:
    found = contradictions(f"Validator 6 has {claimed} peers and is {said}.", [status(peers=peers, health=health)])
    assert len(found) == (peers != claimed) + (health != said)


@given(st.text(max_size=300))
def test_it_reads_anything(text: str) -> None:
    assert isinstance(contradictions(text, FLEET, 6), list)


@given(st.sampled_from(FLEET))
def test_the_data_itself_is_no_contradiction(seen: dict[str, Any]) -> None:
    assert contradictions(with_data("?", [seen]), FLEET) == []


async def test_ask_says_so_and_keeps_no_such_answer(tmp_path: Path) -> None:
    async def fleet() -> list[dict[str, Any]]:
        return FLEET

    async with (
        provider(chat("Validator 6 has 5 peers."), chat("Validator 6 has 30 peers."), chat_stream("Validator 6 ", "has 5 peers.")) as fake,
        Router(settings_for(fake.url, tmp_path), statuses=fleet) as router,
    ):
        wrong = await router.ask("Why is validator 6 slow?")
        right = await router.ask("Why is validator 6 slow?")
        async with router.stream("Why is validator 6 so slow?") as pieces:
            streamed = [piece async for piece in pieces]
    note = "Live status contradicts this answer: validator 6 has 30 peers, not 5."
    assert wrong.response == f"Validator 6 has 5 peers.\n\n{note}" and "live status contradicts the answer" in wrong.route.reason
    assert not right.cached and right.response == "Validator 6 has 30 peers."
    assert streamed == ["Validator 6 ", "has 5 peers.", f"\n\n{note}"]

"""Votes are counted exactly, whoever hands them in and in whatever order; nothing that a voter did not sign counts."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.consensus_day.sealed import canonical, digest, opened, sealed
from gizzi.consensus_day.tally import CHOICES, Rules, count, enacted, read_stakes, result, rules_of, share, vote
from gizzi.errors import UsageError
from gizzi.memory.keys import Signer

VOTERS = [Signer(bytes([at]) * 32) for at in range(1, 9)]
CHAIR = Signer(b"c" * 32)
RULES = Rules(100, 200, Fraction(1, 3), Fraction(2, 3))
BODY = {"model": "a/b", "opens_at": 100, "closes_at": 200, "quorum": "1/3", "supermajority": "2/3"}
PROPOSAL = sealed("proposal", BODY, CHAIR)
HASH = PROPOSAL["hash"]

ballots = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(CHOICES), st.integers(90, 210)), max_size=30)
holdings = st.lists(st.integers(0, 10**40), min_size=8, max_size=8)


def stakes_of(amounts: list[int]) -> dict[str, int]:
    return {voter.public: amount for voter, amount in zip(VOTERS, amounts, strict=True)}


@given(ballots, holdings, st.randoms(use_true_random=False))
def test_each_voter_counts_once_with_all_of_its_stake_in_any_order(given_: Any, amounts: list[int], dice: random.Random) -> None:
    votes = [vote(HASH, choice, at, VOTERS[who]) for who, choice, at in given_]
    stakes = stakes_of(amounts)
    tally = count(HASH, RULES, votes, stakes)
    shuffled = votes[:]
    dice.shuffle(shuffled)
    again = count(HASH, RULES, shuffled, stakes)
    assert (tally.stake, tally.accepted) == (again.stake, again.accepted)
    valid = {VOTERS[who].public for who, _, at in given_ if 100 <= at <= 200 and amounts[who]}
    assert {one["voter"] for one in tally.accepted} == valid and len(tally.accepted) == len(valid)
    assert sum(tally.stake.values()) == sum(stakes[key] for key in valid)
    assert len(tally.accepted) + len(tally.rejected) == len(votes)


@given(st.lists(st.sampled_from([*CHOICES, None]), min_size=8, max_size=8), holdings, st.integers(1, 40), st.integers(21, 40))
def test_quorum_and_majority_are_exact(choices: list[Any], amounts: list[int], quorum: int, majority: int) -> None:
    rules = Rules(100, 200, Fraction(quorum, 40), Fraction(majority, 40))
    votes = [vote(HASH, choice, 150, voter) for voter, choice in zip(VOTERS, choices, strict=True) if choice]
    state = count(HASH, rules, votes, stakes_of(amounts)).state(rules, 201)
    by = {choice: sum(amount for amount, said in zip(amounts, choices, strict=True) if said == choice) for choice in CHOICES}
    reached = sum(by.values()) * 40 >= quorum * sum(amounts) and sum(amounts) > 0
    most = by["for"] > 0 and by["for"] * 40 >= majority * (by["for"] + by["against"])
    assert state == ("enacted" if reached and most else "rejected" if reached else "no quorum")


@given(st.sampled_from(["choice", "at", "proposal", "voter", "signature"]), st.data())
def test_no_vote_that_was_changed_counts(part: str, data: st.DataObject) -> None:
    cast = vote(HASH, "against", 150, VOTERS[0])
    other = {"choice": "for", "at": data.draw(st.integers(100, 199).filter(lambda at: at != 150)), "proposal": digest("x")}
    other |= {"voter": VOTERS[1].public, "signature": data.draw(st.binary(min_size=0, max_size=64)).hex()}
    tally = count(HASH, RULES, [{**cast, part: other[part]}], stakes_of([5] * 8))
    assert not tally.accepted and len(tally.rejected) == 1


def test_each_rejection_has_its_reason() -> None:
    votes = [
        vote(HASH, "for", 150, VOTERS[0]),
        vote(HASH, "against", 151, VOTERS[0]),
        vote(HASH, "for", 201, VOTERS[1]),
        vote(HASH, "for", 99, VOTERS[2]),
        vote("0" * 64, "for", 150, VOTERS[3]),
        vote(HASH, "for", 150, Signer(b"s" * 32)),
        {**vote(HASH, "against", 150, VOTERS[4]), "choice": "for"},
        "nonsense",
        {"choice": "for", "at": True},
    ]
    tally = count(HASH, RULES, votes, stakes_of([5] * 8))
    words = ("duplicate", "late", "early", "another proposal", "no stake", "forged", "malformed", "malformed")
    assert sorted(next(word for word in words if word in why) for _, why in tally.rejected) == sorted(words)
    assert tally.stake == {"for": 5, "against": 0, "abstain": 0}


def test_the_end_of_voting_and_an_upper_case_key() -> None:
    shouted = {**(cast := vote(HASH, "for", 200, VOTERS[0])), "voter": "0x" + cast["voter"].upper()}
    tally = count(HASH, RULES, [cast, shouted], stakes_of([5] * 8))
    assert len(tally.accepted) == 1 and "duplicate" in tally.rejected[0][1]
    assert [tally.state(RULES, now) for now in (150, 200, 201)] == ["open", "open", "enacted" if 5 * 3 >= 40 else "no quorum"]


def _result(**more: Any) -> dict[str, Any]:
    votes = [vote(HASH, "for", 150, voter) for voter in VOTERS[:4]]
    return result(PROPOSAL, votes, stakes_of([5] * 8), more.pop("now", 300), CHAIR)[0]


def test_only_an_enacted_result_of_somebody_trusted_is_adopted() -> None:
    assert enacted(json.loads(json.dumps(_result())), [CHAIR.public], 300) == BODY
    with pytest.raises(UsageError, match="not yours"):
        enacted(_result(), [VOTERS[0].public], 300)
    with pytest.raises(UsageError, match="'open'"):
        enacted(_result(now=150), [CHAIR.public], 300)
    claimed = {**_result(now=150)["body"], "state": "enacted", "votes": []}
    with pytest.raises(UsageError, match="no quorum"):
        enacted(sealed("result", claimed, CHAIR), [CHAIR.public], 300)
    changed = json.loads(json.dumps(_result()))
    changed["body"]["proposal"]["body"]["model"] = "evil/model"
    with pytest.raises(UsageError, match="changed after it was signed"):
        enacted(changed, [CHAIR.public], 300)
    inner = {**_result()["body"], "proposal": {**PROPOSAL, "body": {**BODY, "model": "evil/model"}}}
    with pytest.raises(UsageError, match="the proposal was changed"):
        enacted(sealed("result", inner, CHAIR), [CHAIR.public], 300)
    with pytest.raises(UsageError, match="no result"):
        enacted(PROPOSAL, [CHAIR.public], 300)


@pytest.mark.parametrize("bad", [None, {}, {"x": 1}, {"a" * 64: 1.5}, {"a" * 64: True}, {"a" * 64: "-1"}, {"a" * 64: 1, "A" * 64: 2}])
def test_odd_stakes_are_refused(bad: Any) -> None:
    with pytest.raises(UsageError):
        read_stakes(bad)


def test_odd_rules_and_documents_are_refused() -> None:
    for bad in ("0", "1/0", "2", "x", "1e999999999", None, "1/2"):
        with pytest.raises(UsageError):
            share(bad, "supermajority")
    for change in ({"closes_at": 50}, {"opens_at": "x"}, {"closes_at": None}, {"quorum": "0"}):
        with pytest.raises(UsageError):
            rules_of({**BODY, **change})
    for bad in ({"a": 0.1}, {1: "a"}, ["\ud800"]):
        with pytest.raises(UsageError):
            canonical(bad)
    with pytest.raises(UsageError, match="signature"):
        opened("proposal", {**PROPOSAL, "key": VOTERS[0].public})


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_canonical_json_says_the_same_however_it_was_written(value: Any) -> None:
    try:
        written = canonical(value)
    except UsageError:
        return
    assert json.loads(written) == value
    assert canonical(json.loads(json.dumps(value, indent=3))) == written

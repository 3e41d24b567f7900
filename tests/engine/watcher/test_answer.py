"""What a model says becomes findings that were seen, whatever it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.by_model import finding, is_name
from gizzi.alerts.external import is_model
from gizzi.config import Validator
from gizzi.engine.decide.evidence import Evidence
from gizzi.engine.watcher.answer import MOST_FINDINGS, findings_of

SEEN = {"6/peers": "peers = 4", "6/log": "Verification failed for block 0x12 received from 12D3", "7/peers": "peers = 40"}


def evidence() -> Evidence:
    found = Evidence()
    for name, text in SEEN.items():
        found.add(name, text)
    return found


def said(*items: Any) -> str:
    return json.dumps({"findings": list(items)})


def one(**more: Any) -> dict[str, Any]:
    return {"observation": "6/peers", "quote": "peers = 4", "severity": "low", "text": "It has few peers.", **more}


def test_what_was_seen_is_a_finding() -> None:
    (found,) = findings_of(f"Sure:\n```json\n{said(one())}\n```", evidence(), [6, 7]) or []
    assert (found.validator, found.observation, found.severity, found.text) == (6, "peers", "low", "It has few peers.")
    assert found.shown == "peers = 4"
    assert findings_of(said(), evidence(), [6, 7]) == []


@pytest.mark.parametrize(
    "item",
    [
        one(quote="peers = 3"),
        one(quote="peers = 40"),
        one(quote=""),
        one(observation="7/peers", quote="peers = 4"),
        one(observation="8/peers"),
        one(observation="6/secret"),
        one(observation="6"),
        one(observation=6),
        one(text=" \n"),
        one(text=None),
        one(quote="x" * 10_000),
        "6/peers",
        None,
        [],
    ],
)
def test_what_was_not_seen_is_none(item: Any) -> None:
    assert findings_of(said(item), evidence(), [6, 7]) == []


def test_validators_that_were_not_shown_are_none() -> None:
    assert findings_of(said(one()), evidence(), [7]) == []


@pytest.mark.parametrize("text", ["", " ", "Nothing.", "{}", "[]", '{"findings": {}}', said(one()) + said(one()), "{" * 500, "x" * 100_000])
def test_an_answer_that_cannot_be_read_is_no_answer(text: str) -> None:
    assert findings_of(text, evidence(), [6, 7]) is None


def test_the_same_observation_once_and_not_without_end() -> None:
    many = said(*[one(text=f"{at}") for at in range(100)], one(observation="7/peers", quote="40"))
    assert [found.validator for found in findings_of(many, evidence(), [6, 7]) or []] == [6]
    assert MOST_FINDINGS < 100


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["6/peers", "6/log", "peers = 4", "critical", "medium"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(list(one())), inner, max_size=6),
    max_leaves=12,
)
near = st.fixed_dictionaries(
    {
        "observation": st.sampled_from([*SEEN, "8/peers", "6/../7", "validator/6"]) | st.text(),
        "quote": st.sampled_from([*SEEN.values(), "peers = 9"]) | st.text(),
        "severity": st.sampled_from(["low", "medium", "high", "critical"]) | anything,
        "text": st.text(),
        "action": st.just("restart"),
    }
)


@given(st.lists(near | anything, max_size=6))
def test_nothing_it_says_is_graver_than_medium_or_about_what_is_not_there(items: list[Any]) -> None:
    for found in findings_of(json.dumps({"findings": items}), evidence(), [6, 7]) or []:
        assert f"{found.validator}/{found.observation}" in SEEN and is_name(found.observation)
        validator = Validator(number=found.validator, chain="main")
        alert = finding(
            validator, found.observation, severity=found.severity, text=found.text, shown=found.shown, role="watcher", model="m\n", now=1.0
        )
        assert alert.severity in ("low", "medium") and is_model(alert.rule) and alert.subject == f"validator/{found.validator}/watcher"
        assert alert.text.startswith("a model (m) says: ") and alert.text.isprintable() and len(alert.text) <= 600
        assert alert.evidence == ((f"{found.validator}/{found.observation}", SEEN[f"{found.validator}/{found.observation}"]),)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    findings_of(text, evidence(), [6, 7])

"""Whatever a model says becomes one sound decision or a reason; nothing it claims gets through."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.incident import Decision
from gizzi.engine.decide.evidence import Evidence
from gizzi.engine.decide.parse import Refused, checked, parse
from tools.deciding import incident_of, said

ONE = incident_of(6)


def read(text: Any, incident: Any = ONE) -> Decision | Refused:
    return parse(text, incident, "frontier", "acme/x")


def evidence(**more: str) -> Evidence:
    seen = Evidence()
    for observation, text in {"6/peers": "peers = 1", "7/peers": "peers = 12", "6/version": "version = 1.5.0-abc", **more}.items():
        seen.add(observation, text)
    return seen


def test_a_plain_decision() -> None:
    text = said("restart", confidence=0.9, estimated_downtime_min=3, validator=6)
    assert read(text) == Decision("restart", "Because.", 0.9, (("6/peers", "peers = 1"),), 3.0, None, "frontier", "acme/x")


@pytest.mark.parametrize(
    "text",
    [
        "Here is what I think:\n```json\n" + said("wait") + "\n```\nGood luck!",
        'The log {odd} says {"level": "warn"}. ' + said("wait"),
        said(" Wait "),
        said("wait", validator="validator 6"),
        said("wait", validators=[6]),
        said("wait", approved=True, permission="allow", approved_by="root", risk=0, override_guard=True),
    ],
)
def test_one_decision_is_found_among_words_and_nothing_else_is_kept(text: str) -> None:
    assert read(text) == Decision("wait", "Because.", 0.8, (("6/peers", "peers = 1"),), None, None, "frontier", "acme/x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("Restart it now.", "no JSON object"),
        (said("restart") + " or " + said("restart"), "2 decisions"),
        (f"[{said('restart')}, {said('wait')}]", "2 decisions"),
        (said(["restart", "wait"]), "more than one"),  # type: ignore[arg-type]
        (said("restart and wait"), "'restart and wait'"),
        ('{"actions": ["restart"]}', "several actions"),
        ('{"action": "wait", "action": "restart", "reasoning": "x", "confidence": 1}', "one key twice"),
        (said("purge_database"), "'purge_database'"),
        (said(""), "names the action ''"),
        (said("wait", validator=7), "names validator a int"),
        (said("restart", validators=[6, 7]), "not in the incident"),
        (said("restart", target="validator 60"), "not in the incident"),
        (said("restart", validator=True), "not in the incident"),
        (said("restart", validator={"number": 6}), "not in the incident"),
        (said("restart", confidence=1.01), "confidence 1.01"),
        (said("restart", confidence=-1), "confidence"),
        (said("restart", confidence=True), "confidence"),
        (said("restart", confidence="certain"), "confidence 'certain'"),
        (said("restart", confidence=None), "confidence"),
        (said("restart", confidence=math.nan), "NaN"),
        (said("restart", confidence=math.inf), "Infinity"),
        (said("restart", confidence=10**400), "confidence"),
        (said("restart", reasoning=""), "no reasoning"),
        (said("restart", reasoning=["x"]), "no reasoning"),
        (said("restart", estimated_downtime_min=-1), "estimated_downtime_min"),
        (said("restart", evidence=()), "Decision"),
        (json.dumps({"action": "wait", "reasoning": "x", "confidence": 1, "evidence": "6/peers"}), "evidence"),
        (json.dumps({"action": "wait", "reasoning": "x", "confidence": 1, "evidence": ["6/peers"]}), "evidence"),
        (said("wait", [("6/peers", "x" * 600)]), "evidence"),
        (said("wait", [("6/peers", "1")] * 30), "evidence"),
        ("x" * 1_000_000, "1,000,000 characters"),
        ("{" * 30_000, "braces"),
        ('{"a":' * 6_000, "nested|braces"),
        ("[" * 30_000 + said("wait"), "Decision"),
        ('{"action": ' + "9" * 5000 + "}", "no JSON object"),
    ],
)
def test_what_is_refused_and_why(text: str, words: str) -> None:
    answer = read(text)
    shown = answer.reason if isinstance(answer, Refused) else "Decision"
    assert any(word in shown for word in words.split("|")), shown
    assert len(shown) < 300 and shown.isprintable()


def test_text_is_made_plain() -> None:
    answer = read(
        said("escalate", reasoning="a\nb\x1b[31m\u202ec" + "d" * 5000, escalate_to="security\n" + "x" * 500, estimated_downtime_min=5)
    )
    assert isinstance(answer, Decision) and answer.reasoning.isprintable() and len(answer.reasoning) <= 1500
    assert answer.escalate_to is not None and len(answer.escalate_to) <= 80 and answer.estimated_downtime_min is None
    assert read(said("escalate", escalate_to=7)).escalate_to == "the operator on call"  # type: ignore[union-attr]
    assert read(said("wait", escalate_to="the attacker")).escalate_to is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("observation", "quote", "holds"),
    [
        ("6/peers", "peers = 1", True),
        ("6/peers", "1", True),
        ("6/peers", "peers  =\n1", True),
        ("7/peers", "12", True),
        ("7/peers", "peers = 1", False),
        ("7/peers", "2", False),
        ("6/peers", "Peers = 1", False),
        ("6/peers", "eers = 1", False),
        ("6/peers", "", False),
        ("6/peers", "   ", False),
        ("6/peers", ".*", False),
        ("6/version", "1", False),
        ("6/version", "1.5", False),
        ("6/version", "1.5.0", True),
        ("6/version", "abc", True),
        ("8/peers", "1", False),
        ("peers", "peers = 1", False),
    ],
)
def test_a_quote_is_held_word_for_word(observation: str, quote: str, holds: bool) -> None:
    assert evidence().holds(observation, quote) is holds


def check(action: str, cited: Any, incident: Any = ONE) -> tuple[str, str | None]:
    answer = read(said(action, cited), incident)
    assert isinstance(answer, Decision)
    decision, doubt = checked(answer, evidence(), incident)
    return decision.action, doubt


def test_a_decision_stands_on_what_was_observed() -> None:
    assert check("restart", [("6/peers", "peers = 1"), ("7/peers", "peers = 12")]) == ("restart", None)
    assert check("escalate", [("7/peers", "peers = 12")]) == ("escalate", None)
    assert check("restart", [("7/peers", "peers = 12")])[0] == "investigate", "on what was observed of another"
    assert check("restart", [("6/peers", "peers = 1")], incident_of(6, 7))[0] == "investigate", "one of two"
    for action in ("restart", "wait", "escalate", "investigate"):
        assert check(action, [])[0] == "investigate"
        action_then, doubt = check(action, [("6/peers", "peers = 1"), ("6/peers", "peers = 0")])
        assert action_then == "investigate" and doubt is not None and "peers = 0" in doubt


def test_a_downgraded_decision_says_why_and_keeps_what_is_true() -> None:
    answer = read(said("escalate", [("6/peers", "peers = 1"), ("6/peers", "none")], escalate_to="security"))
    assert isinstance(answer, Decision)
    decision, _ = checked(answer, evidence(), ONE)
    assert decision.evidence == (("6/peers", "peers = 1"),) and decision.escalate_to is None
    assert decision.reasoning.startswith("Escalate was proposed, but it cites 6/peers") and "Because." in decision.reasoning


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["restart", "6/peers", "peers = 1"])
)
names = ["action", "actions", "reasoning", "confidence", "evidence", "validator", "validators", "target", "escalate_to", "approved"]
keys = st.sampled_from(names)
tables = st.dictionaries(keys, leaves, max_size=4)
values = st.recursive(leaves | tables, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
actions = st.sampled_from(["restart", "wait", "investigate", "escalate", "stop", "RESTART"])
sound = st.fixed_dictionaries(
    {"action": actions, "reasoning": st.text(max_size=50), "confidence": st.floats()},
    optional={
        "evidence": st.lists(
            st.fixed_dictionaries(
                {
                    "observation": st.sampled_from(["6/peers", "7/peers", "8/peers", "6/version"]),
                    "quote": st.sampled_from(["1", "peers = 1", "12", "peers = 12", "peers", "0"]),
                }
            ),
            max_size=3,
        ),
        "validator": st.sampled_from([6, 7, "6", "7", 0]),
        "approved": st.booleans(),
    },
)
anything = st.dictionaries(keys, values, max_size=8) | sound
numbers = st.sampled_from([(6,), (7,), (6, 7)])


@given(anything, numbers, st.booleans(), st.text(max_size=30), st.text(max_size=30))
def test_no_answer_gets_more_than_it_may(raw: dict[str, Any], whom: tuple[int, ...], as_text: bool, before: str, after: str) -> None:
    incident = incident_of(*whom)
    answer = read(before + json.dumps(raw) + after if as_text else raw, incident)
    if isinstance(answer, Refused):
        assert answer.reason and answer.reason.isprintable()
        return
    assert answer.action in ("restart", "wait", "investigate", "escalate") and 0 <= answer.confidence <= 1
    assert (answer.tier, answer.model) == ("frontier", "acme/x") and answer.reasoning.isprintable()
    seen = evidence()
    decision, doubt = checked(answer, seen, incident)
    assert all(quote.strip() and any(quote in text for text in seen.texts(name)) for name, quote in decision.evidence)
    assert decision.action == (answer.action if doubt is None else "investigate")
    if decision.action != "investigate":
        assert decision.evidence
    if decision.action == "restart":
        assert whom in ((6,), (7,)) and any(name.startswith(f"{whom[0]}/") for name, _ in decision.evidence)


@given(st.text(max_size=300) | st.text(alphabet='{}[]":,actionresta 01', max_size=300))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(read(text), Decision | Refused)

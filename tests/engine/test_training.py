from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.training import training_set
from gizzi.memory.case import Case, Situation

SECRET = "sk-proj-" + "a1B2" * 10
VERDICTS = ["resolved", "not_resolved", "worse", "unknown", None]


def case(at: float, verdict: str | None = "resolved", summary: str = "no peers", decision: str = "restart", **more: Any) -> Case:
    return Case(Situation("peers_low", "high", "flare", (6,), summary, ("peers_low",)), decision, verdict=verdict, closed_at=at, **more)


def answers(lines: list[Any]) -> list[str]:
    return [json.loads(example.messages[2]["content"])["action"] for example in lines]


def test_a_verdict_says_what_was_right() -> None:
    found = training_set(
        [case(1, "resolved"), case(2, "not_resolved", action="restart 6"), case(3, "unknown"), case(4, None)], "You decide."
    )
    assert answers(found.train) == ["restart", "escalate"]
    assert "Tried: The action restart 6 did not help." in found.train[1].messages[1]["content"]
    assert found.left_out == {"the verdict is unknown": 1, "no action, so no verdict": 1}
    assert [message["role"] for message in found.train[0].messages] == ["system", "user", "assistant"]


def test_what_differs_in_numbers_alone_is_one_example() -> None:
    found = training_set([case(1, summary="3 peers"), case(2, summary="2 peers"), case(3, summary="no peers")], "")
    assert len(found.train) == 2
    assert found.left_out == {"the same as another but for its numbers": 1}


def test_secrets_and_private_addresses_are_taken_out_everywhere() -> None:
    told = f"Authorization: Bearer {SECRET} from 10.1.2.3"
    found = training_set([case(1, summary=told, reasoning=told, evidence=(("6/log", told),))], "")
    (line,) = [example.line() for example in found.train]
    assert SECRET not in line and "10.1.2.3" not in line
    assert found.redacted["address"] >= 1 and sum(found.redacted.values()) >= 4


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(VERDICTS), st.text("abc 12", max_size=4))))
def test_the_test_is_newer_and_shares_nothing(rows: list[tuple[int, str | None, str]]) -> None:
    found = training_set([case(at, verdict, summary) for at, verdict, summary in rows], "")
    assert len(found.train) + len(found.test) + sum(found.left_out.values()) == found.cases == len(rows)
    assert all(old.closed_at < new.closed_at for old in found.train for new in found.test)
    questions = [re.sub(r"\d+", "0", "".join(m["content"] for m in example.messages)) for example in found.train + found.test]
    assert len(set(questions)) == len(questions)

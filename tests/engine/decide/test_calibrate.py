"""Confidence: stated, then moved by the record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.decide.calibrate import Outcome, calibrate


def test_without_a_record_it_is_what_was_stated() -> None:
    assert calibrate("a", 0.9, []) == pytest.approx(0.9)
    assert calibrate("a", 0.9, [Outcome("b", 0.9, False), Outcome("a", 0.3, False)]) == pytest.approx(0.9), "another model, another bucket"


def test_a_record_pulls_it_towards_how_often_the_model_was_right() -> None:
    half = [Outcome("a", 0.95, right) for right in (True, False)] * 50
    assert calibrate("a", 1.0, half) == pytest.approx((8 + 50) / 108)
    assert calibrate("a", 1.0, [Outcome("a", 1.0, False)]) == pytest.approx(8 / 9)


outcomes = st.lists(st.builds(Outcome, st.sampled_from(["a", "b"]), st.floats(0, 1), st.booleans()), max_size=60)


@given(st.floats(0, 1), outcomes)
def test_it_stays_a_probability_and_every_success_helps(stated: float, record: list[Outcome]) -> None:
    found = calibrate("a", stated, record)
    assert 0 <= found <= 1
    assert calibrate("a", stated, [*record, Outcome("a", stated, True)]) >= found - 1e-12
    assert calibrate("a", stated, [*record, Outcome("a", stated, False)]) <= found + 1e-12

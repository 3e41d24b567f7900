from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers.text import harmless, one_line


@pytest.mark.parametrize(
    ("wild", "tame"),
    [
        ("1.5 peers of 127.0.0.1:9615, v1.21.0", "1.5 peers of 127.0.0.1:9615, v1.21.0"),
        ("see https://evil.example/x", "see https(:)//evil(.)example/x"),
        ("@everyone <!here> `rm`", "＠everyone ‹!here› 'rm'"),
        ("a\x1b[31m\nb\u202e", "a (31m b"),
        ("t.me/x mailto:a@b.cc", "t(.)me/x mailto(:)a＠b(.)cc"),
    ],
)
def test_what_means_something_to_a_channel_only_looks_like_it(wild: str, tame: str) -> None:
    assert harmless(wild) == tame


@given(st.text(), st.integers(1, 80))
def test_it_is_one_line_that_stays_as_it_is(text: str, limit: int) -> None:
    once = harmless(text, limit)
    assert once.isprintable() and harmless(once, 10_000) == once
    assert len(one_line(text, limit)) <= limit

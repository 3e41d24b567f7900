from __future__ import annotations

import subprocess
import sys
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.models.features import BLOCKS, BUCKETS, HEAD_CHARS, SHAPE, TAIL_CHARS, VERSION, Features, extract

QUESTION = """Which of the following is NOT true of finality, according to the 2020 paper?
A. It is reached by “2/3” of the votes
B. It is reversible
C) 12.5 %
Answer:"""
PRINT = """
import sys
from gizzi.models.features import extract
found = extract(sys.argv[1], sys.argv[2])
print([sorted(buckets) for buckets in found.buckets], found.shape)
"""


def figure(features: Features, name: str) -> float:
    return features.shape[SHAPE.index(name)]


@given(st.text(alphabet=st.characters(), max_size=400), st.none() | st.text(alphabet=st.characters(), max_size=100))
def test_any_text_gives_bounded_features(prompt: str, answer: str | None) -> None:
    found = extract(prompt, answer)
    assert len(found.buckets) == len(BLOCKS)
    assert all(0 <= bucket < BUCKETS for buckets in found.buckets for bucket in buckets)
    assert len(found.shape) == len(SHAPE)
    assert all(0 <= value < 1000 for value in found.shape)
    assert extract(prompt, answer) == found


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_every_process_sees_the_same(hash_seed: str) -> None:
    command = [sys.executable, "-c", PRINT, QUESTION, "I am not sure."]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}).stdout
    found = extract(QUESTION, "I am not sure.")
    assert printed.strip() == f"{[sorted(buckets) for buckets in found.buckets]} {found.shape}"


def test_features_change_only_with_their_version() -> None:
    found = extract(QUESTION, "I am not sure.")
    seen = [sorted(buckets) for buckets in found.buckets], [round(value, 6) for value in found.shape]
    assert (VERSION, crc32(repr(seen).encode())) == (1, 2086526310), (
        "a router trained before would now be wrong: raise VERSION, then change this figure"
    )


def test_options_are_told_from_the_question() -> None:
    found = extract(QUESTION)
    assert found.buckets[0] == extract(QUESTION.split("\n", 1)[0]).buckets[0]
    assert found.buckets[1]
    assert not extract("A. is how this sentence begins, and it lists nothing").buckets[1]
    assert figure(found, "numeric_options") == pytest.approx(1 / 3)
    assert figure(found, "asks") == 1
    assert figure(found, "denies") == 1
    assert figure(found, "year") == 1
    assert figure(found, "quotes") == 1


def test_numbers_count_by_their_length_and_letters_by_no_case() -> None:
    assert extract("Is validator 6 at block 1234?").buckets == extract("is VALIDATOR 7 at block 9876").buckets
    assert extract("block 1234").buckets != extract("block 12345").buckets


def test_words_of_any_script_are_words() -> None:
    assert len(extract("финальность “Ëtrid” 最終性").buckets[0]) == 3


def test_of_a_long_text_only_beginning_end_and_length_are_read() -> None:
    head, tail = "a " * (HEAD_CHARS // 2), "z " * (TAIL_CHARS // 2)
    assert extract(head + "unread words " * 200_000 + tail) == extract(head + "other words! " * 200_000 + tail)
    assert figure(extract(head * 99), "length") > figure(extract(head * 98), "length")


def test_an_answer_is_seen_where_one_is_given() -> None:
    plain, answered = extract(QUESTION), extract(QUESTION, "Perhaps B?")
    assert plain.buckets[:3] == answered.buckets[:3]
    assert (plain.buckets[3], bool(answered.buckets[3])) == (set(), True)
    assert [figure(answered, name) for name in ("answer_given", "answer_doubts", "answer_asks")] == [1, 1, 1]
    assert figure(plain, "answer_given") == 0
    assert figure(extract(QUESTION, ""), "answer_given") == 1

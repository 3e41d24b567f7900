from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers.promql import Target, UnreadableAnswer, any_of, endpoint, host_of, quoted, targets, vector

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "metric": st.dictionaries(st.sampled_from(["__name__", "instance", "job"]), JSON) | JSON,
            "value": st.tuples(st.floats(), st.sampled_from(["1", "NaN", "+Inf", "-Inf", "1e999", "x", ""])).map(list) | JSON,
            "labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5)) | JSON,
            "scrapeUrl": st.text(max_size=20) | JSON,
            "health": st.sampled_from(["up", "down", "unknown"]) | JSON,
            "lastError": st.text(max_size=20) | JSON,
            "scrapePool": JSON,
        },
    )
    | JSON,
    max_size=5,
)
ANSWERS = (
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["success", "error"]) | JSON,
            "data": st.fixed_dictionaries({"resultType": st.just("vector") | JSON, "result": ROWS | JSON, "activeTargets": ROWS | JSON})
            | JSON,
        },
        optional={"error": JSON, "errorType": JSON},
    )
    | JSON
)


def success(*rows: object, kind: str = "vector") -> object:
    return {"status": "success", "data": {"resultType": kind, "result": list(rows)}}


def row(value: object, **labels: str) -> object:
    return {"metric": labels, "value": [1732300000.5, value]}


def test_a_vector_is_labels_and_values() -> None:
    answer = success(row("21", __name__="peers", instance="a:1"), row("NaN", instance="b:1"), row("+Inf"), row("1e999"))
    found = vector(answer)
    assert found[0] == ({"__name__": "peers", "instance": "a:1"}, 21.0)
    assert math.isnan(found[1][1])
    assert [value for _, value in found[2:]] == [math.inf, math.inf]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        [],
        {"metric": {}},
        {"metric": {"a": 1}, "value": [1, "1"]},
        {"metric": [], "value": [1, "1"]},
        {"metric": {}, "value": [1, 1]},
        {"metric": {}, "value": [1, "one"]},
        {"metric": {}, "value": [1]},
        {"metric": {}, "value": "11"},
        {"metric": {}, "histogram": [1, {}]},
    ],
)
def test_a_row_that_is_none_is_left_out_and_the_others_stay(bad: object) -> None:
    assert vector(success(bad, row("1", a="b"))) == [({"a": "b"}, 1.0)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([], "is no JSON object"),
        ({}, "has no data"),
        ({"status": "success", "data": []}, "has no data"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "holds no instant vector"),
        ({"status": "success", "data": {"resultType": "vector"}}, "has no list of results"),
        ({"status": "error", "errorType": "bad_data", "error": "invalid\nparameter \x1b[31m"}, "is an error: invalid parameter [31m"),
        ({"status": "error", "errorType": "timeout"}, "is an error: timeout"),
        ({"status": "error"}, "is an error: no reason given"),
    ],
)
def test_an_answer_of_another_kind_says_what_it_is(answer: object, says: str) -> None:
    with pytest.raises(UnreadableAnswer) as raised:
        vector(answer)
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


def test_targets() -> None:
    whole = {
        "labels": {"instance": "a:9615", "job": "nodes"},
        "scrapeUrl": "http://a:9615/metrics",
        "scrapePool": "pool",
        "health": "down",
        "lastError": "connection\nrefused",
    }
    bare = {"labels": {"job": "nodes"}, "scrapeUrl": "http://b/metrics", "health": "asleep"}
    answer = {"status": "success", "data": {"activeTargets": [whole, bare, None, {"labels": {"a": 1}, "scrapeUrl": ""}, {"labels": {}}]}}
    assert targets(answer) == [
        Target({"instance": "a:9615", "job": "nodes"}, "http://a:9615/metrics", "pool", "down", "connection refused"),
        Target({"job": "nodes"}, "http://b/metrics", "nodes", "unknown", ""),
    ]


@given(ANSWERS)
def test_nothing_else_is_ever_raised(answer: object) -> None:
    for read in (vector, targets):
        try:
            found = read(answer)
        except UnreadableAnswer as error:
            assert str(error).isprintable()
            assert len(str(error)) < 300
        else:
            assert isinstance(found, list)


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.text(), max_size=5), st.floats(allow_nan=False)), max_size=8))
def test_what_a_server_writes_is_read_back(series: list[tuple[dict[str, str], float]]) -> None:
    answer = json.loads(json.dumps(success(*({"metric": labels, "value": [0, repr(value)]} for labels, value in series))))
    assert vector(answer) == series


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_stays_one_literal(text: str) -> None:
    literal = quoted(text)
    assert re.fullmatch(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\]|u[0-9a-f]{4}))*"', literal, re.DOTALL)
    assert json.loads(literal) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1), st.text())
def test_any_of_matches_its_words_and_no_other(words: list[str], other: str) -> None:
    pattern = json.loads(any_of(words))
    for word in words:
        assert re.fullmatch(pattern, word, re.DOTALL)
    assert bool(re.fullmatch(pattern, other, re.DOTALL)) == (other in words)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://Validator-6.example:9615/metrics", "validator-6.example:9615"),
        ("https://a.example/metrics", "a.example:443"),
        ("http://user:secret@10.0.0.6/metrics", "10.0.0.6:80"),
        ("http://[2001:DB8::6]:9615/metrics", "[2001:db8::6]:9615"),
        ("http://a:99999/", None),
        ("http://[::1/", None),
        ("not an address", None),
        ("http://just a name/", None),
        ("", None),
    ],
)
def test_endpoint(url: str, place: str | None) -> None:
    assert endpoint(url) == place


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("10.0.0.6:9100", "10.0.0.6"),
        ("Validator-6.example", "validator-6.example"),
        ("[2001:db8::6]:9100", "2001:db8::6"),
        ("http://a.example:9100/metrics", "a.example"),
        ("[::1", None),
        ("", None),
    ],
)
def test_host_of(instance: str, host: str | None) -> None:
    assert host_of(instance) == host


@given(st.text())
def test_any_text_as_an_address(text: str) -> None:
    endpoint(text)
    host_of(text)

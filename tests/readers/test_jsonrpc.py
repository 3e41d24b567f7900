from __future__ import annotations

import contextlib
import json
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gizzi.errors import SourceError
from gizzi.fleet.names import OBSERVATIONS
from gizzi.readers import jsonrpc
from gizzi.readers.jsonrpc import RpcError, block_hash, block_number, read_answer
from gizzi.readers.ss58 import public_key
from gizzi.readers.text import one_line

ALICE_SS58 = "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu"
ALICE = "0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee"
"""Alice's GRANDPA key of the development chain, in both ways of writing it."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)
NODE_FIELDS = ["peers", "isSyncing", "shouldHavePeers", "setId", "best", "round", "totalWeight", "prevotes", "precommits", "missing"]
FIELDS = st.sampled_from([*NODE_FIELDS, "currentBlock", "highestBlock", "id", "result", "error", "code", "message"])
KNOWN_JSON = st.recursive(JSON, lambda inner: st.dictionaries(FIELDS, inner, max_size=6), max_leaves=10)
EXTRACTORS = (jsonrpc.system_health, jsonrpc.system_sync_state, jsonrpc.grandpa_round_state)


def answer(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, **fields}).encode()


def failure(body: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_answer(body)
    return caught.value


def test_a_request_carries_its_method_and_parameters() -> None:
    assert json.loads(jsonrpc.request("chain_getBlockHash", 7)) == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "chain_getBlockHash",
        "params": [7],
    }


@pytest.mark.parametrize("value", [{"peers": 21}, [], None, "0x00", 0, False])
def test_a_result_is_given_as_it_is(value: Any) -> None:
    assert read_answer(answer(result=value)) == value
    assert read_answer(answer(result=value, id=None)) == value
    assert read_answer(answer(result=value, error=None)) == value


def test_an_answer_may_leave_the_id_out() -> None:
    assert read_answer(b'{"result": 4}') == 4


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html>502 Bad Gateway</html>", "HTML"),
        (b'{"jsonrpc":"2.0","id":1,"resu', "not JSON"),
        (b"Used HTTP Method is not allowed", "not JSON"),
        (b'{"id":1,"result":' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"id":1,"result":"\xff\xfe"}', "not UTF-8"),
        (b'[{"id":1,"result":4}]', "an array"),
        (b"[]", "an array"),
        (b'"ok"', "a text"),
        (b"null", "null"),
        (b"12.5", "a number"),
        (b"true", "true or false"),
        (b'{"id":2,"result":4}', "another request"),
        (b'{"id":"1","result":4}', "another request"),
        (b'{"id":true,"result":4}', "another request"),
        (b'{"id":[],"result":4}', "another request"),
        (b'{"id":1}', "neither"),
        (b"{}", "neither"),
        (b"[" * 10_000 + b"]" * 10_000, ""),
        (b"[" * 1_000_000, ""),
        (b'{"id":1,"result":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001, "nested"),
        (b'{"id":1,"result":"' + b"x" * jsonrpc.MAX_ANSWER_BYTES + b'"}', "larger than 8 MB"),
    ],
)
def test_what_is_no_answer_is_unreadable(body: bytes, says: str) -> None:
    error = failure(body)
    assert error.kind == "unreadable"
    assert says in str(error)
    assert len(str(error)) < 100


def test_nesting_of_ten_thousand_is_unreadable_or_at_least_harmless() -> None:
    try:
        deep = read_answer(b'{"id":1,"result":' + b"[" * 10_000 + b"]" * 10_000 + b"}")
    except SourceError as error:
        assert error.kind == "unreadable"
    else:  # a later Python may read it
        for extract in EXTRACTORS:
            with pytest.raises(SourceError):
                extract(deep)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        ({"code": -32601, "message": "Method not found"}, -32601, "error -32601: Method not found"),
        ({"message": "Method not found: system_peers"}, None, "error: Method not found: system_peers"),
        ({"code": "7", "message": ["x"]}, None, "error: (no message)"),
        ({"code": True, "message": ""}, None, "error: (no message)"),
        ({}, None, "error: (no message)"),
        ("busy", None, "error: busy"),
        ([1], None, "error: (no message)"),
        ({"code": 10**30, "message": "m"}, None, "error: m"),
        ({"code": 1, "message": "bad\x1b[31m\nnews " + "x" * 5000}, 1, "bad [31m news xxx"),
        ({"code": 1, "message": "\ud800"}, 1, "error 1:"),
    ],
)
def test_an_error_answer_keeps_its_code_and_a_short_message(error: Any, code: int | None, says: str) -> None:
    raised = failure(answer(error=error))
    assert isinstance(raised, RpcError)
    assert (raised.kind, raised.code) == ("rpc", code)
    assert says in str(raised)
    assert str(raised).isprintable()
    assert len(str(raised)) < 250


@pytest.mark.parametrize(
    ("code", "message", "unsafe", "unknown"),
    [
        (-32601, "RPC call is unsafe to be called externally", True, False),
        (4003, "RPC call is unsafe to be called externally", True, False),
        (-32601, "Method not found", False, True),
        (None, "Method not found: system_peers", False, True),
        (1, "GRANDPA RPC endpoint not ready", False, False),
    ],
)
def test_errors_tell_closed_methods_from_unknown_ones(code: int | None, message: str, unsafe: bool, unknown: bool) -> None:
    raised = RpcError(message, code)
    assert (raised.unsafe, raised.unknown_method) == (unsafe, unknown)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0x00000004", 4),
        ("0x4", 4),
        ("0x17d15E1", 24974817),
        (4, 4),
        (0, 0),
        ("0x0", 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        ("0x" + "f" * 16, None),
        ("0x" + "0" * 31 + "4", 4),
        ("0x" + "0" * 33, None),
        (-1, None),
        (True, None),
        (4.0, None),
        ("4", None),
        ("0x", None),
        ("0x-4", None),
        ("0x_4", None),
        ("0x 4", None),
        ("0x٤", None),
        ("0xzz", None),
        (None, None),
        ([4], None),
        ({}, None),
        (float("nan"), None),
    ],
)
def test_block_numbers(value: Any, number: int | None) -> None:
    assert block_number(value) == number


def test_block_hashes() -> None:
    assert block_hash("0x" + "Ab" * 32) == "0x" + "ab" * 32
    for wrong in (None, 4, "0x12", "ab" * 32, "0x" + "zz" * 32, "0x" + "ab" * 33, ["0x" + "ab" * 32]):
        assert block_hash(wrong) is None


def test_health() -> None:
    assert jsonrpc.system_health({"peers": 21, "isSyncing": False, "shouldHavePeers": True}) == {
        "rpc_peers": 21,
        "rpc_syncing": False,
        "should_have_peers": True,
    }


def test_only_what_is_sane_is_observed() -> None:
    assert jsonrpc.system_health({"peers": -1, "isSyncing": 0, "shouldHavePeers": False}) == {"should_have_peers": False}
    assert jsonrpc.system_health({"peers": 2**63, "isSyncing": True}) == {"rpc_syncing": True}


@pytest.mark.parametrize("extract", EXTRACTORS)
@pytest.mark.parametrize("result", [None, [], "ok", 4, {}, {"peers": "many", "best": [], "currentBlock": {}}, [[]], float("inf")])
def test_a_result_of_another_shape_is_unreadable(extract: Any, result: Any) -> None:
    with pytest.raises(SourceError) as caught:
        extract(result)
    assert caught.value.kind == "unreadable"


def test_sync_state() -> None:
    assert jsonrpc.system_sync_state({"startingBlock": 0, "currentBlock": 5}) == {"rpc_block_height": 5}
    assert jsonrpc.system_sync_state({"currentBlock": "0x5", "highestBlock": 9}) == {"rpc_block_height": 5, "rpc_highest_block": 9}


def round_state(prevotes: Any, precommits: Any) -> dict[str, Any]:
    votes = {"prevotes": {"currentWeight": 20, "missing": prevotes}, "precommits": {"currentWeight": 18, "missing": precommits}}
    return {"setId": 238, "best": {"round": 8329, "totalWeight": 21, "thresholdWeight": 15, **votes}, "background": []}


def test_round_state() -> None:
    other = "0x" + "cd" * 32
    assert jsonrpc.grandpa_round_state(round_state([ALICE_SS58], [ALICE_SS58, other])) == {
        "grandpa_set_id": 238,
        "rpc_grandpa_round": 8329,
        "grandpa_total_weight": 21,
        "grandpa_missing": (ALICE,),
    }


@pytest.mark.parametrize(
    ("prevotes", "precommits", "missing"),
    [
        ([], ["a", "b"], ()),
        (["a", "b"], ["b", "a"], ("a", "b")),
        (["a", "a"], ["a"], ("a",)),
        (["a"], None, ("a",)),
        ("a", ["b"], ("b",)),
        (None, None, None),
        ([4], ["a"], None),
        ([["a"]], ["a"], None),
        (["x" * 81], ["x" * 81], None),
        (["bad\nid"], ["bad\nid"], ("bad id",)),
    ],
)
def test_missing_is_who_neither_prevoted_nor_precommitted(prevotes: Any, precommits: Any, missing: Any) -> None:
    assert jsonrpc.grandpa_round_state(round_state(prevotes, precommits)).get("grandpa_missing") == missing


def test_keys_are_compared_in_one_form() -> None:
    assert public_key(ALICE_SS58) == ALICE
    assert public_key(ALICE.upper().replace("0X", "0x")) == ALICE
    assert public_key(ALICE[2:]) == ALICE
    assert public_key(ALICE_SS58[:-1] + "v") is None
    assert public_key("5" * 48) is None
    assert public_key("é") is None


@given(st.binary(min_size=32, max_size=32), st.integers(0, 63) | st.integers(64, 16383))
def test_addresses_of_every_network_give_their_key(key: bytes, network: int) -> None:
    assert public_key(ss58(key, network)) == "0x" + key.hex()


def ss58(key: bytes, network: int) -> str:
    two_bytes = [((network & 0b11111100) >> 2) | 0b01000000, (network >> 8) | ((network & 0b11) << 6)]
    data = bytes([network] if network < 64 else two_bytes) + key
    data += blake2b(b"SS58PRE" + data).digest()[:2]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf{}")
@example(b'{"id":1,"error":{"code":1e999,"message":NaN}}')
def test_no_bytes_raise_anything_but_a_source_error(body: bytes) -> None:
    try:
        read_answer(body)
    except SourceError as error:
        assert error.kind in ("unreadable", "rpc")


@given(KNOWN_JSON)
def test_no_json_raises_anything_but_a_source_error(value: Any) -> None:
    for body in (value, {"id": 1, "result": value}, {"id": value, "error": value}):
        try:
            read_answer(json.dumps(body).encode())
        except SourceError as error:
            assert str(error).isprintable()


@given(KNOWN_JSON)
def test_whatever_is_observed_is_named_and_sane(value: Any) -> None:
    for extract in EXTRACTORS:
        try:
            seen = extract(value)
        except SourceError as error:
            assert error.kind == "unreadable"
        else:
            assert seen.keys() <= OBSERVATIONS.keys()
            for observed in seen.values():
                assert type(observed) in (bool, tuple) or (type(observed) is int and 0 <= observed < 2**63)
    block_number(value)
    block_hash(value)
    jsonrpc.plain_text(value)


@given(st.text(max_size=300), st.integers(1, 250))
def test_a_line_is_short_and_printable(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()


# -- batches ----------------------------------------------------------------------------------------------------------------------


def test_a_batch_asks_each_call_under_an_id_of_its_own() -> None:
    assert json.loads(jsonrpc.batch_request([("system_health",), ("chain_getBlockHash", 7)])) == [
        {"jsonrpc": "2.0", "id": 1, "method": "system_health", "params": []},
        {"jsonrpc": "2.0", "id": 2, "method": "chain_getBlockHash", "params": [7]},
    ]


def test_each_call_of_a_batch_has_its_own_outcome_in_whatever_order_they_come() -> None:
    body = [{"id": 3, "error": {"message": "busy"}}, {"id": 1, "result": 4}, {"id": 4}, {"id": 2, "result": None}]
    first, second, third, fourth = jsonrpc.read_batch(json.dumps(body).encode(), 4)
    assert (first, second) == (4, None)
    assert isinstance(third, RpcError) and third.code is None and third.reason == "busy"
    assert isinstance(fourth, SourceError) and fourth.kind == "unreadable"


@pytest.mark.parametrize(
    "body",
    [
        [],
        [{"id": 1, "result": 1}],
        [{"id": 1, "result": 1}, {"id": 1, "result": 1}],
        [{"id": None, "result": 1}, {"id": None, "result": 1}],
        [{"id": 1, "result": 1}, {"id": "2", "result": 1}],
        [{"id": True, "result": 1}, {"id": 2, "result": 1}],
        [{"id": 1, "result": 1}, {"id": 2, "result": 1}, {"id": 3, "result": 1}],
        [{"id": [1], "result": 1}, {"id": 2, "result": 1}],
        [1, 2],
        {"id": 1, "result": 1},
        {"id": None, "error": {"code": -32005, "message": "Batched requests are not supported by this server"}},
        "busy",
        None,
    ],
)
def test_a_batch_whose_answers_are_not_each_call_s_own_is_no_answer(body: Any) -> None:
    with pytest.raises(SourceError) as caught:
        jsonrpc.read_batch(json.dumps(body).encode(), 2)
    assert caught.value.kind in ("unreadable", "rpc")


@given(st.binary() | KNOWN_JSON.map(lambda value: json.dumps(value).encode()) | st.lists(KNOWN_JSON).map(lambda v: json.dumps(v).encode()))
def test_no_answer_to_a_batch_raises_anything_but_a_source_error(body: bytes) -> None:
    with contextlib.suppress(SourceError):
        assert len(jsonrpc.read_batch(body, 2)) == 2


def test_the_ids_of_peers() -> None:
    peers = [{"peerId": "12D3KooA", "roles": "AUTHORITY"}, {"peerId": 7}, "x", {}, {"peerId": "12D3KooA"}]
    assert jsonrpc.system_peer_ids(peers) == {"12D3KooA"}
    with pytest.raises(SourceError):
        jsonrpc.system_peer_ids({"peerId": "x"})

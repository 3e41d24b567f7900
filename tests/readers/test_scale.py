"""Types and bytes from a chain: what goes in comes out, and nothing hostile does harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.errors import SourceError
from gizzi.readers.runtime import Runtime
from gizzi.readers.scale import Call, Cursor, Kind, Types
from gizzi.readers.ss58 import address, public_key
from gizzi.readers.xxh64 import twox, xxh64
from tools import scale
from tools.substrate import METADATA, RUNTIME, key

KNOWN = {
    0: Kind("primitive", primitive="u8"),
    1: Kind("primitive", primitive="u128"),
    2: Kind("primitive", primitive="str"),
    3: Kind("primitive", primitive="i32"),
    4: Kind("compact", of=(1,)),
    5: Kind("list", of=(2,)),
    6: Kind("list", of=(0,)),
    7: Kind("primitive", primitive="bool"),
    8: Kind("struct", of=(1, 5, 7), names=("a", "b", "c")),
    9: Kind("tuple", of=(3, 4)),
    10: Kind("array", of=(3,), length=3),
}
VALUES: dict[int, st.SearchStrategy[Any]] = {
    0: st.integers(0, 255),
    1: st.integers(0, 2**128 - 1),
    2: st.text(),
    3: st.integers(-(2**31), 2**31 - 1),
    4: st.integers(0, 2**128 - 1),
    5: st.lists(st.text(max_size=5)),
    6: st.binary().map(lambda data: "0x" + data.hex()),
    8: st.fixed_dictionaries({"a": st.integers(0, 2**128 - 1), "b": st.lists(st.text(max_size=3)), "c": st.booleans()}),
    9: st.tuples(st.integers(-5, 5), st.integers(0, 2**70)).map(list),
    10: st.lists(st.integers(-9, 9), min_size=3, max_size=3),
}


@given(st.data())
def test_what_is_written_is_read(data: st.DataObject) -> None:
    types = Types(KNOWN)
    number = data.draw(st.sampled_from(sorted(VALUES)))
    value = data.draw(VALUES[number])
    assert types.decode_all(number, scale.encode(types, number, value)) == value


@given(st.integers(0, 2**536 - 1))
def test_compact_numbers(value: int) -> None:
    cursor = Cursor(scale.compact(value))
    assert cursor.compact() == value and cursor.at == len(cursor.data)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (RUNTIME.events, RUNTIME.extrinsic, Runtime):
        try:
            read("0x" + data.hex())
        except SourceError:
            pass


@given(st.data())
def test_metadata_with_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray.fromhex(METADATA[2:])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        runtime = Runtime("0x" + raw.hex())
        runtime.events("0x04000000000000")
        runtime.value("Staking", "Payee", "0x00")
        runtime.key("Staking", "Payee", key(1))
    except SourceError:
        pass


def test_types_that_hold_themselves_and_lists_without_end_are_refused() -> None:
    loop = Types({0: Kind("struct", of=(0,), names=(None,)), 1: Kind("list", of=(2,)), 2: Kind("tuple")})
    with pytest.raises(SourceError, match="too deep"):
        loop.decode_all(0, b"")
    with pytest.raises(SourceError, match="too many"):
        loop.decode_all(1, scale.compact(2**60))
    with pytest.raises(SourceError, match="no key"):
        loop.encode_key(0, 1)
    with pytest.raises(SourceError, match="there is no type 9"):
        loop.decode_all(9, b"")


def test_calls_nested_very_deep_are_refused() -> None:
    sudo = scale.encode(RUNTIME._types, RUNTIME._types.call or 0, Call("Sudo", "sudo", {"call": Call("Session", "purge_keys", {})}))
    for depth in (1_000, 100_000):
        body = b"\x04" + sudo[:2] * depth + sudo[2:]
        with pytest.raises(SourceError, match="nested too deep"):
            RUNTIME.extrinsic("0x" + (scale.compact(len(body)) + body).hex())


def test_storage_keys_as_the_network_has_them() -> None:
    assert RUNTIME.key("System", "Events") == "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"
    alice = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
    place = RUNTIME.key("System", "Account", alice)
    assert place == "0x26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9de1e86a9a8c739864cf3cc5ec2bea59f" + alice[2:]
    assert RUNTIME.keys_of("System", "Account", place) == (alice,)
    assert RUNTIME.keys_of("Staking", "ErasRewardPoints", RUNTIME.key("Staking", "ErasRewardPoints", 77)) == (77,)
    assert address(alice, 42) == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


def test_xxh64_against_published_values() -> None:
    assert (xxh64(b""), xxh64(b"a"), xxh64(b"abc")) == (0xEF46DB3751D8E999, 0xD24EC4F1A98C6E5B, 0x44BC2CF5AD770999)
    assert xxh64(b"The quick brown fox jumps over the lazy dog") == 0x0B242D361FDA71BC
    assert twox(b"System", 128).hex() == "26aa394eea5630e07c48ae0c9558cef7"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 16_383))
def test_addresses_of_every_network_are_read_back(data: bytes, prefix: int) -> None:
    assert public_key(address("0x" + data.hex(), prefix)) == "0x" + data.hex()


def test_what_is_not_there_is_said() -> None:
    assert not RUNTIME.has("Nothing") and not RUNTIME.has("System", "Nothing") and RUNTIME.has("System", "Account")
    assert RUNTIME.constant("System", "Nothing") is None and RUNTIME.constant("Nothing", "X") is None
    assert RUNTIME.value("Staking", "Payee", None) is None
    assert RUNTIME.value("Staking", "Validators", None) == {"commission": 0, "blocked": False}
    with pytest.raises(SourceError, match="no pallet Nothing"):
        RUNTIME.key("Nothing", "X")
    with pytest.raises(SourceError, match="takes 0 keys"):
        RUNTIME.key("System", "Events", 1)
    for bad in (None, 5, "x", "0xzz", ""):
        with pytest.raises(SourceError, match="hexadecimal"):
            RUNTIME.extrinsic(bad)

"""Our SCALE decoder beside another one (scalecodec), on random values of every type that real runtimes describe."""

from __future__ import annotations

import logging
from functools import lru_cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import missing
from gizzi.readers.runtime import Runtime
from gizzi.readers.scale import Call, Kind
from tools import runtimes, scale

scalecodec = pytest.importorskip("scalecodec")
from scalecodec.base import RuntimeConfigurationObject, ScaleBytes  # noqa: E402
from scalecodec.type_registry import load_type_registry_preset  # noqa: E402

pytestmark = pytest.mark.real

ITS_OWN = {"Era", "Vote", "Data"}
"""Types to which the other one gives a meaning of its own: it refuses some of their values, or shows them as something else. It reads
metadata of version 14 alone."""
DEEPEST = 8
MOST_VALUES = 60
"""After so many all that follow are the plainest."""


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    if not runtimes.is_installed():
        missing("no real metadata is here; run: python tests/tools/install.py runtimes")


class Peer:
    """The other decoder, told of the same runtime."""

    def __init__(self, name: str) -> None:
        logging.disable(logging.WARNING)
        self.runtime = Runtime(runtimes.metadata(name))
        self.types = self.runtime._types
        self._other = RuntimeConfigurationObject()
        self._other.update_type_registry(load_type_registry_preset("core"))
        self._metadata = self._other.create_scale_object("MetadataVersioned", data=ScaleBytes(runtimes.metadata(name)))
        self._metadata.decode()
        self._other.add_portable_registry(self._metadata)
        logging.disable(logging.NOTSET)
        self.own = self._own()
        self.numbers = [number for number in sorted(self.types.kinds) if number not in self.own]

    def _own(self) -> set[int]:
        """The types that hold one of ITS_OWN, or that have no value at all. Calls are seen to one by one."""
        inside = {n: {*k.of, *(of for v in k.variants.values() for _, of in v.fields)} for n, k in self.types.kinds.items()}
        kinds = self.types.kinds.items()
        found = {n for n, kind in kinds if (kind.path[-1:] and kind.path[-1] in ITS_OWN) or (kind.shape == "enum" and not kind.variants)}
        pallets = {of for variant in self.types.kind(self.types.call or 0).variants.values() for _, of in variant.fields}
        while more := {n for n, of in inside.items() if n not in found | pallets and n != self.types.call and of & found}:
            found |= more
        return found

    def decode(self, number: int, data: bytes) -> Any:
        made = self._other.create_scale_object(f"scale_info::{number}", data=ScaleBytes(data), metadata=self._metadata)
        made.decode(check_remaining=True)
        return made.value


@lru_cache
def peer(name: str) -> Peer:
    return Peer(name)


class Maker:
    """Makes any value of a type, of a bounded size."""

    def __init__(self, other: Peer, draw: Random) -> None:
        self.types, self.own, self.draw = other.types, other.own, draw
        self._left = MOST_VALUES

    def value(self, number: int, depth: int = 0) -> Any:
        kind, draw = self.types.kind(number), self.draw
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            return scale.blank(self.types, number)
        match kind.shape:
            case "primitive":
                return self._primitive(kind.primitive)
            case "compact":
                return self._compact(kind)
            case "bits":
                return "0x" + draw.randbytes(draw.randrange(3)).hex()
            case "list" | "array":
                count = kind.length if kind.shape == "array" else draw.randrange(4)
                if self.types.is_byte(kind.of[0]):
                    return "0x" + draw.randbytes(count).hex()
                return [self.value(kind.of[0], depth + 1) for _ in range(count)]
            case "enum":
                return self._enum(number, kind, depth)
        return self._fields(tuple(zip(kind.names or (None,) * len(kind.of), kind.of, strict=True)), depth)

    def _primitive(self, name: str) -> Any:
        if name in ("str", "bool"):
            return self.draw.choice(("", "abc", "née")) if name == "str" else self.draw.random() < 0.5
        bits = int(name[1:]) if name != "char" else 7
        value = self.draw.getrandbits(self.draw.choice((1, bits // 2, bits)))
        return value - (1 << bits) if name[0] == "i" and value >> (bits - 1) else value

    def _compact(self, kind: Kind) -> int:
        inside = self.types.kind(kind.of[0])
        while inside.shape in ("struct", "tuple") and len(inside.of) == 1:
            inside = self.types.kind(inside.of[0])
        return self.draw.getrandbits(self.draw.choice((3, 10, int(inside.primitive[1:])))) if inside.primitive else 0

    def _enum(self, number: int, kind: Kind, depth: int) -> Any:
        if kind.path == ("Option",):
            inside = next(one for one in kind.variants.values() if one.fields).fields[0][1]
            return None if self.draw.random() < 0.4 else self.value(inside, depth + 1)
        if number == self.types.call:
            return self._call(kind, depth)
        fitting = [one for one in kind.variants.values() if not self.own & {of for _, of in one.fields}]
        variant = self.draw.choice(fitting)
        return {variant.name: self._fields(variant.fields, depth)} if variant.fields else variant.name

    def _call(self, kind: Kind, depth: int) -> Call:
        every = [
            (pallet.name, call)
            for pallet in kind.variants.values()
            for call in self.types.kind(pallet.fields[0][1]).variants.values()
            if not self.own & {of for _, of in call.fields}
        ]
        pallet, call = self.draw.choice(every)
        return Call(pallet, call.name, {str(name): self.value(of, depth + 2) for name, of in call.fields})

    def _fields(self, fields: Any, depth: int) -> Any:
        values = [self.value(of, depth + 1) for _, of in fields]
        if len(fields) == 1 and fields[0][0] is None:
            return values[0]
        return {name: value for (name, _), value in zip(fields, values, strict=True)} if fields and fields[0][0] else values


def plain(value: Any) -> Any:
    """In one form for both: bytes and texts alike, tuples as lists, calls as what they call with what."""
    if isinstance(value, Call):
        return [value.pallet, value.name, {name: plain(one) for name, one in value.args.items()}]
    if isinstance(value, dict) and {"call_module", "call_args"} <= set(value):
        args = {str(one["name"]): plain(one["value"]) for one in value["call_args"]}
        return [value["call_module"], value["call_function"], args]
    if isinstance(value, dict) and "module_id" in value and "event" not in value:
        attributes = value["attributes"]
        return plain({value["module_id"]: value["event_id"] if attributes is None else {value["event_id"]: attributes}})
    if isinstance(value, dict) and "extrinsic_idx" in value:
        phase = value["phase"] if value["extrinsic_idx"] is None else {value["phase"]: value["extrinsic_idx"]}
        return plain({"phase": phase, "event": value["event"], "topics": value["topics"]})
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("Id", "Index"):
        return plain(next(iter(value.values())))  # of an address, which the other one shows bare
    if isinstance(value, dict) and value:
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | dict):
        return [plain(one) for one in value]
    if isinstance(value, str) and value.startswith("0b"):
        return int(value, 2).to_bytes((len(value) - 2) // 8, "little") or []
    if isinstance(value, str):
        return (bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()) or []
    return value


@pytest.mark.parametrize("name", ["polkadot-14", "kusama-14", "substrate-14"])
@settings(max_examples=150)
@given(st.integers(0, 2**40))
def test_both_read_the_same(name: str, seed: int) -> None:
    other, draw = peer(name), Random(seed)
    number = draw.choice(other.numbers)
    value = Maker(other, draw).value(number)
    data = scale.encode(other.types, number, value)
    ours = other.types.decode_all(number, data)
    assert ours == value
    assert plain(ours) == plain(other.decode(number, data)), (number, other.types.kind(number).path)

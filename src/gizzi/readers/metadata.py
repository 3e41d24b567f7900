"""Reads a runtime's metadata, version 14, which is what `state_getMetadata` gives: its types, and what its pallets store and announce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gizzi.errors import SourceError
from gizzi.readers.scale import PRIMITIVES, Cursor, Kind, Types, Variant

VERSION = 14
MAX_BYTES = 4_000_000
HASHERS = ("Blake2_128", "Blake2_256", "Blake2_128Concat", "Twox128", "Twox256", "Twox64Concat", "Identity")
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Item:
    """One stored value, or a map of them by keys. default: None where nothing stored means nothing."""

    prefix: str
    value: int
    key: int | None
    hashers: tuple[str, ...]
    default: bytes | None


@dataclass(frozen=True, slots=True)
class Pallet:
    name: str
    items: dict[str, Item]
    constants: dict[str, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Metadata:
    """extrinsic: the types of its address, signature, extra data and call."""

    types: Types
    pallets: dict[str, Pallet]
    extrinsic: dict[str, int | None]


def read_metadata(data: bytes) -> Metadata:
    """Raises SourceError."""
    cursor = Cursor(data)
    if len(data) > MAX_BYTES or cursor.take(4) != b"meta":
        raise SourceError("unreadable", "the runtime's metadata is none")
    version = cursor.byte()
    if version != VERSION:
        raise SourceError("unreadable", f"the runtime's metadata has version {version}; {VERSION} can be read")
    types = Types(dict(_many(cursor, _kind)))
    pallets = _many(cursor, _pallet)
    extrinsic = types.kind(cursor.compact()).params
    types.call = extrinsic.get("Call")
    return Metadata(types, {pallet.name: pallet for pallet in pallets}, extrinsic)


def _many(cursor: Cursor, read: Callable[[Cursor], _Read]) -> list[_Read]:
    count = cursor.compact()
    if count > len(cursor.data):
        raise SourceError("unreadable", "the runtime's metadata is longer than it is")
    return [read(cursor) for _ in range(count)]


def _maybe(cursor: Cursor, read: Callable[[Cursor], _Read]) -> _Read | None:
    return read(cursor) if cursor.byte() else None


def _skip_texts(cursor: Cursor) -> None:
    for _ in range(cursor.compact()):
        cursor.take(cursor.compact())


def _kind(cursor: Cursor) -> tuple[int, Kind]:
    number = cursor.compact()
    path = tuple(_many(cursor, Cursor.text))
    params = dict(_many(cursor, lambda c: (c.text(), _maybe(c, Cursor.compact))))
    kind = _definition(cursor, path, params)
    _skip_texts(cursor)
    return number, kind


def _definition(cursor: Cursor, path: tuple[str, ...], params: dict[str, int | None]) -> Kind:
    match cursor.byte():
        case 0:
            fields = _many(cursor, _field)
            return Kind("struct", path, tuple(of for _, of in fields), tuple(name for name, _ in fields), params=params)
        case 1:
            return Kind("enum", path, variants=dict(_many(cursor, _variant)), params=params)
        case 2:
            return Kind("list", path, (cursor.compact(),))
        case 3:
            length = cursor.uint(4)
            return Kind("array", path, (cursor.compact(),), length=length)
        case 4:
            return Kind("tuple", path, tuple(_many(cursor, Cursor.compact)))
        case 5:
            place = cursor.byte()
            if place < len(PRIMITIVES):
                return Kind("primitive", path, primitive=PRIMITIVES[place])
        case 6:
            return Kind("compact", path, (cursor.compact(),))
        case 7:
            return Kind("bits", path, (cursor.compact(), cursor.compact()))
    raise SourceError("unreadable", "the runtime's metadata describes a type of an unknown shape")


def _field(cursor: Cursor) -> tuple[str | None, int]:
    name, kind = _maybe(cursor, Cursor.text), cursor.compact()
    _maybe(cursor, Cursor.text)
    _skip_texts(cursor)
    return name, kind


def _variant(cursor: Cursor) -> tuple[int, Variant]:
    name, fields, index = cursor.text(), _many(cursor, _field), cursor.byte()
    _skip_texts(cursor)
    return index, Variant(name, fields)


def _pallet(cursor: Cursor) -> Pallet:
    name = cursor.text()
    items = _maybe(cursor, _storage) or {}
    for _ in ("calls", "events"):
        _maybe(cursor, Cursor.compact)
    constants = dict(_many(cursor, _constant))
    _maybe(cursor, Cursor.compact)  # errors
    cursor.byte()
    return Pallet(name, items, constants)


def _storage(cursor: Cursor) -> dict[str, Item]:
    prefix = cursor.text()
    return dict(_many(cursor, lambda c: _item(c, prefix)))


def _item(cursor: Cursor, prefix: str) -> tuple[str, Item]:
    name, with_default = cursor.text(), cursor.byte() == 1
    hashers: tuple[str, ...] = ()
    key = None
    if cursor.byte():
        places = _many(cursor, Cursor.byte)
        if any(place >= len(HASHERS) for place in places):
            raise SourceError("unreadable", f"the runtime's metadata hashes the keys of {name} in an unknown way")
        hashers, key = tuple(HASHERS[place] for place in places), cursor.compact()
    value = cursor.compact()
    default = cursor.take(cursor.compact())
    _skip_texts(cursor)
    return name, Item(prefix, value, key, hashers, default if with_default else None)


def _constant(cursor: Cursor) -> tuple[str, tuple[int, bytes]]:
    name, kind = cursor.text(), cursor.compact()
    value = cursor.take(cursor.compact())
    _skip_texts(cursor)
    return name, (kind, value)

"""Reads a runtime's metadata: its types, and what its pallets store and announce. `state_getMetadata` gives version 14; 15 and 16, which
runtimes also have, are read too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gizzi.errors import SourceError
from gizzi.readers.scale import PRIMITIVES, Cursor, Kind, Types, Variant

VERSIONS = (14, 15, 16)
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
class Form:
    """The types of what an extrinsic holds. extensions: those of the data between signature and call, by the version it names (0 where
    it names none)."""

    address: int
    signature: int
    call: int
    extensions: dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Metadata:
    """extrinsic: None where the runtime does not say what one holds."""

    types: Types
    pallets: dict[str, Pallet]
    extrinsic: Form | None


def read_metadata(data: bytes) -> Metadata:
    """Raises SourceError."""
    cursor = Cursor(data)
    if len(data) > MAX_BYTES or cursor.take(4) != b"meta":
        raise SourceError("unreadable", "the runtime's metadata is none")
    version = cursor.byte()
    if version not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise SourceError("unreadable", f"the runtime's metadata has version {version}; these can be read: {known}")
    types = Types(dict(_many(cursor, _kind)))
    pallets = _many(cursor, lambda c: _pallet(c, version))
    form = _form_14(cursor, types) if version == 14 else _form_15(cursor) if version == 15 else _form_16(cursor)
    types.call = None if form is None else form.call
    return Metadata(types, {pallet.name: pallet for pallet in pallets}, form)


def _form_14(cursor: Cursor, types: Types) -> Form | None:
    """What the extrinsic's type says of its parts, and the list of its extensions. Chains that speak Ethereum too wrap the type once."""
    kind = types.kind(cursor.compact())
    if "Call" not in kind.params and kind.shape == "struct" and len(kind.of) == 1:
        kind = types.kind(kind.of[0])
    cursor.byte()  # the extrinsic's version
    extensions = tuple(_many(cursor, _extension))
    address, signature, call = (kind.params.get(name) for name in ("Address", "Signature", "Call"))
    if address is None or signature is None or call is None:
        return None
    return Form(address, signature, call, {0: extensions})


def _form_15(cursor: Cursor) -> Form:
    cursor.byte()
    address, call, signature, _ = (cursor.compact() for _ in range(4))  # the last: all extensions as one type
    return Form(address, signature, call, {0: tuple(_many(cursor, _extension))})


def _form_16(cursor: Cursor) -> Form:
    _many(cursor, Cursor.byte)
    address, call, signature = (cursor.compact() for _ in range(3))
    versions = dict(_many(cursor, lambda c: (c.byte(), _many(c, Cursor.compact))))
    types = _many(cursor, _extension)
    if any(place >= len(types) for places in versions.values() for place in places):
        raise SourceError("unreadable", "the runtime's metadata names an extension of extrinsics that is not there")
    return Form(address, signature, call, {version: tuple(types[place] for place in places) for version, places in versions.items()})


def _extension(cursor: Cursor) -> int:
    """The type of its data; what is only signed along is not in the extrinsic."""
    cursor.text()
    found = cursor.compact()
    cursor.compact()
    return found


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


def _pallet(cursor: Cursor, version: int) -> Pallet:
    name = cursor.text()
    items = _maybe(cursor, lambda c: _storage(c, version)) or {}
    for _ in ("calls", "events"):
        _maybe(cursor, lambda c: _skip_reference(c, version))
    constants = dict(_many(cursor, lambda c: _constant(c, version)))
    _maybe(cursor, lambda c: _skip_reference(c, version))  # errors
    if version >= 16:
        _many(cursor, _skip_associated)
        _many(cursor, _skip_view)
    cursor.byte()
    if version >= 15:
        _skip_texts(cursor)
    _skip_deprecation(cursor, version)
    return Pallet(name, items, constants)


def _storage(cursor: Cursor, version: int) -> dict[str, Item]:
    prefix = cursor.text()
    return dict(_many(cursor, lambda c: _item(c, prefix, version)))


def _item(cursor: Cursor, prefix: str, version: int) -> tuple[str, Item]:
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
    _skip_deprecation(cursor, version)
    return name, Item(prefix, value, key, hashers, default if with_default else None)


def _constant(cursor: Cursor, version: int) -> tuple[str, tuple[int, bytes]]:
    name, kind = cursor.text(), cursor.compact()
    value = cursor.take(cursor.compact())
    _skip_texts(cursor)
    _skip_deprecation(cursor, version)
    return name, (kind, value)


def _skip_reference(cursor: Cursor, version: int) -> None:
    """An enum of calls, events or errors; of each of its variants, whether it is deprecated."""
    cursor.compact()
    if version >= 16:
        for _ in range(cursor.compact()):
            cursor.byte()
            _skip_deprecation(cursor, version)


def _skip_deprecation(cursor: Cursor, version: int) -> None:
    """No, yes, or yes with a note and perhaps since when; of items in general, since version 16."""
    if version >= 16 and cursor.byte() == 2:
        cursor.text()
        _maybe(cursor, Cursor.text)


def _skip_associated(cursor: Cursor) -> None:
    cursor.text()
    cursor.compact()
    _skip_texts(cursor)


def _skip_view(cursor: Cursor) -> None:
    """A function that reads a pallet: hash, name, what it takes and gives."""
    cursor.take(32)
    cursor.text()
    _many(cursor, lambda c: (c.text(), c.compact()))
    cursor.compact()
    _skip_texts(cursor)
    _skip_deprecation(cursor, 16)

"""SCALE, the way Substrate writes values as bytes, by types that a chain describes itself. Types and bytes are hostile: nothing here
recurses deep, makes more values than a node could store, or raises anything but SourceError.

The codecs to be had (cyscale, scalecodec) end the process on calls nested a few thousand deep, which is why this one is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gizzi.errors import SourceError

DEEPEST = 96
"""A runtime itself refuses calls nested deeper than that."""
MOST_VALUES = 2_000_000
PRIMITIVES = ("bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "u256", "i8", "i16", "i32", "i64", "i128", "i256")
_WIDTHS = {name: int(name[1:]) // 8 for name in PRIMITIVES[3:]} | {"bool": 1, "char": 4}


class Cursor:
    """Reads on through bytes. Raises SourceError at their end."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise SourceError("unreadable", f"the bytes end {end - len(self.data)} too early")
        found = self.data[self.at : end]
        self.at = end
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def uint(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def compact(self) -> int:
        first = self.byte()
        match first & 3:
            case 0:
                return first >> 2
            case 1:
                return (first | self.byte() << 8) >> 2
            case 2:
                return (first | self.uint(3) << 8) >> 2
        return self.uint((first >> 2) + 4)

    def text(self) -> str:
        return self.take(self.compact()).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    fields: Sequence[tuple[str | None, int]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One described type. of: the types inside; names: of its fields, None for those without. length: of an array.

    primitive: its name, where it is one. variants: by index."""

    shape: Literal["struct", "enum", "list", "array", "tuple", "primitive", "compact", "bits"]
    path: tuple[str, ...] = ()
    of: tuple[int, ...] = ()
    names: tuple[str | None, ...] = ()
    length: int = 0
    primitive: str = ""
    variants: dict[int, Variant] = field(default_factory=dict)
    params: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a chain's runtime, and the calls inside it: of a batch, a proxy, a multisig, a sudo."""

    pallet: str
    name: str
    args: dict[str, Any]

    @property
    def title(self) -> str:
        return f"{self.pallet}.{self.name}"

    def inner(self) -> list[Call]:
        """Those directly inside it."""
        return _calls_in(list(self.args.values()))


class Types:
    """A chain's types by number. Bytes become numbers, texts, lists, dicts; a list or an array of u8 becomes 0x…; an enum its variant's
    name, or {name: what it holds}; an Option its value or None; a call of the runtime a `Call`."""

    def __init__(self, kinds: dict[int, Kind]) -> None:
        self.kinds = kinds
        self.call: int | None = None
        """The type of the runtime's calls."""
        self._left = MOST_VALUES

    def decode(self, kind: int, cursor: Cursor) -> Any:
        self._left = MOST_VALUES
        return self._value(kind, cursor, 0)

    def decode_all(self, kind: int, data: bytes) -> Any:
        """The same of bytes that must hold nothing else."""
        cursor = Cursor(data)
        value = self.decode(kind, cursor)
        if cursor.at != len(data):
            raise SourceError("unreadable", f"{len(data) - cursor.at} bytes are left over")
        return value

    def kind(self, number: int) -> Kind:
        if number not in self.kinds:
            raise SourceError("unreadable", f"there is no type {number}")
        return self.kinds[number]

    def is_byte(self, number: int) -> bool:
        return self.kind(number).primitive == "u8"

    def _value(self, number: int, cursor: Cursor, depth: int) -> Any:
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise SourceError("unreadable", "it is nested too deep" if depth > DEEPEST else "it holds too many values")
        kind = self.kind(number)
        match kind.shape:
            case "primitive":
                return _primitive(kind.primitive, cursor)
            case "compact":
                return cursor.compact()
            case "struct" | "tuple":
                return self._fields(tuple(zip(kind.names or (None,) * len(kind.of), kind.of, strict=True)), cursor, depth)
            case "enum":
                return self._enum(number, kind, cursor, depth)
            case "list" | "array":
                count = cursor.compact() if kind.shape == "list" else kind.length
                if self.is_byte(kind.of[0]):
                    return "0x" + cursor.take(count).hex()
                return [self._value(kind.of[0], cursor, depth + 1) for _ in self._times(count)]
        store = _WIDTHS.get(self.kind(kind.of[0]).primitive, 1)
        return "0x" + cursor.take(-(-cursor.compact() // (8 * store)) * store).hex()

    def _times(self, count: int) -> range:
        if count > self._left:
            raise SourceError("unreadable", "it holds too many values")
        return range(count)

    def _fields(self, fields: Sequence[tuple[str | None, int]], cursor: Cursor, depth: int) -> Any:
        if len(fields) == 1 and fields[0][0] is None:
            return self._value(fields[0][1], cursor, depth + 1)
        values = [self._value(of, cursor, depth + 1) for _, of in fields]
        if fields and all(name is not None for name, _ in fields):
            return {str(name): value for (name, _), value in zip(fields, values, strict=True)}
        return values

    def _enum(self, number: int, kind: Kind, cursor: Cursor, depth: int) -> Any:
        index = cursor.byte()
        if index not in kind.variants:
            raise SourceError("unreadable", f"{'.'.join(kind.path) or 'an enum'} has no variant {index}")
        variant = kind.variants[index]
        if number == self.call:
            return self._call(variant, cursor, depth)
        if kind.path == ("Option",):
            return self._fields(variant.fields, cursor, depth) if variant.fields else None
        return {variant.name: self._fields(variant.fields, cursor, depth)} if variant.fields else variant.name

    def _call(self, pallet: Variant, cursor: Cursor, depth: int) -> Call:
        calls = self.kind(pallet.fields[0][1]) if pallet.fields else Kind("enum")
        variant = calls.variants.get(cursor.byte())
        if variant is None:
            raise SourceError("unreadable", f"{pallet.name} has no such call")
        names = [name or str(place) for place, (name, _) in enumerate(variant.fields)]
        values = [self._value(of, cursor, depth + 1) for _, of in variant.fields]
        return Call(pallet.name, variant.name, dict(zip(names, values, strict=True)))

    def encode_key(self, number: int, value: Any) -> bytes:
        """A storage key: a whole number, bytes as 0x… (an account, a hash), or a list of such for a tuple."""
        kind = self.kind(number)
        for _ in range(DEEPEST):
            if kind.shape in ("struct", "tuple") and len(kind.of) == 1:
                kind = self.kind(kind.of[0])
        if kind.shape == "tuple" and isinstance(value, list) and len(value) == len(kind.of):
            return b"".join(self.encode_key(of, one) for of, one in zip(kind.of, value, strict=True))
        if kind.shape == "primitive" and isinstance(value, int) and 0 <= value < 256 ** _WIDTHS.get(kind.primitive, 0):
            return value.to_bytes(_WIDTHS[kind.primitive], "little")
        if kind.shape == "array" and isinstance(value, str) and len(value) == 2 + 2 * kind.length:
            return bytes.fromhex(value[2:])
        raise SourceError("unreadable", f"{value!r} is no key of the type {'.'.join(kind.path) or kind.primitive or kind.shape}")


def _primitive(name: str, cursor: Cursor) -> Any:
    if name == "str":
        return cursor.text()
    value = cursor.take(_WIDTHS[name])
    if name == "bool":
        return value != b"\0"
    return int.from_bytes(value, "little", signed=name[0] == "i")


def _calls_in(values: list[Any]) -> list[Call]:
    found: list[Call] = []
    waiting = list(reversed(values))
    while waiting:
        value = waiting.pop()
        if isinstance(value, Call):
            found.append(value)
        elif isinstance(value, dict):
            waiting += reversed(list(value.values()))
        elif isinstance(value, list):
            waiting += reversed(value)
    return found

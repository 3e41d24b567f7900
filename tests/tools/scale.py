"""Writes SCALE: values by a runtime's own types (the inverse of gizzi.readers.scale), and a small runtime's metadata, made of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gizzi.readers.metadata import HASHERS
from gizzi.readers.runtime import Runtime
from gizzi.readers.scale import PRIMITIVES, Call, Kind, Types


def compact(value: int) -> bytes:
    if value < 2**6:
        return bytes([value << 2])
    if value < 2**14:
        return (value << 2 | 1).to_bytes(2, "little")
    if value < 2**30:
        return (value << 2 | 2).to_bytes(4, "little")
    width = max(4, (value.bit_length() + 7) // 8)
    return bytes([(width - 4) << 2 | 3]) + value.to_bytes(width, "little")


def text(value: str) -> bytes:
    return compact(len(value.encode())) + value.encode()


def many(parts: Sequence[bytes]) -> bytes:
    return compact(len(parts)) + b"".join(parts)


def encode(types: Types, number: int, value: Any) -> bytes:
    kind = types.kind(number)
    match kind.shape:
        case "primitive":
            if kind.primitive == "str":
                return text(value)
            width = 1 if kind.primitive == "bool" else 4 if kind.primitive == "char" else int(kind.primitive[1:]) // 8
            return int(value).to_bytes(width, "little", signed=kind.primitive[0] == "i")
        case "compact":
            return compact(value)
        case "struct" | "tuple":
            return _fields(types, tuple(zip(kind.names or (None,) * len(kind.of), kind.of, strict=True)), value)
        case "list" | "array":
            if types.is_byte(kind.of[0]):
                data = bytes.fromhex(value[2:])
                return (compact(len(data)) if kind.shape == "list" else b"") + data
            inside = b"".join(encode(types, kind.of[0], one) for one in value)
            return (compact(len(value)) if kind.shape == "list" else b"") + inside
        case "bits":
            return compact(8 * (len(value) // 2 - 1)) + bytes.fromhex(value[2:])
    return _enum(types, number, value)


def _fields(types: Types, fields: Sequence[tuple[str | None, int]], value: Any) -> bytes:
    if len(fields) == 1 and fields[0][0] is None:
        return encode(types, fields[0][1], value)
    values = [value[name] for name, _ in fields] if isinstance(value, Mapping) else value
    return b"".join(encode(types, of, one) for (_, of), one in zip(fields, values, strict=True))


def _enum(types: Types, number: int, value: Any) -> bytes:
    kind = types.kind(number)
    if number == types.call:
        assert isinstance(value, Call)
        index, pallet = next((at, one) for at, one in kind.variants.items() if one.name == value.pallet)
        calls = types.kind(pallet.fields[0][1]).variants
        place, call = next((at, one) for at, one in calls.items() if one.name == value.name)
        named = [(name or str(at), of) for at, (name, of) in enumerate(call.fields)]
        return bytes([index, place]) + b"".join(encode(types, of, value.args[name]) for name, of in named)
    if kind.path == ("Option",):
        some = next(one for one in kind.variants.values() if one.fields)
        return b"\0" if value is None else b"\1" + _fields(types, some.fields, value)
    name, inside = next(iter(value.items())) if isinstance(value, Mapping) else (value, None)
    index, variant = next((at, one) for at, one in kind.variants.items() if one.name == name)
    return bytes([index]) + (_fields(types, variant.fields, inside) if variant.fields else b"")


def blank(types: Types, number: int, depth: int = 0) -> Any:
    """The plainest value of a type: 0, nothing, the first variant that holds the least."""
    kind = types.kind(number)
    assert depth < 64, "a type that holds itself"
    match kind.shape:
        case "primitive":
            return {"str": "", "bool": False}.get(kind.primitive, 0)
        case "compact":
            return 0
        case "bits":
            return "0x"
        case "list":
            return "0x" if types.is_byte(kind.of[0]) else []
        case "array":
            return "0x" + "00" * kind.length if types.is_byte(kind.of[0]) else [blank(types, kind.of[0], depth + 1)] * kind.length
        case "enum" if kind.path != ("Option",):
            variant = min(kind.variants.values(), key=lambda one: len(one.fields))
            return {variant.name: _blank_fields(types, variant.fields, depth)} if variant.fields else variant.name
        case "enum":
            return None
    return _blank_fields(types, tuple(zip(kind.names or (None,) * len(kind.of), kind.of, strict=True)), depth)


def filled(types: Types, number: int, value: Any, depth: int = 0) -> Any:
    """`value` with the fields that it leaves out as plain as can be, at any depth. What it says is kept."""
    kind = types.kind(number)
    if isinstance(value, Mapping) and kind.shape == "struct":
        if kind.names == (None,):
            return filled(types, kind.of[0], value, depth + 1)
        unknown = set(value) - set(kind.names)
        assert not unknown, f"{'.'.join(kind.path)} has no {unknown}, but {kind.names}"
        return {
            name: filled(types, of, value[name], depth + 1) if name in value else blank(types, of)
            for name, of in zip(kind.names, kind.of, strict=True)
        }
    if kind.shape == "enum" and number != types.call:
        return _filled_enum(types, kind, value, depth)
    if isinstance(value, list) and kind.shape in ("list", "array"):
        return [filled(types, kind.of[0], one, depth + 1) for one in value]
    if isinstance(value, list) and kind.shape == "struct" and kind.names == (None,):
        return filled(types, kind.of[0], value, depth + 1)
    return value


def _filled_enum(types: Types, kind: Kind, value: Any, depth: int) -> Any:
    if kind.path == ("Option",):
        some = next(one for one in kind.variants.values() if one.fields)
        return None if value is None else filled(types, some.fields[0][1], value, depth + 1)
    name, inside = next(iter(value.items())) if isinstance(value, Mapping) else (value, None)
    variant = next((one for one in kind.variants.values() if one.name == name), None)
    assert variant is not None, f"{'.'.join(kind.path)} has no {name}"
    if not variant.fields:
        return name
    if variant.fields[0][0] is None:
        return {name: filled(types, variant.fields[0][1], inside, depth + 1) if len(variant.fields) == 1 and inside is not None else
                inside if inside is not None else _blank_fields(types, variant.fields, depth)}  # fmt: skip
    given = inside or {}
    unknown = set(given) - {one for one, _ in variant.fields}
    assert not unknown, f"{name} has no {unknown}, but {[one for one, _ in variant.fields]}"
    return {name: {str(one): filled(types, of, given[one], depth + 1) if one in given else blank(types, of) for one, of in variant.fields}}


def _blank_fields(types: Types, fields: Sequence[tuple[str | None, int]], depth: int) -> Any:
    values = [blank(types, of, depth + 1) for _, of in fields]
    if len(fields) == 1 and fields[0][0] is None:
        return values[0]
    return {name: value for (name, _), value in zip(fields, values, strict=True)} if fields and fields[0][0] is not None else values


def stored(runtime: Runtime, pallet: str, item: str, value: Any) -> str:
    """A storage value as a node gives it."""
    return "0x" + encode(runtime._types, runtime._item(pallet, item).value, value).hex()


def events(runtime: Runtime, *said: tuple[int | None, str, str, Any]) -> str:
    """System.Events of (extrinsic or None, pallet, name, fields). Fields left out are the plainest; all of them where `fields` is None."""
    records = [
        {
            "phase": "Finalization" if place is None else {"ApplyExtrinsic": place},
            "event": {pallet: name if fields is None else {name: fields}},
            "topics": [],
        }
        for place, pallet, name, fields in said
    ]
    kind = runtime._item("System", "Events").value
    return "0x" + encode(runtime._types, kind, filled(runtime._types, kind, records)).hex()


def unsigned(runtime: Runtime, call: Call) -> str:
    return _extrinsic(b"\x04" + encode(runtime._types, runtime._types.call or 0, call))


def signed(runtime: Runtime, signer: str, call: Call, *, extra: Any, signature: Any = None) -> str:
    """extra: a value for each extension of the chain's extrinsics."""
    types, form = runtime._types, runtime._form()
    given = [(form.address, {"Id": signer}), (form.signature, signature or {"Sr25519": "0x" + "00" * 64})]
    given += [*zip(form.extensions[0], extra, strict=True), (form.call, call)]
    body = b"\x84" + b"".join(encode(types, kind, value) for kind, value in given)
    return _extrinsic(body)


def extra(runtime: Runtime, nonce: int = 0) -> list[Any]:
    """For `signed`: immortal, no tip, that nonce."""
    kinds = runtime._form().extensions[0]
    named = [(runtime._types.kind(kind).path[-1:], kind) for kind in kinds]
    return [nonce if path == ("CheckNonce",) else blank(runtime._types, kind) for path, kind in named]


def _extrinsic(body: bytes) -> str:
    return "0x" + (compact(len(body)) + body).hex()


class Small:
    """A runtime's metadata, written by hand: `types` are added one by one and numbered, pallets name them."""

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._pallets: list[bytes] = []
        self._named: dict[str, int] = {}

    def type(self, definition: bytes, path: Sequence[str] = (), params: Mapping[str, int] | None = None) -> int:
        number = len(self._types)
        given = many([text(name) + b"\1" + compact(of) for name, of in (params or {}).items()])
        self._types.append(compact(number) + many([text(part) for part in path]) + given + definition + b"\0")
        return number

    def primitive(self, name: str) -> int:
        if name not in self._named:
            self._named[name] = self.type(b"\5" + bytes([PRIMITIVES.index(name)]))
        return self._named[name]

    def list(self, of: int) -> int:
        return self.type(b"\2" + compact(of))

    def array(self, of: int, length: int) -> int:
        return self.type(b"\3" + length.to_bytes(4, "little") + compact(of))

    def struct(self, fields: Mapping[str, int] | Sequence[int], path: Sequence[str] = (), params: Mapping[str, int] | None = None) -> int:
        return self.type(b"\0" + _described(fields), path, params)

    def enum(self, variants: Mapping[str, Mapping[str, int] | Sequence[int]], path: Sequence[str] = ()) -> int:
        parts = [text(name) + _described(fields) + bytes([at]) + b"\0" for at, (name, fields) in enumerate(variants.items())]
        return self.type(b"\1" + many(parts), path)

    def pallet(
        self,
        name: str,
        items: Mapping[str, tuple[int, int | None, str | Sequence[str], bytes | None]],
        constants: Mapping[str, tuple[int, bytes]] | None = None,
    ) -> None:
        """items: (value, key or None, hasher or hashers, default or None)."""
        stored_items = [_item(item, *parts) for item, parts in items.items()]
        kept = [text(named) + compact(kind) + compact(len(data)) + data + b"\0" for named, (kind, data) in (constants or {}).items()]
        at = bytes([len(self._pallets)])
        self._pallets.append(text(name) + b"\1" + text(name) + many(stored_items) + b"\0\0" + many(kept) + b"\0" + at)

    def metadata(self, extrinsic: int) -> str:
        data = b"meta\x0e" + many(self._types) + many(self._pallets) + compact(extrinsic) + b"\x04" + b"\0" + compact(extrinsic)
        return "0x" + data.hex()


def _described(fields: Mapping[str, int] | Sequence[int]) -> bytes:
    named = fields.items() if isinstance(fields, Mapping) else [(None, of) for of in fields]
    return many([(b"\0" if name is None else b"\1" + text(name)) + compact(of) + b"\0\0" for name, of in named])


def _item(name: str, value: int, key: int | None, hashers: str | Sequence[str], default: bytes | None) -> bytes:
    how = [hashers] if isinstance(hashers, str) else list(hashers)
    kind = b"\0" if key is None else b"\1" + many([bytes([HASHERS.index(one)]) for one in how]) + compact(key)
    data = default or b""
    return text(name) + (b"\0" if default is None else b"\1") + kind + compact(value) + compact(len(data)) + data + b"\0"

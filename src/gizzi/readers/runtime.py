"""A chain's runtime: where its values lie in storage, and what the bytes there, in events and in extrinsics mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from gizzi.errors import SourceError
from gizzi.readers.metadata import Form, Item, read_metadata
from gizzi.readers.scale import Call, Cursor
from gizzi.readers.xxh64 import twox

MAX_HEX = 8_000_000
_CONCAT = {"Identity": 0, "Twox64Concat": 8, "Blake2_128Concat": 16}
_HASHED = {"Blake2_128": 16, "Blake2_256": 32, "Twox128": 16, "Twox256": 32}
_SIGNED, _GENERAL = 2, 1
"""What the two upper bits of an extrinsic's first byte say."""


@dataclass(frozen=True, slots=True)
class Event:
    """extrinsic: its place in the block, None where the block itself caused it. fields: by name, or "0", "1" … where they have none."""

    pallet: str
    name: str
    fields: Mapping[str, Any]
    extrinsic: int | None

    @property
    def title(self) -> str:
        return f"{self.pallet}.{self.name}"


@dataclass(frozen=True, slots=True)
class Extrinsic:
    """signer: a public key (0x…); None for what the block's author put in."""

    call: Call
    signer: str | None = None


class Runtime:
    """One version of a chain's runtime, from its metadata as `state_getMetadata` gives it. Everything raises SourceError."""

    def __init__(self, metadata_hex: object) -> None:
        self._metadata = read_metadata(raw_bytes(metadata_hex))
        self._types = self._metadata.types

    def has(self, pallet: str, item: str | None = None) -> bool:
        """Whether there is such a pallet, and in it such a stored item."""
        found = self._metadata.pallets.get(pallet)
        return found is not None and (item is None or item in found.items)

    def constant(self, pallet: str, name: str) -> Any:
        """None where there is none."""
        found = self._metadata.pallets.get(pallet)
        if found is None or name not in found.constants:
            return None
        return self._types.decode_all(*found.constants[name])

    def key(self, pallet: str, item: str, *keys: Any) -> str:
        """Where a value lies; with fewer keys than the item has, the prefix of all that begin so."""
        found = self._item(pallet, item)
        kinds = self._key_types(found)
        if len(keys) > len(kinds):
            raise SourceError("unreadable", f"{pallet}.{item} takes {len(kinds)} keys")
        parts = [twox(found.prefix.encode(), 128), twox(item.encode(), 128)]
        parts += [_hashed(how, self._types.encode_key(kind, key)) for key, kind, how in zip(keys, kinds, found.hashers, strict=False)]
        return "0x" + b"".join(parts).hex()

    def value(self, pallet: str, item: str, raw: object) -> Any:
        """A stored value; None where nothing is stored and the runtime has no default for that."""
        found = self._item(pallet, item)
        data = found.default if raw is None else raw_bytes(raw)
        try:
            return None if data is None else self._types.decode_all(found.value, data)
        except SourceError as error:
            raise SourceError(error.kind, f"{pallet}.{item} cannot be decoded: {error}") from None

    def keys_of(self, pallet: str, item: str, key: object) -> tuple[Any, ...]:
        """The keys in a full storage key, None for those of which only a hash is kept."""
        found = self._item(pallet, item)
        cursor = Cursor(raw_bytes(key))
        cursor.take(32)
        keys = []
        for kind, how in zip(self._key_types(found), found.hashers, strict=True):
            cursor.take(_CONCAT.get(how, 0) or _HASHED.get(how, 0))
            keys.append(self._types.decode(kind, cursor) if how in _CONCAT else None)
        return tuple(keys)

    def events(self, raw: object) -> list[Event]:
        """What stands in System.Events of one block."""
        found = self.value("System", "Events", raw)
        return [_event(one) for one in found] if isinstance(found, list) else []

    def extrinsic(self, raw: object) -> Extrinsic:
        cursor = Cursor(raw_bytes(raw))
        length, first = cursor.compact(), cursor.byte()
        if length != len(cursor.data) - cursor.at + 1:
            raise SourceError("unreadable", "the extrinsic is not as long as it says")
        form, signer, version = self._form(), None, 0
        if first >> 6 == _SIGNED:
            signer = account(self._types.decode(form.address, cursor))
            self._types.decode(form.signature, cursor)
        elif first >> 6 == _GENERAL:
            version = cursor.byte()
        if first >> 6:
            if version not in form.extensions:
                raise SourceError("unreadable", f"the runtime does not say what an extrinsic's extensions of version {version} are")
            for kind in form.extensions[version]:
                self._types.decode(kind, cursor)
        call = self._types.decode(form.call, cursor)
        if not isinstance(call, Call) or cursor.at != len(cursor.data):
            raise SourceError("unreadable", "the extrinsic does not hold one call")
        return Extrinsic(call, signer)

    def call(self, raw: object) -> Call:
        """One call by itself, as a proposal holds it."""
        found = self._types.decode_all(self._form().call, raw_bytes(raw))
        if not isinstance(found, Call):
            raise SourceError("unreadable", "this is no call")
        return found

    def _form(self) -> Form:
        if self._metadata.extrinsic is None:
            raise SourceError("unreadable", "the runtime does not say what an extrinsic holds")
        return self._metadata.extrinsic

    def _item(self, pallet: str, item: str) -> Item:
        found = self._metadata.pallets.get(pallet)
        if found is None or item not in found.items:
            missing = f"no pallet {pallet}" if found is None else f"no {item} in its pallet {pallet}"
            raise SourceError("unreadable", f"this chain's runtime has {missing}")
        return found.items[item]

    def _key_types(self, item: Item) -> tuple[int, ...]:
        if item.key is None:
            return ()
        kinds = (item.key,) if len(item.hashers) == 1 else self._types.kind(item.key).of
        if len(kinds) != len(item.hashers):
            raise SourceError("unreadable", "the runtime's metadata contradicts itself about a map's keys")
        return kinds


def account(value: Any) -> str | None:
    """The public key in what an address or an account decodes to: 0x…, or {"Id": 0x…}; None where it is another kind."""
    if isinstance(value, Mapping) and len(value) == 1:
        value = next(iter(value.values()))
    return value if isinstance(value, str) and len(value) in (42, 66) and value.startswith("0x") else None


def raw_bytes(raw: object) -> bytes:
    """What stands in 0x…. Raises SourceError."""
    if isinstance(raw, str) and raw.startswith("0x") and len(raw) <= MAX_HEX:
        try:
            return bytes.fromhex(raw[2:])
        except ValueError:
            pass
    raise SourceError("unreadable", "the node's answer is not bytes in hexadecimal digits")


def _hashed(how: str, data: bytes) -> bytes:
    if how.startswith("Blake2"):
        hashed = blake2b(data, digest_size=32 if "256" in how else 16).digest()
    else:
        hashed = b"" if how == "Identity" else twox(data, int("".join(c for c in how[4:] if c.isdigit())))
    return hashed + data if how in _CONCAT else hashed


def _event(record: Any) -> Event:
    """Of {"phase": …, "event": {pallet: {name: fields}}}."""
    parts = record if isinstance(record, Mapping) else {}
    phase, said = parts.get("phase"), parts.get("event")
    place = phase.get("ApplyExtrinsic") if isinstance(phase, Mapping) else None
    if isinstance(said, Mapping) and len(said) == 1:
        (pallet, inside), *_ = said.items()
        name, fields = next(iter(inside.items())) if isinstance(inside, Mapping) and inside else (inside, {})
        if isinstance(name, str):
            named = fields if isinstance(fields, Mapping) else dict(enumerate(fields)) if isinstance(fields, list) else {0: fields}
            return Event(pallet, name, {str(key): value for key, value in named.items()}, place if isinstance(place, int) else None)
    raise SourceError("unreadable", "an event does not say what it is")

"""What is hashed and what is signed: pure functions over rows, so that writing and verifying cannot differ.

hash(n) = SHA-256 of hash(n - 1), n and the columns of entry n as canonical JSON; hash(0) follows from the memory's random name. An entry's
signature is over its hash, the head's over the number of entries and the last hash: under other first words, so that neither passes for
the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Row = Mapping[str, Any]

HASHED = ("at_ms", "author", "kind", "event", "action", "status", "priority", "tags", "validators", "incident", "body", "key")
_WHOLE = {"number", "at_ms", "incident", "entries", "from_entry"}


def canonical(row: Row) -> bytes:
    """The same bytes for the same columns, on every machine and database; other bytes for any others."""
    columns = {name: row[name] for name in HASHED}
    return json.dumps(columns, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()


def first_hash(memory: str) -> str:
    """What stands for the hash before entry 1."""
    return hashlib.sha256(f"gizzi memory {memory}".encode()).hexdigest()


def next_hash(previous: str, number: int, row: Row) -> str:
    return hashlib.sha256(f"gizzi memory entry\n{previous}\n{number}\n".encode() + canonical(row)).hexdigest()


def entry_message(hash_: str) -> bytes:
    return f"gizzi memory entry is signed\n{hash_}".encode()


def head_message(head: Row) -> bytes:
    return _message("head", [head["memory"], head["entries"], head["hash"], head["key"]])


def key_message(memory: str, key: Row) -> bytes:
    return _message("key", [memory, key["key"], key["author"], key["from_entry"], key["issuer"]])


def _message(what: str, values: list[Any]) -> bytes:
    return f"gizzi memory {what}\n{json.dumps(values, separators=(',', ':'))}".encode()


def holds(key: str, signature: str, message: bytes) -> bool:
    """Whether that public key made that signature. Both in the one spelling there is: a changed letter's case is a change."""
    try:
        key_bytes, signature_bytes = bytes.fromhex(key), bytes.fromhex(signature)
        if key_bytes.hex() != key or signature_bytes.hex() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(key_bytes).verify(signature_bytes, message)
    except (ValueError, InvalidSignature):
        return False
    return True


def is_well_typed(row: Row) -> bool:
    """SQLite takes any value in any column: only whole numbers and texts were ever written."""
    return all(type(value) is (int if name in _WHOLE else str) or (name == "incident" and value is None) for name, value in row.items())

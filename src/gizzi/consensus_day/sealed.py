"""Documents with a hash and a signature: the SHA-256 of their canonical JSON, signed with Ed25519."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gizzi.errors import UsageError


class Signer(Protocol):
    public: str

    def sign(self, message: bytes) -> str: ...


def canonical(value: Any) -> bytes:
    """The one way to write it: keys in order, no spaces, UTF-8, no numbers but whole ones. Raises UsageError."""
    _check(value, 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def sealed(kind: str, body: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """kind: "proposal" or "result"; what is signed for one is none of the other."""
    found = digest(body)
    return {"kind": kind, "body": dict(body), "hash": found, "key": signer.public, "signature": signer.sign(message(kind, found))}


def opened(kind: str, document: Any) -> dict[str, Any]:
    """The body of a document whose hash and signature hold. Raises UsageError, which says what does not."""
    if not isinstance(document, dict) or document.get("kind") != kind or not isinstance(document.get("body"), dict):
        raise UsageError(f"this is no {kind}")
    body: dict[str, Any] = document["body"]
    if document.get("hash") != digest(body):
        raise UsageError(f"the {kind} was changed after it was signed: its hash does not hold")
    if not holds(document.get("key"), document.get("signature"), message(kind, document["hash"])):
        raise UsageError(f"the signature of the {kind} does not hold")
    return body


def message(kind: str, hash_: str) -> bytes:
    return f"gizzi consensus day 1 {kind} {hash_}".encode()


def holds(key: Any, signature: Any, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), signed)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _check(value: Any, depth: int) -> None:
    if depth > 20:
        raise UsageError("it is nested too deep to be signed")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check(key if isinstance(key, str) else 0.0, depth + 1)
            _check(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, depth + 1)
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise UsageError("it holds text that is not Unicode")
    elif value is not None and not isinstance(value, int):
        raise UsageError(f"{value!r} cannot be signed: write fractions as text, and keys as text")

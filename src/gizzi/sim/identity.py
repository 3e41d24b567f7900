"""Who the simulated validators are: names as an operator gives them, keys and peer ids as nodes write them. All seeded."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SS58_PREFIX = 42

ROLES = (
    ("governance", 1),
    ("security", 1),
    ("audit", 1),
    ("consensus", 2),
    ("runtime", 2),
    ("compiler", 2),
    ("multichain", 2),
    ("oracle", 1),
    ("edsc", 2),
    ("economics", 2),
    ("ethics", 2),
    ("docs", 3),
)
"""Teams of a network of 21, and how many validators each looks after."""


@dataclass(frozen=True, slots=True)
class Identity:
    """name: "runtime-dev01-a"; role: its team; authority_id: GRANDPA public key, 0x…; ss58: the same as nodes write it."""

    number: int
    name: str
    role: str
    authority_id: str
    ss58: str
    peer_id: str


def identify(number: int, seed: int, *, role: tuple[str, str] | None = None) -> Identity:
    """The validator of that number, the same for the same seed. role: its (role, name); by the table above where None."""
    name_and_role = role or _role(number)
    key = blake2b(f"authority/{seed}/{number}".encode(), digest_size=32).digest()
    return Identity(number, name_and_role[1], name_and_role[0], "0x" + key.hex(), ss58(key), _peer_id(number, seed))


def _role(number: int) -> tuple[str, str]:
    """1 -> ("governance-dev01", "governance-dev01"); 6 -> ("runtime-dev01", "runtime-dev01-a"); 27 -> "runtime-dev02-a"."""
    seats = sum(count for _, count in ROLES)
    round_, seat = divmod(number - 1, seats)
    for team, count in ROLES:
        if seat < count:
            role = f"{team}-dev{round_ + 1:02d}"
            return role, role if count == 1 else f"{role}-{'abc'[seat]}"
        seat -= count
    raise AssertionError("the seats are counted above")


def base58(data: bytes) -> str:
    """Base 58 as Bitcoin and Substrate write it."""
    number = int.from_bytes(data, "big")
    letters = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_BASE58[digit])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(letters))


def ss58(key: bytes) -> str:
    """The address of a 32-byte public key on a generic Substrate network (prefix 42)."""
    body = bytes([_SS58_PREFIX]) + key
    return base58(body + blake2b(b"SS58PRE" + body).digest()[:2])


def _peer_id(number: int, seed: int) -> str:
    """An Ed25519 libp2p identity: 12D3KooW…"""
    key = blake2b(f"peer/{seed}/{number}".encode(), digest_size=32).digest()
    return base58(bytes([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]) + key)

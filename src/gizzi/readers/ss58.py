"""Public keys as Substrate writes them: SS58 addresses, which hold 32 bytes in base 58 with the network's prefix and a checksum."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {letter: value for value, letter in enumerate(_ALPHABET)}
_LONGEST = 66
"""A key as 0x and 64 hexadecimal digits; an SS58 address has 46 to 50 characters."""


@lru_cache(maxsize=8192)
def public_key(text: str) -> str | None:
    """A key written as SS58, of whatever network, or as hexadecimal digits, in the one form we compare: 0x and 64 small digits.

    None where it is neither.
    """
    if len(text) > _LONGEST or not text.isascii() or not text.isalnum():
        return None
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) == 64:
        try:
            return "0x" + bytes.fromhex(digits).hex()
        except ValueError:
            return None
    return _from_ss58(text)


def _from_ss58(text: str) -> str | None:
    number = 0
    for letter in text:
        digit = _DIGITS.get(letter)
        if digit is None:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    prefix_bytes = 2 if data[:1] >= b"\x40" else 1
    if len(data) != prefix_bytes + 34 or blake2b(b"SS58PRE" + data[:-2]).digest()[:2] != data[-2:]:
        return None
    return "0x" + data[prefix_bytes:-2].hex()

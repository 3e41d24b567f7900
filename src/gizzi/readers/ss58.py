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


def address(key: str, prefix: int) -> str:
    """A public key (0x and 64 digits) as a network with that prefix writes it; anything else as it is."""
    if len(key) != 66 or public_key(key) is None or not 0 <= prefix < 16_384:
        return key
    head = bytes([prefix]) if prefix < 64 else bytes([(prefix & 0xFC) >> 2 | 0x40, prefix >> 8 | (prefix & 3) << 6])
    data = head + bytes.fromhex(key[2:])
    data += blake2b(b"SS58PRE" + data).digest()[:2]
    number, letters = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        letters = _ALPHABET[digit] + letters
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + letters


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

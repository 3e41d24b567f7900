"""XXH64, the hash under Substrate's storage keys. It is there to spread keys, never to keep a secret.

https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
"""

from __future__ import annotations

from functools import lru_cache

_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_MASK = 2**64 - 1


@lru_cache(maxsize=4096)
def twox(data: bytes, bits: int) -> bytes:
    """Substrate's twox_64, twox_128 and twox_256: XXH64 with the seeds 0, 1 …, one after another, little-endian."""
    return b"".join(xxh64(data, seed).to_bytes(8, "little") for seed in range(bits // 64))


def xxh64(data: bytes, seed: int = 0) -> int:
    at, end = 0, len(data)
    if end >= 32:
        lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
        while at + 32 <= end:
            lanes = [_round(lane, _word(data, at + 8 * place, 8)) for place, lane in enumerate(lanes)]
            at += 32
        total = sum(_left(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            total = ((total ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        total = seed + _P5
    total = (total + end) & _MASK
    while at + 8 <= end:
        total = (_left(total ^ _round(0, _word(data, at, 8)), 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= end:
        total = (_left(total ^ (_word(data, at, 4) * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        total = _left(total ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    total = (total ^ total >> 33) * _P2 & _MASK
    total = (total ^ total >> 29) * _P3 & _MASK
    return total ^ total >> 32


def _round(lane: int, word: int) -> int:
    return _left((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _left(value: int, by: int) -> int:
    value &= _MASK
    return (value << by | value >> (64 - by)) & _MASK


def _word(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")

"""A learned router as a file: JSON that a person can read, but for the buckets' weights, which are packed.

Whatever the file holds, reading it runs nothing, takes bounded memory, and ends in a router or in one ConfigError.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
import zlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gizzi.errors import ConfigError
from gizzi.models.features import BLOCKS, BUCKETS, SHAPE
from gizzi.models.features import VERSION as FEATURES_VERSION
from gizzi.models.learned import PERCENTS, Curve, Head, LearnedRouter

MAX_BYTES = 32_000_000
MAX_MODELS = 200
_PACKED_BYTES = 2 * BUCKETS * len(BLOCKS)

_Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Figures = dict[str, _Number]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _HeadPart(_Part):
    tier: Annotated[str, Field(max_length=50)]
    labels: Annotated[int, Field(ge=0)]
    bias: _Number
    slope: _Number
    shift: _Number
    shape: _Figures
    step: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
    buckets: Annotated[str, Field(max_length=2 * _PACKED_BYTES)]


class _CurvePart(_Part):
    weak: _Name
    strong: _Name
    thresholds: Annotated[list[_Number], Field(min_length=PERCENTS, max_length=PERCENTS)]
    quality: Annotated[list[_Number], Field(min_length=PERCENTS, max_length=PERCENTS)]


class _RouterPart(_Part):
    """version: of this file's layout. features: of what the router reads of a prompt."""

    format: Literal["gizzi-router"] = "gizzi-router"
    version: Literal[1] = 1
    features: int = FEATURES_VERSION
    reads_answer: bool
    centre: _Figures
    spread: dict[str, Annotated[float, Field(ge=1e-9, le=1e6, allow_inf_nan=False)]]
    heads: Annotated[dict[_Name, _HeadPart], Field(max_length=MAX_MODELS)]
    curves: Annotated[list[_CurvePart], Field(max_length=MAX_MODELS**2)] = []

    @model_validator(mode="after")
    def _is_whole(self) -> _RouterPart:
        for figures in (self.centre, self.spread, *(head.shape for head in self.heads.values())):
            if set(figures) != set(SHAPE):
                raise ValueError("the figures named in it are not those that this version of Gizzi reads of a prompt")
        if not any(head.labels for head in self.heads.values()):
            raise ValueError("none of its heads has learned from outcomes")
        return self


def save(router: LearnedRouter, file: Path) -> None:
    """Raises ConfigError where the file cannot be written. A file that was there stays whole until the new one is."""
    part = _RouterPart(
        reads_answer=router.reads_answer,
        centre=_named(router.centre),
        spread=_named(router.spread),
        heads={name: _head_part(head) for name, head in router.heads.items()},
        curves=[
            _CurvePart(weak=weak, strong=strong, thresholds=list(found.thresholds), quality=list(found.quality))
            for (weak, strong), found in router.curves.items()
        ],
    )
    fresh = file.with_name(f"{file.name}.new")
    try:
        fresh.write_text(part.model_dump_json(indent=1) + "\n", encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: the learned router cannot be written: {error.strerror}") from None


def load(file: Path) -> LearnedRouter:
    """Raises ConfigError where the file is missing, is no learned router, or is one of another version."""
    part = _parsed(file)
    try:
        heads = {name: _head(head) for name, head in part.heads.items()}
    except ValueError as error:
        raise ConfigError(f"{file}: this is not a whole learned router: {error}; train it again") from None
    curves = {(one.weak, one.strong): Curve(tuple(one.thresholds), tuple(one.quality)) for one in part.curves}
    return LearnedRouter(_ordered(part.centre), _ordered(part.spread), heads, curves, part.reads_answer)


def _parsed(file: Path) -> _RouterPart:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: the learned router cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{file}: this is not a learned router: it is longer than {MAX_BYTES:,} bytes")
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict) or tree.get("format") != "gizzi-router":
        raise ConfigError(f"{file}: this is not a learned router")
    if (tree.get("version"), tree.get("features")) != (1, FEATURES_VERSION):
        raise ConfigError(f"{file}: this learned router is of another version of Gizzi; train it again")
    try:
        return _RouterPart.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"][:4])
        raise ConfigError(
            f"{file}: this is not a whole learned router: {place + ': ' if place else ''}{first['msg']}; train it again"
        ) from None


def _head_part(head: Head) -> _HeadPart:
    return _HeadPart(
        tier=head.tier,
        labels=head.labels,
        bias=head.bias,
        slope=head.slope,
        shift=head.shift,
        shape=_named(head.shape),
        step=head.step,
        buckets=_packed(head.buckets),
    )


def _head(part: _HeadPart) -> Head:
    return Head(part.tier, part.labels, part.bias, part.slope, part.shift, _ordered(part.shape), part.step, _unpacked(part.buckets))


def _named(figures: Sequence[float]) -> dict[str, float]:
    return dict(zip(SHAPE, figures, strict=True))


def _ordered(figures: dict[str, float]) -> tuple[float, ...]:
    return tuple(figures[name] for name in SHAPE)


def _packed(buckets: Sequence[Sequence[int]]) -> str:
    """16-bit integers, little-endian, block after block, deflated, in base64."""
    whole = array("h", [weight for block in buckets for weight in block])
    if sys.byteorder == "big":
        whole.byteswap()
    return base64.b64encode(zlib.compress(whole.tobytes(), 9)).decode()


def _unpacked(text: str) -> tuple[list[int], ...]:
    """Raises ValueError where the text does not hold just the weights of every bucket."""
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(base64.b64decode(text, validate=True), _PACKED_BYTES + 1)
    except (binascii.Error, zlib.error):
        raw = b""
    if len(raw) != _PACKED_BYTES or not inflate.eof:
        raise ValueError("the weights of its buckets are damaged")
    whole = array("h", raw)
    if sys.byteorder == "big":
        whole.byteswap()
    return tuple(whole[start : start + BUCKETS].tolist() for start in range(0, len(whole), BUCKETS))

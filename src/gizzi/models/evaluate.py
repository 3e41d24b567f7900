"""How well a router chooses: APGR, CPT(50) and CPT(80) on rows that say whether a weak and a strong model were right.

Prompts are sorted by score; PGR(c) is the part of the gap between both models' accuracies that is recovered where the share c of calls goes
to the strong one. APGR is the area under it (trapezoid over deciles), CPT(x) the smallest c, in percent, at which it reaches x percent.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from gizzi.config import nearest
from gizzi.errors import UsageError
from gizzi.models.train import Outcome
from gizzi.models.train import train as train_router

DECILES = 10
RESAMPLES = 1000
FEWEST_RESAMPLES = 100
MAX_BYTES = 500_000_000
MAX_FIELD_CHARS = 4_000_000
WEAK, STRONG = "weak", "strong"


@dataclass(frozen=True, slots=True)
class Row:
    """weak, strong: 1 where that model's answer was right, else 0. weak_response: None where the file has none."""

    prompt: str
    weak: int
    strong: int
    weak_response: str | None = None


class Metrics(NamedTuple):
    """apgr: 0.5 for a router that guesses. cpt50, cpt80: percent of calls to the strong model."""

    apgr: float
    cpt50: float
    cpt80: float


def read_rows(file: Path, *, cascade: bool = False) -> list[Row]:
    """The rows of a .csv or .csv.gz file. Raises UsageError, which names the file and the line."""
    wanted = ["prompt", WEAK, STRONG, *(["weak_response"] if cascade else [])]
    return [
        Row(found["prompt"] or "", int(flag(file, line, WEAK, found)), int(flag(file, line, STRONG, found)), found.get("weak_response"))
        for line, found in records(file, lambda _: wanted)
    ]


def records(file: Path, wanted: Callable[[Sequence[str]], Sequence[str]]) -> list[tuple[int, dict[str, str | None]]]:
    """Every row with the number of its line. wanted: from the header the columns that must be there. Raises UsageError."""
    text = _text(file)
    limit = csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        header = list(reader.fieldnames or [])
        needed = wanted(header)
        for column in needed:
            if column not in header:
                raise UsageError(f"{file}: there is no column {column!r}{nearest(column, header)}; needed are {', '.join(needed)}")
        rows: list[tuple[int, dict[str, str | None]]] = [(reader.line_num, found) for found in reader]
    except csv.Error as error:
        raise UsageError(f"{file}: this is not CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise UsageError(f"{file}: there are no rows under the header")
    return rows


def flag(file: Path, line: int, column: str, found: Mapping[str, str | None]) -> bool:
    """Raises UsageError for anything but 0 and 1."""
    if found[column] not in ("0", "1"):
        raise UsageError(f"{file}, line {line}: {column} is {(found[column] or '')[:20]!r}; it must be 0 or 1")
    return found[column] == "1"


def _text(file: Path) -> str:
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError(f"{file}: this is not a whole gzip file") from None
    except OSError as error:
        raise UsageError(f"{file}: this cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{file}: this is longer than {MAX_BYTES // 1_000_000} MB; take a sample of its rows")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: this is not UTF-8 text (byte {error.start})") from None


def ranked_gains(scores: Sequence[float], rows: Sequence[Row], seed: int) -> list[int]:
    """What the strong model would gain (-1, 0 or 1) at each row, from the highest score down, ties in an order drawn with the seed."""
    order = list(range(len(rows)))
    Random(seed).shuffle(order)
    order.sort(key=scores.__getitem__, reverse=True)
    return [rows[place].strong - rows[place].weak for place in order]


def recovered(gains: Sequence[int]) -> list[float]:
    """PGR at 0, 10, … 100 % of calls. Raises UsageError where the strong model is not right more often than the weak one."""
    total = sum(gains)
    if total <= 0:
        raise UsageError("on the rows tested the strong model is not right more often than the weak one: there is no gap to recover")
    sums = [*accumulate(gains, initial=0)]
    return [sums[round(len(gains) * decile / DECILES)] / total for decile in range(DECILES + 1)]


def metrics(gains: Sequence[int]) -> Metrics:
    curve = recovered(gains)
    return Metrics(_area(curve), _reached(curve, 0.5), _reached(curve, 0.8))


def _area(curve: Sequence[float]) -> float:
    return sum((low + high) / 2 for low, high in pairwise(curve)) / DECILES


def _reached(curve: Sequence[float], part: float) -> float:
    """Percent of calls at which the curve first reaches the part, linear between deciles."""
    place = next(place for place, value in enumerate(curve) if value >= part)
    low, high = curve[place - 1], curve[place]
    return (place - 1 + (part - low) / (high - low)) * 100 / DECILES


def interval(gains: Sequence[int], seed: int) -> list[float] | None:
    """The middle 95 % of APGR over resampled rows; None where too few resamples have a gap to recover. Needs numpy."""
    import numpy

    random, count, ranked = numpy.random.default_rng(seed), len(gains), numpy.array(gains)
    targets = numpy.linspace(0, count, DECILES + 1)
    found = []
    for _ in range(RESAMPLES):
        drawn = numpy.bincount(random.integers(0, count, count), minlength=count)
        sums = numpy.r_[0, numpy.cumsum(drawn * ranked)]
        if sums[-1] > 0:
            found.append(_area((numpy.interp(targets, numpy.r_[0, numpy.cumsum(drawn)], sums) / sums[-1]).tolist()))
    return numpy.quantile(found, [0.025, 0.975]).tolist() if len(found) >= FEWEST_RESAMPLES else None


def evaluate_routing(file: Path, train: int, seed: int, cascade: bool = False) -> dict[str, Any]:
    """Train on `train` rows drawn with the seed, test on the rest. The figures of `gizzi eval routing`; needs scikit-learn.

    cascade: the router reads the weak model's answer before it decides. Raises UsageError.
    """
    return evaluate_rows(read_rows(file, cascade=cascade), train, seed, cascade)


def evaluate_rows(rows: Sequence[Row], train: int, seed: int, cascade: bool = False) -> dict[str, Any]:
    """`evaluate_routing` for rows that have been read."""
    if not 0 < train < len(rows):
        raise UsageError(f"--train is {train}; it must be at least 1 and leave some of the {len(rows)} rows to test on")
    drawn = set(Random(seed).sample(range(len(rows)), train))
    learned = [row for place, row in enumerate(rows) if place in drawn]
    tested = [row for place, row in enumerate(rows) if place not in drawn]
    recovered([row.strong - row.weak for row in tested])
    gains = ranked_gains(_scores(learned, tested, seed, cascade), tested, seed)
    ours = metrics(gains)
    baselines = {
        "random": metrics(ranked_gains([0.0] * len(tested), tested, seed)),
        "length": metrics(ranked_gains([float(len(row.prompt)) for row in tested], tested, seed)),
    }
    return {
        "rows": len(rows),
        "train": len(learned),
        "test": len(tested),
        "weak_accuracy": sum(row.weak for row in tested) / len(tested),
        "strong_accuracy": sum(row.strong for row in tested) / len(tested),
        **ours._asdict(),
        "apgr_interval": interval(gains, seed),
        "baselines": {name: found.apgr for name, found in baselines.items()},
        "baselines_cpt50": {name: found.cpt50 for name, found in baselines.items()},
        "baselines_cpt80": {name: found.cpt80 for name, found in baselines.items()},
        "seed": seed,
        "cascade": cascade,
    }


def _scores(learned: Sequence[Row], tested: Sequence[Row], seed: int, cascade: bool) -> list[float]:
    outcomes = [
        Outcome(row.prompt, model, bool(right), row.weak_response if cascade else None)
        for row in learned
        for model, right in ((WEAK, row.weak), (STRONG, row.strong))
    ]
    router = train_router(outcomes, {WEAK: "local", STRONG: "frontier"}, seed=seed, reads_answer=cascade)
    return [router.score(row.prompt, WEAK, STRONG, row.weak_response) for row in tested]

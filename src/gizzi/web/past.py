"""What the charts of a validator's page draw: the last two hours, day or month. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gizzi.engine.past.block import Stretch
from gizzi.engine.trend import Point

GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Span:
    """span_s: None for what is kept in memory, a sample every 15 s."""

    title: str
    span_s: float | None


SPANS: Mapping[str, Span] = {"2h": Span("Two hours", None), "day": Span("Day", 86_400.0), "month": Span("Month", 31 * 86_400.0)}


@dataclass(frozen=True, slots=True)
class Line:
    """worst: which of several neighbours is shown where there is room for one."""

    title: str
    points: Sequence[tuple[float, float | None]]
    worst: Callable[[Iterable[float]], float] = max
    from_zero: bool = True
    gap_s: float = 150.0


def lines_of(past: Sequence[Point] | Stretch) -> list[Line]:
    if not isinstance(past, Stretch):
        return [
            Line("Best block", [(p.at, p.block_height) for p in past], from_zero=False),
            Line("Finality lag, in blocks", [(p.at, p.finalization_lag) for p in past]),
            Line("Peers", [(p.at, p.peers) for p in past], min),
        ]
    gap_s = 10.0 * past.step_s
    return [
        Line("Best block", _known(past, "block_height"), max, False, gap_s),
        Line("Finality lag, in blocks", _known(past, "finalization_lag"), max, True, gap_s),
        Line("Peers", _known(past, "peers"), min, True, gap_s),
        Line("Disk free, in GB", _known(past, "disk_free_bytes", GIGABYTE), min, False, gap_s),
        Line("Memory available, in GB", _known(past, "memory_available_bytes", GIGABYTE), min, True, gap_s),
    ]


def _known(past: Stretch, name: str, of: float = 1.0) -> list[tuple[float, float | None]]:
    """From the first that is known to the last; in between, None is a gap."""
    points = [(at, None if value is None else value / of if of != 1.0 else value) for at, value in past.over(name)]
    known = [slot for slot, (_, value) in enumerate(points) if value is not None]
    return points[known[0] : known[-1] + 1] if known else []

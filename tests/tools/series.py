"""Series like those of a fleet, made from a seed: a trend with noise, days and nights, steps, and values that are wrong."""

from __future__ import annotations

import math
import random

HOUR_S = 3600.0
KINDS = ("trend", "flat", "daily", "steps", "outliers", "wander", "all")
Points = list[tuple[float, float]]


def make(kind: str, seed: int, hours: int = 336) -> Points:
    """One value an hour."""
    dice = random.Random(f"{kind}{seed}")
    slope = 0.0 if kind == "flat" else dice.choice([-1, 1]) * dice.uniform(0.05, 1.0)
    noise = dice.uniform(0.5, 5.0)
    daily = dice.uniform(2, 8) if kind in ("daily", "all") else 0.0
    phase = dice.uniform(0, 24)
    level, points = 500.0, []
    for hour in range(hours):
        if kind in ("steps", "all") and dice.random() < 0.012:
            level += dice.choice([-1, 1]) * dice.uniform(5, 25)
        if kind == "wander":
            level += dice.gauss(0, 1.0)
        value = level + slope * hour + dice.gauss(0, noise) + daily * math.sin(2 * math.pi * (hour + phase) / 24)
        if kind in ("outliers", "all") and dice.random() < 0.04:
            value += dice.choice([-1, 1]) * dice.uniform(40, 200)
        points.append((1_790_000_000.0 + hour * HOUR_S, value))
    return points

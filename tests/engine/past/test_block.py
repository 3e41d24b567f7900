"""Samples on a grid: what is packed comes back, and a coarser block says what the finer ones said."""

from __future__ import annotations

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.past.block import LARGEST, MINUTES, NAMES, QUARTERS, Block, stretch_of

BEGIN = MINUTES.begin(1_767_225_600.0)
VALUES = st.lists(st.one_of(st.none(), st.integers(-10, LARGEST + 10), st.floats(allow_nan=True)), min_size=len(NAMES), max_size=len(NAMES))


def filled(samples: list[list[float | None]]) -> Block:
    block = Block(6, MINUTES, BEGIN)
    for slot, values in enumerate(samples):
        block.put(BEGIN + slot * 60 + 30, values)
    return block


@given(st.lists(VALUES, max_size=60))
def test_what_is_packed_comes_back(samples: list[list[float | None]]) -> None:
    block = filled(samples)
    again = Block(6, MINUTES, BEGIN)
    again.take_up(block.pack())
    assert again.columns == block.columns
    kept = stretch_of([again], MINUTES, BEGIN, BEGIN + 3599)
    for slot, values in enumerate(samples):
        for name, value in zip(NAMES, values, strict=True):
            known = value is not None and 0 <= value < LARGEST
            assert kept.columns[name][slot] == (int(value) if known and value is not None else None)


@given(st.binary(max_size=300))
def test_what_cannot_be_read_is_not_known(packed: bytes) -> None:
    block = Block(6, MINUTES, BEGIN)
    block.take_up(bytes([len(NAMES)]) + packed)
    assert [len(column) for column in block.columns] == [60] * len(NAMES)


@given(st.lists(st.none() | st.integers(0, 1000), min_size=60, max_size=60))
def test_a_quarter_of_an_hour_is_the_median_of_its_minutes_or_the_last_of_a_counter(values: list[int | None]) -> None:
    hour = filled([[value] * len(NAMES) for value in values])
    day = Block(6, QUARTERS, QUARTERS.begin(BEGIN))
    hour.fold(day)
    kept = stretch_of([day], QUARTERS, BEGIN, BEGIN + 3599)
    for part in range(4):
        known = [value for value in values[part * 15 : part * 15 + 15] if value is not None]
        assert kept.columns["peers"][part] == (int(median(known)) if known else None)
        assert kept.columns["block_height"][part] == (known[-1] if known else None)


def test_a_block_with_fewer_columns_than_today_is_still_read() -> None:
    block = filled([[float(slot)] * len(NAMES) for slot in range(60)])
    block.columns = block.columns[:3]
    again = Block(6, MINUTES, BEGIN)
    again.take_up(block.pack())
    assert again.columns[2][59] == 59 and again.columns[3][59] == -1


def test_a_quiet_hour_is_small() -> None:
    samples = [[20_000_000.0 + 10 * s, 2, 30 + s % 4, 225e9 - 9e5 * s, 2e10, 1e6 + 10 * s, 1e6 + 10 * s, 3e6 + 30 * s] for s in range(60)]
    assert len(filled([list(values) for values in samples]).pack()) < 800

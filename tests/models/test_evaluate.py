from __future__ import annotations

import gzip
from pathlib import Path
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.errors import UsageError
from gizzi.models.evaluate import Row, evaluate_routing, interval, metrics, ranked_gains, read_rows, recovered

DATA = Path(__file__).parents[3] / "shared/data/routing-mmlu.csv.gz"
needs_data = pytest.mark.skipif(not DATA.exists(), reason=f"the public outcomes are not here: {DATA}")


def rows_of(pairs: list[tuple[int, int]]) -> list[Row]:
    return [Row(f"prompt {number}", weak, strong) for number, (weak, strong) in enumerate(pairs)]


OUTCOMES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=20, max_size=200).filter(
    lambda pairs: sum(s - w for w, s in pairs) > 0
)


def test_figures_of_an_example_by_hand() -> None:
    rows = rows_of([(0, 1)] * 4 + [(1, 1)] * 4 + [(1, 0)] * 2)
    found = metrics(ranked_gains([-float(place) for place in range(10)], rows, 0))
    assert recovered([1, 1, 1, 1, 0, 0, 0, 0, -1, -1]) == [0, 0.5, 1, 1.5, 2, 2, 2, 2, 2, 1.5, 1]
    assert found == pytest.approx((1.5, 10.0, 16.0))


@given(OUTCOMES, st.randoms(use_true_random=False))
def test_nobody_beats_the_router_that_knows(pairs: list[tuple[int, int]], draw: Random) -> None:
    rows = rows_of(pairs)
    best = metrics(ranked_gains([float(row.strong - row.weak) for row in rows], rows, 0))
    worst = metrics(ranked_gains([float(row.weak - row.strong) for row in rows], rows, 0))
    some = metrics(ranked_gains([draw.random() for _ in rows], rows, 0))
    assert worst.apgr <= some.apgr <= best.apgr
    assert best.apgr > 0.5
    assert 0 < best.cpt50 <= some.cpt50 <= 100
    assert best.cpt50 <= best.cpt80


@given(OUTCOMES, st.randoms(use_true_random=False), st.integers(0, 9))
def test_neither_the_order_of_rows_nor_the_scale_of_scores_matters(pairs: list[tuple[int, int]], draw: Random, seed: int) -> None:
    rows = rows_of(pairs)
    scores = [float(place) for place in draw.sample(range(len(rows)), len(rows))]
    turned = draw.sample(range(len(rows)), len(rows))
    same = ranked_gains([scores[place] for place in turned], [rows[place] for place in turned], seed)
    assert ranked_gains(scores, rows, 0) == same == ranked_gains([3 * score - 7 for score in scores], rows, seed + 1)


def test_a_router_that_guesses_recovers_half() -> None:
    draw = Random(3)
    rows = rows_of([(int(draw.random() < 0.5), int(draw.random() < 0.8)) for _ in range(1000)])
    found = [metrics(ranked_gains([0.0] * len(rows), rows, seed)) for seed in range(100)]
    assert mean(one.apgr for one in found) == pytest.approx(0.5, abs=0.01)
    assert mean(one.cpt50 for one in found) == pytest.approx(50, abs=2)
    assert len({one.apgr for one in found}) > 50, "ties are broken by the seed"


def test_the_interval_holds_the_figure_and_narrows_with_rows() -> None:
    pytest.importorskip("numpy")
    draw = Random(5)
    gains = [int(draw.random() < 0.3 * (1 - place / 4000)) for place in range(4000)]
    low, high = interval(gains, 0) or (0, 0)
    assert low < metrics(gains).apgr < high < low + 0.1
    few_low, few_high = interval(gains[::40], 0) or (0, 0)
    assert few_high - few_low > 3 * (high - low)
    assert interval([0] * 50, 0) is None


@pytest.mark.parametrize("pairs", [[(1, 1)] * 30, [(1, 0), (0, 1)] * 15, [(1, 0)] * 30])
def test_without_a_gap_there_is_nothing_to_recover(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(UsageError, match="no gap to recover"):
        metrics(ranked_gains([0.0] * 30, rows_of(pairs), 0))


@needs_data
def test_the_definition_gives_the_published_figures_of_length() -> None:
    rows = read_rows(DATA)
    found = metrics(ranked_gains([float(len(row.prompt)) for row in rows], rows, 0))
    assert len(rows) == 14037
    assert (round(found.apgr, 3), round(found.cpt50, 1), round(found.cpt80, 1)) == pytest.approx((0.583, 36.7, 69.3), abs=0.002)


@needs_data
def test_the_learned_router_beats_the_figure_to_beat() -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `learn`")
    found = evaluate_routing(DATA, 1500, 0)
    assert found["apgr"] > 0.65
    assert found["apgr_interval"][0] < found["apgr"] < found["apgr_interval"][1]
    assert (found["rows"], found["train"], found["test"]) == (14037, 1500, 12537)


def written(file: Path, raw: bytes | str) -> Path:
    file.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return file


def test_rows_are_read_as_people_write_them(tmp_path: Path) -> None:
    text = 'subject,strong,prompt,weak\nlaw,1,"a, ""b""\nc",0\n\nlaw,0,' + "x" * 2_000_000 + ",1\n"
    expected = [Row('a, "b"\nc', 0, 1), Row("x" * 2_000_000, 1, 0)]
    assert read_rows(written(tmp_path / "rows.csv", text)) == expected
    assert read_rows(written(tmp_path / "bom.csv", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())) == [
        Row('a, "b"\r\nc', 0, 1),
        expected[1],
    ]
    assert read_rows(written(tmp_path / "rows.csv.gz", gzip.compress(text.encode()))) == expected
    answered = written(tmp_path / "answers.csv", "prompt,weak,strong,weak_response\nq,1,1,B\n")
    assert read_rows(answered, cascade=True) == [Row("q", 1, 1, "B")]


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("rows.csv", "", "no column 'prompt'"),
        ("rows.csv", "prompt,weak\nq,1\n", "no column 'strong'"),
        ("rows.csv", "prompts,weak,strong\nq,1,1\n", "'prompt'; did you mean 'prompts'"),
        ("rows.csv", "prompt,weak,strong\n", "no rows"),
        ("rows.csv", "prompt,weak,strong\nq,1,1\nq,2,1\n", "line 3: weak is '2'; it must be 0 or 1"),
        ("rows.csv", "prompt,weak,strong\nq,1,0.5\n", "line 2: strong is '0.5'"),
        ("rows.csv", "prompt,weak,strong\nq,1\n", "line 2: strong is ''"),
        ("rows.csv", "prompt,weak,strong\n" + "q" * 5_000_000 + ",1,1\n", "not CSV"),
        ("rows.csv", b"prompt,weak,strong\n\xff\xfe,1,1\n", r"not UTF-8 text \(byte 19\)"),
        ("rows.csv.gz", b"prompt,weak,strong\nq,1,1\n", "not a whole gzip file"),
        ("rows.csv.gz", gzip.compress(b"prompt,weak,strong\nq,1,1\n", mtime=0)[:-9], "not a whole gzip file"),
        ("rows.csv.gz", gzip.compress(b"x" * 500, mtime=0)[:15] + b"\xff" * 30, "not a whole gzip file"),
    ],
)
def test_a_bad_file_is_one_error_that_names_it(tmp_path: Path, name: str, raw: bytes | str, said: str) -> None:
    file = written(tmp_path / name, raw)
    with pytest.raises(UsageError, match=said) as caught:
        read_rows(file)
    assert str(caught.value).startswith(str(file))
    assert len(str(caught.value)) < 400


def test_a_missing_file_and_a_missing_answer_column_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_rows(tmp_path / "none.csv")
    file = written(tmp_path / "rows.csv", "prompt,weak,strong\nq,1,1\n")
    with pytest.raises(UsageError, match="no column 'weak_response'"):
        read_rows(file, cascade=True)


@pytest.mark.parametrize("train", [-1, 0, 2, 100])
def test_training_must_leave_rows_to_test_on(tmp_path: Path, train: int) -> None:
    file = written(tmp_path / "rows.csv", "prompt,weak,strong\nq,0,1\nr,0,1\n")
    with pytest.raises(UsageError, match=f"--train is {train}; .* 2 rows"):
        evaluate_routing(file, train, 0)


def test_the_whole_report(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `learn`")
    draw = Random(7)
    lines = ["prompt,weak,strong,weak_response"]
    for number in range(600):
        hard = draw.random() < 0.5
        weak = int(draw.random() < (0.3 if hard else 0.9))
        lines.append(f"{'puzzle' if hard else 'question'} {number},{weak},{int(draw.random() < 0.9)},{'I am sure' if weak else 'perhaps'}")
    file = written(tmp_path / "rows.csv", "\n".join(lines))
    found = evaluate_routing(file, 200, 1)
    assert set(found) >= {
        "rows",
        "train",
        "test",
        "weak_accuracy",
        "strong_accuracy",
        "apgr",
        "cpt50",
        "cpt80",
        "apgr_interval",
        "baselines",
    }
    assert (found["rows"], found["train"], found["test"], set(found["baselines"])) == (600, 200, 400, {"random", "length"})
    assert found["apgr"] > found["baselines"]["random"] + 0.1
    assert found == evaluate_routing(file, 200, 1)
    assert evaluate_routing(file, 200, 1, cascade=True)["apgr"] > found["apgr"] + 0.1

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.errors import ConfigError
from gizzi.models.features import BLOCKS, BUCKETS, SHAPE
from gizzi.models.learned import LearnedRouter, make_head
from gizzi.models.learned_file import MAX_BYTES, load, save


@pytest.fixture(scope="module")
def router() -> LearnedRouter:
    draw = Random(1)

    def head(tier: str, labels: int):  # type: ignore[no-untyped-def]
        shape = [draw.gauss(0, 1) for _ in SHAPE]
        return make_head(tier, labels, draw.gauss(0, 1), 0.9, 0.1, shape, [[draw.gauss(0, 0.1) for _ in range(BUCKETS)] for _ in BLOCKS])

    heads = {"ollama/llama3.1:8b": head("local", 12), "Ë/big": head("frontier", 0)}
    made = LearnedRouter(tuple(draw.random() for _ in SHAPE), tuple(draw.random() + 0.1 for _ in SHAPE), heads, reads_answer=True)
    return made.with_curve("ollama/llama3.1:8b", "Ë/big", ["one", "two", "three"], ["1", "2", "3"])


@pytest.fixture
def saved(router: LearnedRouter, tmp_path: Path) -> Path:
    save(router, tmp_path / "router.json")
    return tmp_path / "router.json"


def test_what_was_saved_is_loaded_exactly(router: LearnedRouter, saved: Path, tmp_path: Path) -> None:
    assert load(saved) == router
    save(load(saved), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == saved.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"router.json", "again.json"}


def test_a_file_is_small_and_its_figures_can_be_read(saved: Path) -> None:
    tree = json.loads(saved.read_text())
    assert saved.stat().st_size < 100_000 * 2 + 20_000
    assert tree["heads"]["ollama/llama3.1:8b"]["labels"] == 12
    assert set(tree["centre"]) == set(SHAPE)


def test_it_says_why_it_cannot_be_written(router: LearnedRouter, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"router\.json: the learned router cannot be written: No such file"):
        save(router, tmp_path / "nowhere" / "router.json")


def packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw)).decode()


WHOLE = 2 * BUCKETS * len(BLOCKS)
HEAD = ("heads", "ollama/llama3.1:8b")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("format",), "pickle", "not a learned router"),
        (("version",), 2, "another version"),
        (("features",), 0, "another version"),
        (("surprise",), 1, "surprise"),
        (("centre", "length"), "NaN", "centre.length"),
        (("centre", "length"), float("nan"), "centre.length"),
        (("spread", "length"), 0, "spread.length"),
        (("spread",), {}, "figures"),
        (("heads",), {}, "learned from outcomes"),
        (("heads",), [], "heads"),
        ((*HEAD, "bias"), 1e999, "bias"),
        ((*HEAD, "labels"), -1, "labels"),
        ((*HEAD, "labels"), 0, "learned from outcomes"),
        ((*HEAD, "step"), 0, "step"),
        ((*HEAD, "shape", "length"), None, "length"),
        ((*HEAD, "shape"), {"made_up": 1.0}, "figures"),
        ((*HEAD, "buckets"), "%%%", "damaged"),
        ((*HEAD, "buckets"), "", "damaged"),
        ((*HEAD, "buckets"), packed(b"\0" * (WHOLE - 2)), "damaged"),
        ((*HEAD, "buckets"), packed(b"\0" * (WHOLE + 2)), "damaged"),
        ((*HEAD, "buckets"), packed(b"\0" * 300_000_000), "damaged"),
        ((*HEAD, "buckets"), packed(b"\0" * WHOLE)[:-8], "damaged"),
        (("curves", 0, "thresholds"), [0.0] * 3, "thresholds"),
        (("curves", 0, "weak"), "", "weak"),
    ],
)
def test_a_damaged_file_is_one_error(saved: Path, path: tuple[Any, ...], value: object, said: str) -> None:
    tree = json.loads(saved.read_text())
    place = tree
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    saved.write_text(json.dumps(tree))
    with pytest.raises(ConfigError, match=said) as caught:
        load(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{", b"\x80\x04\x95", b"[" * 100_000, b'{"format": ' + b"9" * 5000 + b"}", b"\xff\xfe{}"], ids=range(8)
)
def test_a_file_of_something_else_is_one_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "router.json").write_bytes(raw)
    with pytest.raises(ConfigError, match="not a learned router"):
        load(tmp_path / "router.json")


def test_a_missing_file_a_folder_and_a_huge_file_are_one_error_each(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    with (tmp_path / "huge.json").open("wb") as huge:
        huge.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigError, match="longer than"):
        load(tmp_path / "huge.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.sampled_from(["reads_answer", "centre", "spread", "heads", "curves"]), JSON))
def test_no_json_is_more_than_an_error(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any]) -> None:
    file = tmp_path_factory.getbasetemp() / "any-router.json"
    file.write_text(json.dumps({"format": "gizzi-router", "version": 1, "features": 1, **parts}))
    with pytest.raises(ConfigError):
        load(file)

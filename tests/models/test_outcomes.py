"""Which answers were good: what is kept of them, who says so, and what is learned from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.clock import LiveClock
from gizzi.errors import NotFound, UsageError
from gizzi.models import outcomes as module
from gizzi.models.features import BUCKETS, VERSION, extract, from_json
from gizzi.models.learned_choice import answers_file, router_file, trained
from gizzi.models.learning import learn, outcomes_of
from gizzi.models.outcomes import Outcomes
from gizzi.models.task import Task
from gizzi.models.train import Outcome
from gizzi.store import Store, open_store
from tools.catalogue import catalogue_of, settings_of

LOCAL, STANDARD, FRONTIER = "ollama/llama3.1:8b", "openai/gpt-6.1-terra", "anthropic/claude-opus-5-5"
WORDS = ("peers", "blocks", "votes", "sessions", "logs", "chains", "nodes", "keys", "eras", "slots", "rounds", "forks", "hosts")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'gizzi.db'}")


def kept(store: Store) -> Outcomes:
    return Outcomes(store, LiveClock())


async def test_an_answer_is_judged_by_its_id_and_the_last_word_counts(store: Store) -> None:
    outcomes = kept(store)
    name = outcomes.note(Task("Why does it lag?"), "mine/m", "It has 2 peers.")
    other = outcomes.note(Task("And now?"), "mine/m", "Fine.")
    assert name is not None and name != other
    assert await outcomes.judged() == []
    assert await outcomes.judge(name, True) == "mine/m"
    await outcomes.judge(name, False)
    (found,) = await outcomes.judged()
    assert (found.model, found.right) == ("mine/m", False)
    assert found.prompt == from_json(extract("Why does it lag?", "It has 2 peers.").as_json())
    with pytest.raises(NotFound, match="there is no answer 'nowhere', or not any more"):
        await outcomes.judge("nowhere", True)


async def test_no_text_is_kept_and_nothing_at_all_of_what_is_private(store: Store, tmp_path: Path) -> None:
    outcomes = kept(store)
    outcomes.note(Task("My seed is lemon crocodile"), "mine/m", "Keep the crocodile safe.")
    assert outcomes.note(Task("My seed is lemon crocodile", private=True), "mine/m", "Well.") is None
    await outcomes.finish()
    store.close()
    raw = (tmp_path / "gizzi.db").read_bytes()
    assert b"crocodile" not in raw and b"mine/m" in raw
    with sqlite3.connect(tmp_path / "gizzi.db") as database:
        assert database.execute("select count(*) from model_outcomes").fetchone() == (1,)


async def test_what_nobody_judges_makes_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OPEN", 3)
    monkeypatch.setattr(module, "TIDY_EVERY", 1)
    outcomes = kept(store)
    names = []
    for number in range(6):
        names.append(outcomes.note(Task(f"Question {number}"), "mine/m", "Well.", good=True if number == 0 else None))
        await outcomes.finish()
    assert len(await outcomes.judged()) == 1
    with pytest.raises(NotFound):
        await outcomes.judge(names[1] or "", True)
    assert await outcomes.judge(names[5] or "", True) == "mine/m"


async def test_damaged_and_older_features_are_left_out(store: Store, tmp_path: Path) -> None:
    outcomes = kept(store)
    for number in range(4):
        outcomes.note(Task(f"Question {number}"), f"mine/{number}", "Well.", good=True)
    await outcomes.finish()
    with sqlite3.connect(tmp_path / "gizzi.db") as database:
        database.execute("update model_outcomes set features = '{' where model = 'mine/1'")
        database.execute("update model_outcomes set features = '{\"buckets\": [[1]], \"shape\": []}' where model = 'mine/2'")
        database.execute("update model_outcomes set version = ? where model = 'mine/3'", (VERSION + 1,))
    assert [outcome.model for outcome in await outcomes.judged()] == ["mine/0"]


@given(st.text(max_size=300), st.none() | st.text(max_size=300))
def test_features_come_back_as_they_were(prompt: str, answer: str | None) -> None:
    found = extract(prompt, answer)
    back = from_json(json.loads(json.dumps(found.as_json())))
    assert back is not None and back.buckets == found.buckets and back.shape == pytest.approx(found.shape, abs=1e-6)
    assert back.has_answer == (answer is not None) and hash(back) == hash(from_json(found.as_json()))
    alone = from_json(extract(prompt).as_json())
    assert back.without_answer() == alone and (answer is not None or back == alone)


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_damaged_features_are_none(raw: Any) -> None:
    assert from_json(raw) is None and from_json({"buckets": raw, "shape": raw}) is None
    good = extract("Hi").as_json()
    assert from_json({**good, "shape": [float("nan"), *good["shape"][1:]]}) is None
    assert from_json({**good, "buckets": [[BUCKETS], *good["buckets"][1:]]}) is None


# Training


@pytest.fixture
def learner() -> None:
    pytest.importorskip("sklearn", reason="training needs the extra `learn`")


def made(model: str, wrong_about: str, *, features: bool = False) -> list[Outcome]:
    """Right about everything but one kind of thing."""
    found = []
    for first in WORDS:
        for second in WORDS[:6]:
            prompt, answer = f"Tell me about {first} of {second}", f"It is about {first}"
            right = wrong_about not in prompt
            found.append(Outcome(extract(prompt, answer), model, right) if features else Outcome(prompt, model, right, answer))
    return [Outcome(from_json(o.prompt.as_json()), o.model, o.right) if features else o for o in found]  # type: ignore[union-attr, arg-type]


@pytest.mark.usefixtures("learner")
@pytest.mark.parametrize("features", [False, True], ids=["texts", "features"])
def test_it_learns_from_texts_and_from_features(features: bool, tmp_path: Path) -> None:
    settings = settings_of(routing={"learned": str(tmp_path / "r.json"), "quality": 0.9})
    report = learn(settings, catalogue_of(), [*made(LOCAL, "votes", features=features), *made(FRONTIER, "forks", features=features)])
    assert [(row["model"], row["tier"], row["outcomes"]) for row in report["models"]] == [(LOCAL, "local", 78), (FRONTIER, "frontier", 78)]
    assert report["answers_file"] == str(answers_file(settings)) and answers_file(settings).is_file()
    known = trained(router_file(settings))
    assert known is not None
    assert known.router.score("Tell me about votes of nodes", LOCAL, FRONTIER) > known.router.score("Tell me about keys", LOCAL, FRONTIER)


@pytest.mark.usefixtures("learner")
def test_texts_and_features_give_the_same_router(tmp_path: Path) -> None:
    routers = []
    for place, features in enumerate((False, True)):
        settings = settings_of(routing={"learned": str(tmp_path / f"{place}.json")})
        learn(settings, catalogue_of(), [*made(LOCAL, "votes", features=features), *made(FRONTIER, "forks", features=features)])
        known = trained(router_file(settings))
        assert known is not None
        routers.append(known.router)
    for prompt in ("votes of nodes", "Tell me about keys of chains"):
        one, other = (router.score(prompt, LOCAL, FRONTIER) for router in routers)
        assert one == pytest.approx(other, abs=0.01)


@pytest.mark.usefixtures("learner")
def test_one_model_more_changes_no_other(tmp_path: Path) -> None:
    settings = settings_of(routing={"learned": str(tmp_path / "r.json")})
    rows = catalogue_of()
    learn(settings, rows, [*made(LOCAL, "votes"), *made(FRONTIER, "forks")])
    before = trained(router_file(settings))
    report = learn(settings, rows, made(STANDARD, "keys"), STANDARD)
    after = trained(router_file(settings))
    assert before is not None and after is not None and [row["model"] for row in report["models"]] == [STANDARD]
    assert {name: after.router.heads[name] for name in (LOCAL, FRONTIER)} == dict(before.router.heads)
    assert after.router.heads[STANDARD].labels == 78


@pytest.mark.usefixtures("learner")
def test_models_with_too_few_outcomes_are_named_and_left_out(tmp_path: Path) -> None:
    settings = settings_of(routing={"learned": str(tmp_path / "r.json")})
    report = learn(settings, catalogue_of(), [*made(LOCAL, "votes"), *made(STANDARD, "keys")[:5], *made("gone/x", "keys")])
    assert {one["model"]: one["why"] for one in report["skipped"]} == {
        STANDARD: "5 outcomes of 5 different prompts, 5 of them right, are too few to learn from; it takes 20 prompts,"
        " and both right and wrong answers",
        "gone/x": "it is not in the catalogue any more",
    }


@pytest.mark.parametrize("found", [[], made(LOCAL, "votes")[:3]])
def test_nothing_to_learn_from(found: Sequence[Outcome], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing to learn from yet"):
        learn(settings_of(routing={"learned": str(tmp_path / "r.json")}), catalogue_of(), found)
    assert list(tmp_path.iterdir()) == []


# Files


def csv_of(folder: Path, text: str) -> Path:
    file = folder / "o.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_both_shapes_of_a_file(tmp_path: Path) -> None:
    rows = catalogue_of()
    wide = outcomes_of(csv_of(tmp_path, "prompt,weak,strong,weak_response\nHi,0,1,Ho\n"), rows, "llama3.1:8b", FRONTIER)
    assert wide == [Outcome("Hi", LOCAL, False, "Ho"), Outcome("Hi", FRONTIER, True)]
    long = outcomes_of(csv_of(tmp_path, "prompt,model,right,response\nHi,llama3.1:8b,1,Ho\nHi,claude-opus-5-5,0,\n"), rows, None, None)
    assert long == [Outcome("Hi", LOCAL, True, "Ho"), Outcome("Hi", FRONTIER, False)]


@pytest.mark.parametrize(
    ("text", "weak", "says"),
    [
        ("prompt,weak,strong\nHi,0,1\n", None, "Name them with --weak ID and --strong ID"),
        ("prompt,weak,strong\nHi,0,1\n", FRONTIER, "are the same model"),
        ("prompt,weak,strong\nHi,0,1\n", "nobody/x", "there is no model 'nobody/x'"),
        ("prompt,model\nHi,x\n", None, "there is no column 'right'"),
        ("prompt,model,right\nHi,nobody/x,1\n", None, "there is no model 'nobody/x'"),
        (f"prompt,model,right\nHi,{LOCAL},yes\n", None, "line 2: right is 'yes'"),
        ("", None, "there is no column 'prompt'"),
    ],
)
def test_what_is_wrong_with_a_file(text: str, weak: str | None, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        outcomes_of(csv_of(tmp_path, text), catalogue_of(), weak, FRONTIER if weak else None)

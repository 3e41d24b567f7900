"""A person's yes: used once, whoever tries at the same moment; and what it covers."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.clock import LiveClock
from gizzi.engine.act import approvals, rows
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.act.door import Suggestion
from gizzi.errors import GizziError, InDoubt, NotFound, UsageError
from gizzi.guard import Answer
from gizzi.store import open_store
from tools.acting import ScriptedWorld, door_of, settings_of
from tools.stores import postgres_server

postgres_url = pytest.fixture(scope="module")(postgres_server)
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)]
Spawned = multiprocessing.get_context("spawn")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path}/gizzi.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def propose(url: str, run: str, validator: int = 6) -> tuple[int, int]:
    """An action that waits for a person, and the approval's number."""
    with contextlib.closing(open_store(url)) as store:
        row: dict[str, Any] = {
            "run": run,
            "action": "restart",
            "validator": validator,
            "why": "x",
            "proposed_by": "y",
            "evidence": "[]",
            "hash": Suggestion(run, "restart", validator, "x", "y").hash(),
            "state": "proposed",
            "reasons": "[]",
            "proposed_at": LiveClock().now(),
        }
        number = store.run_now(lambda c: rows.add_action(c, row))
        answer = Answer("ask", ("the mode is suggest: every write needs a person",))
        now = LiveClock().now()
        asked = store.run_now(lambda c: approvals.ask(c, rows.action(c, number), answer, now, now + 600))
    return number, asked["id"]


def _decide(url: str, approval: int, by: str, gate: Any, results: Any) -> None:
    with contextlib.closing(open_store(url)) as store:
        gate.wait()
        try:
            results.put((by, asyncio.run(ActionDesk(store, LiveClock()).decide(f"ap-{approval}", yes=True, by=by))["decided_by"]))
        except GizziError as error:
            results.put((by, str(error)))


def _begin(url: str, number: int, worker: str, gate: Any, results: Any) -> None:
    with contextlib.closing(open_store(url)) as store:
        clock = LiveClock()

        async def nothing(validator: Any) -> None:
            pass

        door = door_of(settings_of(5, 6, 7, mode="suggest"), store, clock, ScriptedWorld(clock), nothing, worker)
        gate.wait()
        try:
            answer = asyncio.run(door.begin(number))
            results.put((worker, "may" if answer is None else answer.permission))
        except InDoubt:
            results.put((worker, "in doubt"))


def at_once(function: Any, url: str, number: int) -> list[tuple[str, str]]:
    """Called by two processes at the same moment."""
    gate, results = Spawned.Barrier(2), Spawned.Queue()
    both = [Spawned.Process(target=function, args=(url, number, name, gate, results)) for name in ("one", "two")]
    for process in both:
        process.start()
    found = [results.get(timeout=60) for _ in both]
    for process in both:
        process.join(20)
    return found


def test_two_processes_that_approve_and_two_that_begin(url: str) -> None:
    number, approval = propose(url, "twice")
    answers = at_once(_decide, url, approval)
    assert sorted(said == by for by, said in answers) == [False, True], answers
    winner = next(by for by, said in answers if said == by)
    assert any(f"is approved already (by {winner})" in said or "already" in said for by, said in answers if by != winner)
    began = at_once(_begin, url, number)
    assert sorted(said for _, said in began) == ["in doubt", "may"], "one goes ahead; the other finds it under way"
    with contextlib.closing(open_store(url)) as store:
        row = store.run_now(lambda c: rows.action(c, number))
        assert row["approved_by"] == winner and row["state"] == "intent"
        assert store.run_now(lambda c: rows.latest_approval(c, number) or {})["state"] == "used"
        store.run_now(lambda c: rows.change_action(c, number, "intent", state="closed", outcome="done", intent_at=0.0))


def test_of_two_actions_that_begin_at_the_same_moment_one_waits(url: str) -> None:
    """Each is allowed alone; together they are two at a time."""
    with contextlib.closing(open_store(url)) as store:
        numbers = [propose(url, f"two-{validator}", validator) for validator in (5, 7)]
        for _, approval in numbers:
            store.run_now(lambda c, n=approval: approvals.decide(c, n, yes=True, by="anna", why="", now=LiveClock().now()))  # type: ignore[misc]
        gate, results = Spawned.Barrier(2), Spawned.Queue()
        both = [Spawned.Process(target=_begin, args=(url, number, str(number), gate, results)) for number, _ in numbers]
        for process in both:
            process.start()
        found = sorted(said for _, said in (results.get(timeout=60) for _ in both))
        for process in both:
            process.join(20)
        assert found == ["ask", "may"], "the second asks again: one at a time"
        for number, _ in numbers:
            store.run_now(lambda c, n=number: rows.change_action(c, n, "intent", state="closed", intent_at=0.0))  # type: ignore[misc]


@given(st.lists(st.sampled_from(["a 1", "a 2.5", "b", "c 3 of 21"]), min_size=1), st.lists(st.sampled_from(["a 9", "b", "c 4 of 21"])))
def test_only_figures_may_have_changed(seen: list[str], now: list[str]) -> None:
    kinds = {word[0] for word in seen}
    assert approvals.covers(seen, now) == all(word[0] in kinds for word in now)


@given(st.tuples(st.sampled_from(["restart", "start"]), st.integers(1, 9), st.text(max_size=5), st.none() | st.integers(1, 9)), st.data())
def test_the_hash_binds_action_target_reason_incident_and_evidence(what: Any, data: st.DataObject) -> None:
    action, validator, why, incident = what
    one = Suggestion("r", action, validator, why, "by", incident, [("6/peers", "1")])
    assert one.hash() == Suggestion("other run", action, validator, why, "somebody else", incident, [["6/peers", "1"]]).hash()  # type: ignore[list-item]
    field, value = data.draw(
        st.sampled_from([("action", "stop"), ("validator", 10), ("why", why + "!"), ("incident", 99), ("evidence", [("6/peers", "2")])])
    )
    given = {"action": action, "validator": validator, "why": why, "incident": incident, "evidence": [("6/peers", "1")], field: value}
    assert Suggestion("r", by="by", **given).hash() != one.hash()


def test_a_yes_for_something_else_is_no_yes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gizzi.db"
    number, approval = propose(url, "changed")
    answer = Answer("ask", ("the mode is suggest: every write needs a person",))
    with contextlib.closing(open_store(url)) as store:
        now = LiveClock().now()
        store.run_now(lambda c: approvals.decide(c, approval, yes=True, by="anna", why="", now=now))
        row = store.run_now(lambda c: rows.action(c, number))
        use = approvals.use
        assert store.run_now(lambda c: use(c, {**row, "hash": "0" * 64}, answer, now)) is None, "another target or reason"
        assert store.run_now(lambda c: use(c, row, Answer("ask", ("its database was lost",)), now)) is None, "another reason to ask"
        assert store.run_now(lambda c: use(c, row, answer, now + 600)) is None, "too late"
        assert store.run_now(lambda c: use(c, row, answer, now + 599)) == "anna"
        assert store.run_now(lambda c: use(c, row, answer, now + 599)) is None, "used"
        with pytest.raises(NotFound):
            store.run_now(lambda c: approvals.decide(c, 99, yes=True, by="anna", why="", now=now))


@pytest.mark.parametrize("name", ["", "ap-", "x3", "ap-3x", "-3", "ap-1234567890123"])
def test_what_is_no_approval(name: str) -> None:
    with pytest.raises(UsageError, match="is not an approval"):
        approvals.approval_number(name)


@pytest.mark.parametrize("name", ["ap-3", "AP-3", " 3 "])
def test_how_an_approval_is_named(name: str) -> None:
    assert approvals.approval_number(name) == 3

"""The workflow as a process of its own that is killed at each of its boundaries: nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gizzi.engine.act import approvals, rows
from gizzi.store import Store, open_store
from tools.acting import add_incident

TESTS = Path(__file__).parents[2]
ENDS_WITHIN_S = 120.0


async def run(folder: Path, kill_at: str = "", **env: str) -> int:
    """One process, to its end or its death; gives its exit code."""
    given = {**os.environ, "KILL_AT": kill_at, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), **env}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.responding", str(folder)), env=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, err = await asyncio.wait_for(process.communicate(), ENDS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError(f"it neither ended nor reached {kill_at or 'its end'}") from None
    assert b"Traceback" not in err, err.decode()
    return process.returncode or 0


class Kept:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(f"sqlite:///{folder}/gizzi.db")
        add_incident(self.store, 1, 6, at=time.time())

    @property
    def effects(self) -> list[str]:
        file = self.folder / "effects"
        return file.read_text().split() if file.exists() else []

    @property
    def news(self) -> list[tuple[str, bool, str]]:
        return [tuple(json.loads(line)) for line in (self.folder / "news").read_text().splitlines()]

    def actions(self) -> list[dict[str, Any]]:
        return list(reversed(self.store.run_now(lambda c: rows.all_actions(c, 100))))

    def check(self) -> dict[str, Any]:
        """Not twice, not lost. Gives the one action."""
        (action,) = self.actions()
        assert len(self.effects) <= 1 and action["state"] == "closed"
        assert action["incident"] == 1 and action["validator"] == 6
        last = self.news[-1]
        if action["outcome"] == "done":
            assert self.effects == ["6"] and action["verdict"] == "resolved" and last[0] == "verdict"
        else:
            assert last[1], "a person is told"
        return action


@pytest.fixture
def kept(tmp_path: Path) -> Any:
    found = Kept(tmp_path)
    yield found
    found.store.close()


async def killed_in_turn(kept: Kept, boundaries: Sequence[str], **env: str) -> dict[str, Any]:
    """Killed at each, started again each time, then left alone."""
    for name in boundaries:
        assert await run(kept.folder, name, **env) == -signal.SIGKILL, name
        assert len(kept.effects) <= 1
    assert await run(kept.folder, **env) == 0
    return kept.check()


def around(*steps: str) -> list[str]:
    return [f"{step}:{when}" for step in steps for when in ("before", "ran", "kept")]


@pytest.mark.timeout(900)
async def test_before_anything_was_begun_it_is_done_once(kept: Kept) -> None:
    action = await killed_in_turn(kept, ["start", "started", *around("propose", "permission"), "act:before"])
    assert (action["outcome"], action["verdict"], kept.effects) == ("done", "resolved", ["6"])


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("at", "effects"), [("intent", []), ("effect", ["6"])])
async def test_between_intent_and_outcome_it_is_in_doubt_and_a_persons(kept: Kept, at: str, effects: list[str]) -> None:
    action = await killed_in_turn(kept, [at, *around("close")] if at == "intent" else [at])
    assert action["outcome"] == "in_doubt" and action["verdict"] is None and kept.effects == effects
    assert "was under way when its process ended" in action["detail"]
    assert ("needs_person", True, "act-1") in kept.news


@pytest.mark.timeout(900)
async def test_after_the_outcome_it_is_judged_and_not_repeated(kept: Kept) -> None:
    action = await killed_in_turn(kept, ["outcome", "act:ran", "act:kept", "sleep", *around("verify", "close")])
    assert (action["outcome"], action["verdict"], kept.effects) == ("done", "resolved", ["6"])


@pytest.mark.timeout(900)
async def test_a_question_survives_and_its_answer_is_used_once(kept: Kept) -> None:
    env = {"POLICY": json.dumps({"mode": "suggest"})}
    for at in ("asked", "told"):
        assert await run(kept.folder, at, **env) == -signal.SIGKILL
    found = kept.store.run_now(lambda c: approvals.decide(c, 1, yes=True, by="anna", why="", now=time.time()))
    assert found["state"] == "approved"
    action = await killed_in_turn(kept, ["permission:ran", "permission:kept", "outcome"], **env)
    assert (action["outcome"], action["approved_by"], kept.effects) == ("done", "anna", ["6"])
    assert kept.store.run_now(lambda c: rows.latest_approval(c, 1) or {})["id"] == 1, "nobody was asked twice"
    assert ("asked", True, "act-1") in kept.news


@pytest.mark.timeout(400)
@pytest.mark.parametrize("at", ["propose:kept", "effect", "act:kept"])
async def test_runs_of_another_version_are_settled(kept: Kept, at: str) -> None:
    """The workflow's code has changed between crash and start."""
    assert await run(kept.folder, at) == -signal.SIGKILL
    assert await run(kept.folder, RUNS_VERSION="2") == 0
    (action,) = kept.actions()
    assert action["state"] == "closed" and kept.news[-1][1] and len(kept.effects) == (at != "propose:kept")
    says = {"propose:kept": "broke off before it was begun", "effect": "broke off while it was under way", "act:kept": ""}[at]
    assert says in (action["detail"] or "") and action["verdict"] == ("unknown" if at == "act:kept" else None)


@pytest.mark.timeout(400)
async def test_a_run_of_another_version_that_had_begun_nothing_is_begun_anew(kept: Kept) -> None:
    assert await run(kept.folder, "propose:before") == -signal.SIGKILL
    assert await run(kept.folder, RUNS_VERSION="2") == 0
    assert kept.check()["verdict"] == "resolved"


@pytest.mark.timeout(400)
async def test_other_steps_under_the_same_version_are_settled_too(kept: Kept) -> None:
    """Somebody changed the workflow and forgot its version: the engine refuses to go on, and a person is told."""
    assert await run(kept.folder, "act:kept") == -signal.SIGKILL
    assert await run(kept.folder, RENAMED="verify", STRAYS_S="1") == 0
    (action,) = kept.actions()
    assert action["state"] == "closed" and action["outcome"] == "done" and kept.effects == ["6"]

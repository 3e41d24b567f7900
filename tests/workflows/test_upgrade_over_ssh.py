"""A rolling upgrade for real: units of a real systemd behind a real sshd are restarted over SSH, by a daemon that is killed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import LiveClock
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.sim.samples import VERSION
from gizzi.store import Store, open_store
from tools.fleet import gizzi
from tools.real_upgrade import NEW, SESSION_S, TOKEN, RealFleet, one_at_a_time, real_fleet

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]


async def begin(here: RealFleet, *words: str) -> str:
    """The run's id."""
    given = ("workflow", "run", "rolling-upgrade", "--to", NEW, *words, "--json")
    begun = await gizzi(*given, cwd=here.folder, env=TOKEN, timeout_s=120)
    assert begun.stdout, begun.stderr
    return str(json.loads(begun.stdout)["id"])


async def ended(here: RealFleet, desk: WorkflowDesk, run_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        shown = await desk.run(run_id)
        return shown if shown["state"] in ("done", "stopped", "failed") else None

    found: dict[str, Any] = await here.until(look, "the run ends", 900)
    return found


async def upgrades(here: RealFleet) -> list[dict[str, Any]]:
    """Oldest first; and nothing else was carried out."""
    assert here.daemon is not None
    found = list(reversed(await here.daemon.get("/api/actions")))
    assert all(one["action"] == "upgrade" for one in found if one["outcome"]), found
    return [one for one in found if one["action"] == "upgrade"]


def process_of(status: str) -> str:
    return status.partition("process ")[2].partition(",")[0]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    found: Store = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    yield found
    found.close()


async def test_batch_after_batch_and_a_daemon_killed_in_the_middle(tmp_path: Path, store: Store, free_port: Callable[[], int]) -> None:
    desk = WorkflowDesk(store, LiveClock())
    async with real_fleet(tmp_path, free_port(), 7, f"sqlite:///{tmp_path}/gizzi.db") as here:
        before = await here.statuses()
        assert all("active/running" in status for status in before.values()), before
        await here.watch()
        run_id = await begin(here, "--validators", "1,2,3,4")

        async def second_is_restarted() -> bool:
            shown = await desk.run(run_id)
            assert shown["state"] in ("wanted", "running"), shown
            return any(one["validator"] == 2 and one["outcome"] == "done" for one in await upgrades(here))

        await here.until(second_is_restarted, "validator 2 is upgraded")
        await here.watch()  # the first is killed with SIGKILL while it waits for validator 2
        shown = await ended(here, desk, run_id)
        assert (shown["state"], shown["text"]) == ("done", f"4 upgraded, all 4 run {NEW}"), shown
        assert any(step["text"] == f"testnet to {NEW}: 3 batches: 1 | 2, 3 | 4" for step in shown["steps"])

        assert here.times() == {1: 2, 2: 2, 3: 2, 4: 2, 5: 1, 6: 1, 7: 1}, "each unit restarted once, the others never"
        assert here.installs() == [1, 2, 3, 4]
        restarts = here.starts[7:]
        assert [(start.number, start.version) for start in restarts] == [(number, NEW) for number in range(1, 5)]
        assert one_at_a_time(restarts), "everybody else voted whenever one was restarted"
        at = {start.number: start.at for start in restarts}
        assert at[2] - at[1] > SESSION_S and at[4] - at[3] > SESSION_S, "a batch votes for a session before the next begins"
        after = await here.statuses()
        assert {number for number in after if process_of(after[number]) != process_of(before[number])} == {1, 2, 3, 4}
        assert here.daemon is not None
        versions = {number: shown["version"] for number, shown in (await here.daemon.statuses()).items()}
        assert versions == {**dict.fromkeys(range(1, 5), NEW), 5: VERSION, 6: VERSION, 7: VERSION}
        done = await upgrades(here)
        assert [(one["validator"], one["outcome"], one["approved_by"]) for one in done] == [(n, "done", "operator") for n in range(1, 5)]
        assert {one["verdict"] for one in done} <= {"resolved", "not_resolved"}, "the second where it took long to vote again"
        assert all("carried out" in one["detail"] and f"node@{one['validator']} restarted" in one["detail"] for one in done)
        assert {approval["validator"] for approval in here.asked.values()} == {1, 2, 3, 4}, "a person was asked for each"
        assert await here.daemon.stop() == 0
    assert "Traceback" not in here.said


async def test_killed_while_a_version_is_installed_it_stops_in_doubt(tmp_path: Path, store: Store, free_port: Callable[[], int]) -> None:
    desk = WorkflowDesk(store, LiveClock())
    async with real_fleet(tmp_path, free_port(), 4, f"sqlite:///{tmp_path}/gizzi.db") as here:
        slow = here.host.home / "slow"
        slow.touch()
        await here.watch()
        run_id = await begin(here, "--validators", "1,2")
        await here.until(here.installs, "the command runs on the host of validator 1")
        await here.watch()
        slow.unlink()
        shown = await ended(here, desk, run_id)
        assert shown["state"] == "stopped" and "validator 1, which was not upgraded: in_doubt" in shown["text"], shown
        assert here.times() == dict.fromkeys(range(1, 5), 1) and here.installs() == [1], "nothing is repeated, nothing follows"

        again = await begin(here, "--validators", "1,2")
        assert again != run_id
        shown = await ended(here, desk, again)
        assert (shown["state"], shown["text"]) == ("done", f"2 upgraded, all 2 run {NEW}"), shown
        assert here.times() == {1: 2, 2: 2, 3: 1, 4: 1} and one_at_a_time(here.starts[4:])
        assert [one["outcome"] for one in await upgrades(here)] == ["in_doubt", "done", "done"]
    assert "Traceback" not in here.said

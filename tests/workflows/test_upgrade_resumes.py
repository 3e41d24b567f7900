"""A rolling upgrade whose process dies, at each boundary of each of its steps in turn, goes on, and upgrades nobody twice."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gizzi import registry
from gizzi.app import App
from gizzi.engine.watch import Watch
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.reach import Reach
from gizzi.reach.patience import PatientNode
from gizzi.store import open_store
from tools.kept_runs import Kept, KeptRuns
from tools.upgrading import NEW, Yard
from tools.watching import in_virtual_time

STEPS = 12
"""Of an upgrade of one validator, the wait before the verdict among them."""


class Process:
    """One process that watches; `die` ends it with nothing tidied up."""

    def __init__(self, yard: Yard, store: object, kept: Kept) -> None:
        self._yard = yard
        self.runs = KeptRuns(kept, yard.clock)
        reach = Reach(PatientNode(yard.reach.node, yard.settings.collect.timeout_s), yard.reach.ssh, yard.reach.http)
        loaded = registry.load(yard.settings)
        watch = Watch(yard.settings, loaded, yard.settings.validators, reach, yard.clock, store, live=False)  # type: ignore[arg-type]
        self.app = yard.app = App(yard.settings, watch, store, None, self.runs)  # type: ignore[arg-type]
        self._tasks = [asyncio.create_task(self.app.work()), asyncio.create_task(yard.person())]

    async def die(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task


async def upgraded(dies: tuple[int, str] | None) -> tuple[Kept, Yard, dict[str, object]]:
    yard = Yard(validators=7, spoil=lambda fleet, number: None, reserve=0)
    yard.settings = yard.settings.model_copy(update={"upgrade": yard.settings.upgrade.model_copy(update={"session_s": 60.0})})
    store = open_store("sqlite://")
    kept = Kept(dies)
    process = Process(yard, store, kept)
    desk = WorkflowDesk(store, yard.clock)
    run_id = await desk.want(process.app.registry, "rolling-upgrade", {"to": NEW, "validators": "1"}, "ada")
    await process.app.responder.is_open.wait()
    await process.app.workflows.start(run_id)
    ended = asyncio.create_task(process.runs.result(run_id))
    died = asyncio.create_task(kept.died.wait())
    await asyncio.wait({ended, died}, return_when=asyncio.FIRST_COMPLETED)
    if died.done():
        ended.cancel()
        await process.die()
        await yard.clock.sleep(40)
        process = Process(yard, store, kept)
        await process.runs.result(run_id)
    died.cancel()
    shown = await desk.run(run_id)
    await process.die()
    store.close()
    return kept, yard, shown


def test_this_many_steps_there_are() -> None:
    @in_virtual_time
    async def test() -> None:
        kept, _, shown = await upgraded(None)
        assert shown["state"] == "done"
        assert kept.count == STEPS

    test()


@pytest.mark.parametrize("when", ["before", "after"])
def test_it_goes_on_wherever_it_is_cut_off(when: str) -> None:
    for number in range(1, STEPS + 1):

        @in_virtual_time
        async def test(number: int = number) -> None:
            kept, yard, shown = await upgraded((number, when))
            assert kept.died.is_set(), number
            assert (shown["state"], shown["text"]) == ("done", f"1 upgraded, all 1 run {NEW}"), (number, shown["text"])
            assert [validator for _, validator in yard.upgraded] == [1], f"once, cut off {when} step {number}"

        test()

"""What a workflow is given to work with: steps, looks, actions and words, over a simulated fleet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gizzi import GizziError, Run, workflow
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.workflows.desk import WorkflowDesk
from gizzi.errors import NotFound, UsageError
from gizzi.kinds import MARK
from tools.upgrading import Yard, yard
from tools.watching import in_virtual_time


def add(here: Yard, function: Any) -> str:
    """Make a workflow known to a process that runs."""
    assert here.app is not None
    made = getattr(function, MARK)
    here.app.registry.workflows.add(made)
    here.app.workflows.runs.register(made.name, here.app.workflows._procedure(made))
    return str(made.name)


@in_virtual_time
async def test_looks_words_and_steps_are_shown() -> None:
    @workflow("errand")
    async def errand(run: Run, number: str = "3") -> str:
        """Look around."""
        seen = await run.look(int(number))
        assert seen is not None and await run.look(99) is None
        await run.say(f"validator {seen['number']}\nruns {seen['version']}")
        await run.sleep(30)
        twice = await run.step("in a step", around, run)
        return f"{twice} and {await run.step('plain', sum, [1, 2])}"

    async def around(run: Run) -> int:
        seen = await run.look(3)
        await run.sleep(5)
        for _ in range(3):
            await run.say("inside")
        return int(seen["number"]) if seen else 0

    async with yard(validators=4) as here:
        await here.clock.sleep(40)
        done = await here.run(add(here, errand))
        assert (done["state"], done["text"], done["by"]) == ("done", "3 and 3", "ada")
        names = [(step["name"], step["state"], step["times"]) for step in done["steps"]]
        assert names == [
            ("look at validator 3", "done", 1),
            ("look at validator 99", "done", 1),
            ("say", "said", 1),
            ("in a step", "done", 1),
            ("plain", "done", 1),
        ]
        assert done["steps"][2]["text"] == "validator 3 runs 1.20.2-3f1a7c5e9d2"
        assert here.said == ["validator 3 runs 1.20.2-3f1a7c5e9d2", "inside"]
        json.dumps(done)


@in_virtual_time
async def test_an_action_goes_through_the_guard_and_waits_for_a_person() -> None:
    @workflow("restart-one")
    async def restart_one(run: Run, number: str) -> str:
        """Restart one."""
        done = await run.act("restart", int(number), "it is time")
        return f"{done['outcome']}, {done['verdict']}, {done['approved_by']}, {done['detail']}"

    async with yard(validators=10, reserve=0) as here:
        await here.clock.sleep(60)
        name = add(here, restart_one)
        done = await here.run(name, number="3")
        assert done["text"].startswith("done, resolved, ada, `sudo -n systemctl restart"), done["text"]
        assert [step["name"] for step in done["steps"]][:2] == ["restart of validator 3: propose", "restart of validator 3: permission"]
        here.answers = lambda approval: False
        assert (await here.run(name, number="4"))["text"] == "None, None, None, ada said no: no"
        assert here.app is not None
        assert (await here.app.door.shown())[0]["proposed_by"] == "restart-one (ada)"


@in_virtual_time
async def test_faults_of_a_workflow_end_its_run_with_words() -> None:
    async def nest(run: Run) -> None:
        await run.step("inner", str)

    async def act(run: Run) -> None:
        await run.act("restart", 3, "no")

    @workflow("faulty")
    async def faulty(run: Run, how: str) -> None:
        """Fail."""
        if how == "bug":
            await run.step("divide", lambda: 1 / 0)
        await run.step("outer", {"nest": nest, "act": act}[how], run)

    async with yard(validators=4) as here:
        name = add(here, faulty)
        bug = await here.run(name, how="bug")
        assert bug["state"] == "failed" and "failed: ZeroDivisionError: division by zero" in bug["text"]
        assert [step["state"] for step in bug["steps"]] == ["failed"]
        nested = await here.run(name, how="nest")
        assert nested["state"] == "stopped" and "'inner' is begun inside another one" in nested["text"]
        assert nested["steps"][0]["state"] == "failed"
        assert "call run.act outside of run.step" in (await here.run(name, how="act"))["text"]


@in_virtual_time
async def test_what_may_be_wanted() -> None:
    async with yard(validators=4) as here:
        assert here.app is not None
        desk = WorkflowDesk(here.app.store, here.clock)
        loaded = here.app.registry
        first = await desk.want(loaded, "rolling-upgrade", {"to": "1.2"}, "ada")
        assert await desk.want(loaded, "rolling-upgrade", {"to": "1.2"}, "bob") == first, "one that has not ended is not begun again"
        assert await desk.want(loaded, "rolling-upgrade", {"to": "1.3"}, "bob") != first
        assert await desk.withdraw(first) and not await desk.withdraw(first)
        for name, given, error in (
            ("rolling-upgrade", {}, UsageError),
            ("rolling-upgrade", {"to": "1", "tow": "2"}, UsageError),
            ("rolling-upgrade", {"to": "1" * 2000}, UsageError),
            ("incident_response", {}, UsageError),
            ("nothing", {}, NotFound),
        ):
            with pytest.raises(error):
                await desk.want(loaded, name, given, "ada")
        with pytest.raises(NotFound):
            await desk.run("nothing")
        with pytest.raises(UsageError, match="the action upgrade also needs version"):
            await ActionDesk(here.app.store, here.clock).want(here.settings, loaded, "upgrade", 1, "why", "ada")


def test_a_workflow_must_be_async_and_take_the_run() -> None:
    with pytest.raises(GizziError, match="must be an async function"):
        workflow("plain")(lambda run: None)

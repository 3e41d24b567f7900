"""What people do in a scenario, at their time: say that they work on a validator, answer an approval, stop and resume the guard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from gizzi.app import App
from gizzi.sim.oracle import Oracle
from gizzi.store import switch

if TYPE_CHECKING:
    from gizzi.sim.scenario import Person

NAME = "a person"
LOOK_AGAIN_S = 1.0


async def play(people: Sequence[Person], app: App, oracle: Oracle) -> None:
    """Let each of them do their part. What they say to the guard, the oracle hears too."""
    began_at = app.clock.now()
    await asyncio.gather(*(_play(person, began_at, app, oracle) for person in people))


async def _play(person: Person, began_at: float, app: App, oracle: Oracle) -> None:
    await app.clock.sleep(max(0.0, began_at + person.at_s - app.clock.now()))
    now = app.clock.now()
    match person.does:
        case "maintenance":
            numbers = [person.validator] if person.validator is not None else [v.number for v in app.watch.validators]
            for number in numbers:
                await app.desk.maintain(app.settings, (), str(number), f"{person.for_s}s", "planned work", NAME)
                oracle.maintained[number] = now + person.for_s
        case "approve" | "deny":
            await _answer(person, app)
        case "stop":
            oracle.stopped = True
            await app.store.run(lambda c: switch.set_stopped(c, now, NAME, "a scenario says so"))
        case "resume":
            oracle.stopped = False
            await app.store.run(switch.clear_stopped)
        case _:
            assert_never(person.does)


async def _answer(person: Person, app: App) -> None:
    """Answer the first approval that waits, as soon as one does."""
    while True:
        waiting = [ap for ap in reversed(await app.actions.approvals()) if person.validator in (None, ap["validator"])]
        if waiting:
            await app.actions.decide(waiting[0]["id"], yes=person.does == "approve", by=NAME, why="a scenario says so")
            return
        await app.clock.sleep(LOOK_AGAIN_S)

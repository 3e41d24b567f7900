"""The watcher over a simulated fleet in auto mode, with a model that finds what the test wants and an on-call model that wants restarts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from gizzi.app import App, open_app
from gizzi.clock import SimulatedClock, run_simulated
from gizzi.engine.decide.mind import NoReply, Question, Reply
from gizzi.engine.roles.schedule import run_scheduled
from gizzi.engine.watcher import watcher
from gizzi.engine.watcher.bounds import HOUR_S, MOST_AN_HOUR, MOST_OPEN
from gizzi.engine.watcher.outcome import HIT_WITHIN_S
from gizzi.engine.watcher.rows import Record, record
from gizzi.engine.watcher.watcher import SETTLE_EVERY_S
from gizzi.errors import NotFound, UsageError
from gizzi.sections import Policy
from gizzi.sim.fleet import SimFleet
from gizzi.sim.runner import settings_for
from gizzi.store import Store, open_store
from tools.simulated import fault

PERIOD_S = 900.0
LINE = re.compile(r"(\d+/\w+): (.+)")


class Mind:
    """wanted: the observations that the watcher's model calls wrong; None: it does not answer. Whoever decides wants a restart."""

    def __init__(self, *wanted: str) -> None:
        self.wanted: tuple[str, ...] | None = wanted
        self.asked: list[Question] = []
        self.decisions: list[Question] = []

    def reaches(self, tier: str) -> bool:
        return True

    async def think(self, question: Question) -> Reply:
        seen = dict(match.groups() for line in question.prompt.splitlines() if (match := LINE.fullmatch(line)))
        if question.form == "decision":
            self.decisions.append(question)
            cited = [{"observation": name, "quote": text} for name, text in seen.items() if name.endswith("/peers")][:1]
            said: Any = {"action": "restart", "reasoning": "Restart it.", "confidence": 1, "evidence": cited}
            return Reply(json.dumps(said), question.tier, f"scripted/{question.tier}")
        self.asked.append(question)
        if self.wanted is None:
            raise NoReply("no model is reachable")
        grave = {"severity": "critical", "text": "Restart it now.", "action": "restart"}
        found = [{"observation": name, "quote": seen[name], **grave} for name in self.wanted if name in seen]
        return Reply(json.dumps({"findings": found}), question.tier, "scripted/local")


@asynccontextmanager
async def at_work(
    mind: Mind, *faults: Any, store: Store | None = None, clock: Any = None, fleet: Any = None, validators: int = 4
) -> AsyncIterator[App]:
    clock = clock or SimulatedClock()
    fleet = fleet or SimFleet(clock, validators=validators, authorities=21, faults=faults)
    settings = settings_for(fleet).model_copy(update={"policy": Policy.model_validate({"mode": "auto"})})
    kept = store or open_store("sqlite://")
    async with open_app(settings, clock=clock, reach=fleet.reach(), store=kept, live=False, mind=mind) as app:
        beside = [asyncio.create_task(app.work()), asyncio.create_task(app.watcher.keep())]
        try:
            await clock.sleep(180.0)
            yield app
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
    if store is None:
        kept.close()


def simulated(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*given: Any, **named: Any) -> None:
        run_simulated(test(*given, **named))

    return run


async def look(app: App) -> None:
    await app.watcher.look(await app.roles.run("watcher", "quick_check"))


async def counted(app: App) -> Record:
    return await app.store.run(record)


async def incidents(app: App) -> list[dict[str, Any]]:
    return list(reversed(await app.desk.incidents(limit=1000)))


@simulated
async def test_what_it_opens_is_marked_and_nobody_acts_on_it() -> None:
    mind = Mind("3/peers")
    async with at_work(mind) as app:
        await look(app)
        await app.clock.sleep(HOUR_S)
        (shown,) = await incidents(app)
        assert (shown["rule"], shown["source"], shown["severity"], shown["validators"]) == ("model:peers", "model", "medium", [3])
        assert shown["summary"] == "Validator 3: a model (scripted/local) says: Restart it now."
        assert shown["alerts"][0]["evidence"][0]["observation"] == "3/peers" and shown["alerts"][0]["evidence"][0]["text"].startswith(
            "peers ="
        )
        assert (shown["decision"]["action"], shown["decision"]["tier"], shown["actions"]) == ("investigate", "reflex", [])
        assert mind.decisions == [] and await app.door.shown() == []
        assert {status["health"] for status in app.watch.statuses()} == {"healthy"}
        mind.wanted = ()
        await look(app)
        await app.clock.sleep(2 * SETTLE_EVERY_S)
        assert [one["state"] for one in await incidents(app)] == ["resolved"]
        assert await counted(app) == Record(0, 0, 1)
        timeline = (await app.desk.incident(shown["id"]))["timeline"]
        assert [line["kind"] for line in timeline][-1] == "false_alarm" and "no rule told of the same" in timeline[-1]["text"]


@simulated
async def test_a_rule_that_says_the_same_makes_it_a_hit_and_takes_over() -> None:
    mind = Mind("3/peers")
    async with at_work(mind, fault("peers_drop", at_s=600, validators=(3,), peers=1, clears_on="restart")) as app:
        await look(app)
        await app.clock.sleep(HOUR_S)
        model, rule = await incidents(app)
        assert (model["rule"], model["state"], model["actions"]) == ("model:peers", "resolved", [])
        assert (rule["rule"], rule["state"]) == ("peers_low", "resolved")
        assert [action["verdict"] for action in rule["actions"]] == ["resolved"], "what a rule says is acted on as ever"
        assert await counted(app) == Record(0, 1, 0)
        assert len(mind.decisions) == 1 and all("peers_low" in question.prompt for question in mind.decisions)


@simulated
async def test_of_what_a_rule_tells_it_is_not_asked() -> None:
    mind = Mind(*(f"{number}/peers" for number in range(1, 11)))
    async with at_work(mind, fault("peers_drop", peers=1), validators=10) as app:
        await look(app)
        assert not any("6/peers" in question.prompt for question in mind.asked)
        opened = [one for one in await incidents(app) if one["source"] == "model"]
        assert len(opened) == 1 and 6 not in opened[0]["validators"] and len(opened[0]["validators"]) == MOST_OPEN


@simulated
async def test_it_does_not_open_the_same_again_and_again() -> None:
    mind = Mind()
    async with at_work(mind) as app:
        for turn in range(10):
            mind.wanted = ("3/peers", "4/block_height") if turn % 2 == 0 else ()
            await look(app)
            await app.clock.sleep(PERIOD_S)
        found = await incidents(app)
        assert sorted(one["rule"] for one in found) == ["model:block_height", "model:peers"], "each once"
        assert await counted(app) == Record(0, 0, 2)


@simulated
async def test_what_it_finds_everywhere_is_bounded() -> None:
    mind = Mind()
    async with at_work(mind, validators=10) as app:
        for turn in range(8):
            name = ("peers", "finalized_height", "syncing", "block_height")[turn % 4]
            mind.wanted = tuple(f"{number}/{name}" for number in range(1, 11))
            await look(app)
            firing = [alert for alert in app.watch.book.firing() if alert.rule.startswith("model:")]
            assert len(firing) <= MOST_OPEN
            alerts = await app.store.alert_rows()
            assert sum(app.clock.now() - HOUR_S < one["since"] for one in alerts) <= MOST_AN_HOUR
            await app.clock.sleep(PERIOD_S)
        assert len(await app.store.alert_rows()) > MOST_AN_HOUR
        assert await app.door.shown() == [] and mind.decisions == []


@simulated
async def test_without_an_answer_nothing_opens_and_nothing_closes_until_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "LONGEST_OPEN_S", HIT_WITHIN_S)
    mind = Mind("3/peers")
    async with at_work(mind) as app:
        mind.wanted = None
        await look(app)
        assert await incidents(app) == []
        mind.wanted = ("3/peers",)
        await look(app)
        mind.wanted = None
        await look(app)
        await app.clock.sleep(HIT_WITHIN_S - 120.0)
        assert [one["state"] for one in await incidents(app)] == ["triggered"] and await counted(app) == Record(1, 0, 0)
        await app.clock.sleep(240.0)
        assert [one["state"] for one in await incidents(app)] == ["resolved"] and await counted(app) == Record(0, 0, 1)


@simulated
async def test_people_say_who_was_right() -> None:
    mind = Mind("3/peers", "4/block_height")
    async with at_work(mind, fault("peers_drop", at_s=2000, validators=(1,), peers=1)) as app:
        await look(app)
        first, second = await incidents(app)
        await app.desk.acknowledge(first["id"], "ada")
        await app.desk.false_alarm(second["id"], "bob")
        await app.clock.sleep(2 * SETTLE_EVERY_S)
        assert await counted(app) == Record(0, 1, 1)
        assert [one["state"] for one in await incidents(app)] == ["acknowledged", "resolved"]
        await app.desk.false_alarm(first["id"], "ada")
        await app.clock.sleep(2 * SETTLE_EVERY_S)
        assert await counted(app) == Record(0, 0, 2), "a person's later word stands"
        assert [one["state"] for one in await incidents(app)] == ["resolved", "resolved"]
        await app.clock.sleep(2000)
        with pytest.raises(UsageError, match="not by a model"):
            await app.desk.false_alarm("inc-3", "ada")
        with pytest.raises(NotFound):
            await app.desk.false_alarm("inc-99", "ada")


@simulated
async def test_after_a_restart_it_goes_on_as_before() -> None:
    mind, clock, store = Mind("3/peers"), SimulatedClock(), open_store("sqlite://")
    fleet = SimFleet(clock, validators=4, authorities=21)
    async with at_work(mind, store=store, clock=clock, fleet=fleet) as app:
        await look(app)
    async with at_work(mind, store=store, clock=clock, fleet=fleet) as app:
        await look(app)
        assert len(await incidents(app)) == 1
        mind.wanted = ()
        await look(app)
        await app.clock.sleep(HIT_WITHIN_S)
        assert [one["state"] for one in await incidents(app)] == ["resolved"] and await counted(app) == Record(0, 0, 1)
        mind.wanted = ("3/peers",)
        await look(app)
        assert len(await incidents(app)) == 1, "the same is not opened again so soon"
    store.close()


@simulated
async def test_the_schedule_brings_it_every_report() -> None:
    mind = Mind("3/peers")
    async with at_work(mind) as app:
        app.roles.router = None
        running = asyncio.create_task(run_scheduled(app.roles, app.store, app.clock, app.watcher.look))
        await app.clock.sleep(3 * PERIOD_S)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert 2 <= len(mind.asked) <= 4 and [one["rule"] for one in await incidents(app)] == ["model:peers"]
        assert all(question.role == "watcher" and question.tier == "local" and question.tools == () for question in mind.asked)

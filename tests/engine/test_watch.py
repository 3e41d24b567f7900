"""The loop, in virtual time: what it stores and tells, and what is left of it when it is killed at any moment."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gizzi.alerts.alert import Alert
from gizzi.clock import iso
from gizzi.engine import records
from gizzi.engine.desk import Desk
from gizzi.engine.own import own_health
from gizzi.errors import StoreError
from gizzi.store import Store, open_store
from tools.simulated import fault
from tools.watching import Watched, in_virtual_time


async def opened(world: Watched) -> list[tuple[str, list[int], str]]:
    return [(shown["rule"], shown["validators"], shown["state"]) for shown in await world.incidents() if not shown["merged_into"]]


async def timeline(world: Watched, incident: int) -> list[str]:
    """What happened to the incident itself."""
    return [event["kind"] for event in await world.store.event_rows(incident) if event["kind"] not in ("joined", "alert_resolved")]


# killed and started again


@in_virtual_time
async def test_what_ended_while_nobody_watched_resolves() -> None:
    world = Watched(fault("node_down", 60, [6], 60))
    await world.live(300, [(100, 60)])
    assert await opened(world) == [("node_down", [6], "resolved")]
    assert await timeline(world, 1) == ["opened", "decided", "resolved"]


@in_virtual_time
async def test_what_goes_on_is_the_same_incident() -> None:
    world = Watched(fault("peers_drop", 60, [6], "never", peers=1))
    await world.live(400, [(100, 5), (150, 30), (200, 0.5), (201, 0.5), (202, 100)])
    assert await opened(world) == [("peers_low", [6], "triggered")]
    assert await timeline(world, 1) == ["opened", "decided"]
    (shown,) = await world.incidents()
    assert shown["decision"]["action"] == "restart"


@pytest.mark.parametrize("after_s", [0.1, 1.0, 4.0, 4.9])
def test_killed_between_opening_and_deciding_it_is_decided_on_what_is_seen_then(after_s: float) -> None:
    """Not on the nothing that is known in the first moment."""

    @in_virtual_time
    async def check() -> None:
        world = Watched(fault("node_down", 60, [6], "never"))
        await world.start()
        while not world.told:
            await world.clock.sleep(0.1)
        await world.until(world.told[0][0] + after_s)
        await world.kill()
        await world.clock.sleep(2)
        await world.live(world.now_s + 60)
        (shown,) = await world.incidents()
        assert (shown["rule"], shown["decision"]["action"]) == ("node_down", "restart")
        assert await timeline(world, 1) == ["opened", "decided"]

    check()


@in_virtual_time
async def test_a_decision_to_wait_stands_until_more_is_known_than_before_the_kill() -> None:
    world = Watched(fault("syncing", 60, [6], "never"))
    await world.live(300, [(150, 3), (250, 3)])
    assert await timeline(world, 1) == ["opened", "decided"]


@in_virtual_time
async def test_an_acknowledged_incident_stays_acknowledged() -> None:
    world = Watched(fault("peers_drop", 60, [6], 300, peers=1))
    await world.start()
    await world.until(120)
    await world.kill()
    await Desk(world.store, world.clock).acknowledge("inc-1", "ada")
    await world.live(300, [(200, 5)])
    (shown,) = await world.incidents()
    assert (shown["state"], shown["acknowledged_by"]) == ("acknowledged", "ada")
    await world.live(500)
    (shown,) = await world.incidents()
    assert (shown["state"], shown["acknowledged_by"]) == ("resolved", "ada")
    assert (await timeline(world, 1)).count("acknowledged") == 1


@in_virtual_time
async def test_who_acknowledged_it_is_kept_even_where_it_ends_before_the_loop_has_noticed() -> None:
    world = Watched(fault("peers_drop", 60, [6], 60, peers=1))
    await world.start()
    await world.until(119)
    assert world.app is not None
    world.app.watch.live = True  # it now learns of others' writes every 2 s only
    version = world.store.version
    await world.store.acknowledge(1, "ada", world.clock.now())
    world.store.version = version
    while (await opened(world))[0][2] != "resolved":
        world.app.watch._next["control"] = world.clock.now() + 10
        await world.clock.sleep(0.5)
    await world.kill()
    assert (await world.incidents())[0]["acknowledged_by"] == "ada"


@in_virtual_time
async def test_a_silence_outlives_the_watcher_and_its_alert_is_told_when_it_ends() -> None:
    world = Watched(fault("peers_drop", 60, [6], "never", peers=1))
    app = await world.start()
    await world.until(30)
    until = await app.desk.silence(app.registry, world.settings, "peers_low", 6, "200s", "known", "ada")
    await world.until(120)
    assert await opened(world) == []
    await world.kill()
    await world.clock.sleep(3)
    await world.live(until - world.fleet.start_at - 1, [(150, 3)])
    assert await opened(world) == [] and [row["muted"] for row in await world.rows()] == [f"silenced until {iso(until)} by ada: known"]
    await world.live(300)
    assert await opened(world) == [("peers_low", [6], "triggered")]


@in_virtual_time
async def test_maintenance_outlives_the_watcher_too() -> None:
    world = Watched(fault("node_down", 60, [6], 120))
    app = await world.start()
    await world.until(30)
    await app.desk.maintain(world.settings, ["sim"], "6", "10m", "new disk", "ada")
    await world.live(300, [(100, 5), (150, 5)]) if await world.kill() is None else None
    assert await opened(world) == [] and {row["state"] for row in await world.rows()} == {"resolved"}


@in_virtual_time
async def test_one_that_comes_back_soon_reopens_its_incident_also_after_a_kill() -> None:
    world = Watched(fault("node_down", 60, [6], 60), fault("node_down", 250, [6], 60))
    await world.live(400, [(200, 5)])
    assert await opened(world) == [("node_down", [6], "resolved")]
    assert (await timeline(world, 1)).count("reopened") == 1
    assert [row["flaps"] for row in await world.rows() if row["rule"] == "node_down"] == [0, 1]


@in_virtual_time
async def test_validators_and_rules_that_are_no_longer_watched_leave_no_alert_behind() -> None:
    world = Watched(fault("node_down", 60, [6], "never"), fault("peers_drop", 60, [7], "never", peers=1))
    await world.live(150)
    assert len(await opened(world)) == 2
    others = tuple(v for v in world.settings.validators if v.number != 6)
    world.settings = world.settings.model_copy(update={"validators": others, "rules": {"peers_low": {"enabled": False}}})
    await world.live(160)
    assert {state for _, _, state in await opened(world)} == {"resolved"}
    assert all(row["text"].endswith("(no longer watched)") for row in await world.rows())


@in_virtual_time
async def test_an_alert_that_fires_without_a_home_finds_one() -> None:
    """Whatever wrote it so: it is neither lost nor stuck."""
    world = Watched(fault("peers_drop", 60, [6], 200, peers=1))
    await world.start()
    stray = Alert("validator/6", "peers_low", "sim", "high", "1 peer", (6,), (), world.clock.now(), "firing", world.clock.now(), incident=9)
    await world.kill()
    row = {"id": 9, "rule": "rpc_down", "severity": "high", "chain": "sim", "validators": "[6]", "state": "resolved", "summary": ""}
    none = dict.fromkeys(("acknowledged_by", "decision", "decide_at", "merged_into"))
    await world.store.record([({**row, **none, "opened_at": 0.0, "resolved_at": 0.0}, True)], [records.alert_row(stray)], [])
    await world.live(200)
    assert ("peers_low", [6], "triggered") in await opened(world)
    await world.live(400)
    assert {row["state"] for row in await world.rows()} == {"resolved"}


def _invariants(shown: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
    assert [int(incident["id"][4:]) for incident in shown] == list(range(1, len(shown) + 1)), "numbers are given once, in order"
    still_open = {incident["id"] for incident in shown if incident["state"] != "resolved"}
    firing = [row for row in rows if row["state"] == "firing"]
    assert len({(row["subject"], row["rule"]) for row in firing}) == len(firing), "one alert fires once"
    assert {f"inc-{row['incident']}" for row in firing} == still_open, (
        "every open incident has a firing alert, every firing alert an incident"
    )


FAULTS = (
    fault("node_down", 100, [6], 90),
    fault("peers_drop", 150, [3, 4], 100, peers=1),
    fault("chain_finality_stall", 300, None, 80),
    fault("rpc_down", 330, [9], 60),
    fault("best_stall", 500, [2], 60),
    fault("garbage", 520, [7], 60),
    fault("disk_fill", 100, [8], "never", bytes_per_s=400_000_000),
)


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_nothing_is_lost_doubled_or_stuck(seed: int) -> None:
    dice = random.Random(seed)
    downs: list[tuple[float, float]] = []
    at = 0.0
    while len(downs) < 25:
        at += dice.choice((dice.uniform(0.1, 6.0), dice.uniform(5.0, 60.0)))
        away_s = dice.choice((0.1, 1.0, 3.0, 10.0))
        downs.append((at, away_s))
        at += away_s

    @in_virtual_time
    async def check() -> None:
        calm = Watched(*FAULTS)
        expected = {(rule, tuple(validators), state) for rule, validators, state in await opened(await calm.live(900))}
        world = Watched(*FAULTS)
        await world.start()
        for at_s, away_s in downs:
            await world.until(at_s)
            await world.kill()
            _invariants(await world.incidents(), await world.rows())
            await world.clock.sleep(away_s)
            await world.start()
        await world.until(900)
        await world.kill()
        shown, rows = await world.incidents(), await world.rows()
        _invariants(shown, rows)
        found = {(rule, tuple(validators), state) for rule, validators, state in await opened(world)}
        stall = {entry for entry in expected if entry[0] == "chain_finality_stalled"}
        strange = found - expected
        assert {(rule, state) for rule, _, state in strange} <= {("finality_lagging", "resolved")}, "a symptom, where nobody watched long"
        assert expected - found <= stall and len(stall) == 1
        for incident in shown:
            kinds = await timeline(world, int(incident["id"][4:]))
            assert kinds.count("opened") == 1 and kinds[0] == "opened"
            assert kinds.count("resolved") + kinds.count("merged") == kinds.count("reopened") + (incident["state"] == "resolved")

    check()


@in_virtual_time
async def test_killed_every_few_seconds_all_the_time_it_still_tells_of_what_lasts() -> None:
    world = Watched(fault("node_down", 100, [6], 900), fault("twin", 200, [7], 600))
    await world.live(700, [(at, 0.5) for at in range(120, 690, 25)])
    assert {("node_down", (6,)), ("twin_signer", (7,))} <= {(rule, tuple(numbers)) for rule, numbers, _ in await opened(world)}
    await world.live(1400)
    assert sorted(await opened(world)) == [("node_down", [6], "resolved"), ("twin_signer", [7], "triggered")], "told for an hour"


# the clock of our machine


@pytest.mark.parametrize("off_s", [-7200.0, -60.0, 7200.0])
def test_a_clock_that_is_set_neither_blinds_nor_alarms(off_s: float) -> None:
    @in_virtual_time
    async def check() -> None:
        world = Watched(fault("peers_drop", 60, [3], "never", peers=1), fault("node_down", 260, [6], "never"))
        app = await world.start()
        await world.until(120)
        first = await opened(world)
        world.clock.off_s = off_s
        await world.until(180)
        statuses = {shown["number"]: shown for shown in app.watch.statuses()}
        assert all(statuses[n]["health"] == "healthy" and statuses[n]["observed_at"] > iso(world.clock.now() - 8) for n in (1, 2, 4))
        assert await opened(world) == first == [("peers_low", [3], "triggered")]
        await world.until(280)
        assert await opened(world) == [*first, ("node_down", [6], "triggered")]
        await world.until(320)
        assert (await world.incidents())[1]["decision"]["action"] == "restart"
        await world.kill()

    check()


# the store fails for a while


class Failing:
    """A store whose writes fail while `broken`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.broken = False
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def record(self, *rows: Any) -> None:
        self.writes += 1
        if self.broken:
            raise StoreError("the store sqlite:///x.db: database or disk is full")
        await self._store.record(*rows)


@in_virtual_time
async def test_while_the_store_fails_nothing_is_told_nothing_is_lost_and_it_says_so() -> None:
    store = Failing(open_store("sqlite://"))
    world = Watched(fault("node_down", 60, [6], 30), fault("peers_drop", 80, [9], "never", peers=1), store=store)  # type: ignore[arg-type]
    app = await world.start()
    await world.until(50)
    with capture_logs() as lines:
        store.broken = True
        await world.until(200)
        assert world.told == [] and await world.incidents() == []
        health = own_health(app.watch)
        assert health["status"] == "store_failing" and health["reasons"][0].startswith(
            "the store sqlite:///x.db: database or disk is full; "
        )
        said = [line for line in lines if line["event"] == "store_failed"]
        assert 1 <= len(said) <= 4, "at once, then every minute"
        store.broken = False
        await world.until(202)
        assert lines[-1]["event"] == "store_works_again"
    assert await opened(world) == [("node_down", [6], "resolved"), ("peers_low", [9], "triggered")]
    assert [kind for _, incident, kind in world.told if incident == 1 and kind not in ("joined", "alert_resolved")] == [
        "opened",
        "decided",
        "resolved",
    ]
    assert await timeline(world, 1) == ["opened", "decided", "resolved"]
    assert own_health(app.watch)["status"] == "ok"
    writes = store.writes
    await world.until(260)
    assert store.writes == writes, "with nothing new nothing is written"
    await world.kill()


@in_virtual_time
async def test_an_answer_of_the_store_that_got_lost_doubles_nothing() -> None:
    """The database was written, but the connection broke before it said so."""

    class Deaf(Failing):
        async def record(self, *rows: Any) -> None:
            await self._store.record(*rows)
            if self.broken:
                raise StoreError("server closed the connection unexpectedly")

    store = Deaf(open_store("sqlite://"))
    world = Watched(fault("node_down", 60, [6], 60), store=store)  # type: ignore[arg-type]
    await world.start()
    store.broken = True
    await world.until(130)
    store.broken = False
    await world.until(200)
    await world.kill()
    assert await timeline(world, 1) == ["opened", "decided", "resolved"]
    assert [row["rule"] for row in await world.rows()] == ["node_down", "process_down"]
    assert [kind for _, _, kind in world.told if kind not in ("joined", "alert_resolved")] == ["opened", "decided", "resolved"]


# what plugins do


PLUGIN = """
from gizzi import Finding, rule, source

@rule("raises", needs=("block_height",))
def raises(v, fleet):
    raise KeyError("of its own\\n" + "x" * 5000)

@rule("raises_of_chain", scope="chain", needs=("block_height",))
def raises_of_chain(fleet):
    return fleet.validators[99]

@rule("odd", hold="0s", needs=("block_height", "text", "texts"))
def odd(v, fleet):
    if v.number == 3:
        return Finding("two\\nlines \\ud800 \\x00", validators=("x", 3), severity="urgent")
    return True if v.number == 4 else None

@source("odd", every="5s", gives=("odd_value",))
async def odd_source(validator):
    return {"odd_value": object(), "text": "a\\x00b\\n\\ud800", "texts": ("\\x00",), "height": float("nan"), 7: 7}
"""


def test_a_plugin_that_fails_costs_nobody_else_anything(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN)

    @in_virtual_time
    async def check() -> None:
        world = Watched(fault("node_down", 60, [6], 60), plugins={"folder": str(tmp_path)})
        with capture_logs() as lines:
            await world.live(200)
        rules = {rule: (numbers, state) for rule, numbers, state in await opened(world)}
        assert rules["node_down"] == ([6], "resolved")
        assert rules["odd"][0] == [3], "what is neither a text nor a finding is no alert"
        assert rules["rule_dead"] == ([], "triggered")
        by_rule = {row["rule"]: row for row in await world.rows()}
        assert "raises (KeyError: 'of its own" in by_rule["rule_dead"]["text"] and by_rule["rule_dead"]["text"].isprintable()
        assert "text = a b" in by_rule["odd"]["evidence"] and "u0000" not in by_rule["odd"]["evidence"]
        assert by_rule["odd"]["text"].isprintable() and by_rule["odd"]["severity"] == "medium"
        assert sorted(line["event"] for line in lines if line["log_level"] == "error") == ["rule_failed"] * 3 + ["source_failed"] * 4, lines

    check()


def test_a_rule_that_works_again_is_no_longer_told() -> None:
    @in_virtual_time
    async def check() -> None:
        world = Watched()
        app = await world.start()
        rule = app.registry.rules["peers_low"]

        def breaks(v: Any, fleet: Any) -> Any:
            if world.now_s < 100:
                raise ValueError("not yet")
            return rule.check(v, fleet)

        calls = app.watch.book._calls["validator"]
        calls[:] = [(r, breaks if r.name == "peers_low" else check) for r, check in calls]
        await world.until(150)
        assert await opened(world) == [("rule_dead", [], "triggered")]
        await world.until(800)
        assert await opened(world) == [("rule_dead", [], "resolved")]
        await world.kill()

    check()


# a store that is from elsewhere


@in_virtual_time
async def test_watermarks_are_taken_up() -> None:
    world = Watched(fault("db_lost", 400, [6], "never"))
    await world.live(390)
    kept = (await world.store.watermarks())[6]
    assert kept > 0
    await world.clock.sleep(20)
    await world.live(500)
    assert ("database_lost", [6], "triggered") in await opened(world)
    assert kept == (await world.store.watermarks())[6] or (await world.store.watermarks())[6] > kept


@in_virtual_time
async def test_two_rows_of_one_firing_alert_end_together() -> None:
    world = Watched()
    now = world.clock.now()
    twice = [Alert("validator/6", "peers_low", "sim", "high", "1 peer", (6,), (), now - ago, "firing", now - ago) for ago in (500, 100)]
    await world.store.record([], [records.alert_row(alert) for alert in twice], [])
    await world.live(60)
    assert {row["state"] for row in await world.rows()} == {"resolved"}

"""Queues, tasks, versions, restarts, resources and the disk."""

from __future__ import annotations

import random

import pytest

from alerts.build import START, World, both, chain, sets, view
from gizzi import UNKNOWN, Series, outlook
from gizzi.alerts.rules import disk, node, resources
from gizzi.fleet.history import History
from gizzi.fleet.observation import Collected
from gizzi.fleet.view import ValidatorView

FAULT_AT = 300.0
GB = 1e9


def one(fault, for_s, size=1) -> World:
    world = World(size=size)
    world.faults[1] = fault
    return world.run(FAULT_AT + for_s)


def test_a_long_transaction_queue_is_told_after_two_minutes():
    world = one(sets("metrics", since=FAULT_AT, ready_transactions=12_000), 140)
    assert world.rules_fired == {"tx_queue_high"}
    assert 120 <= world.fired_after("tx_queue_high", 1) - FAULT_AT <= 135
    assert world.alert("tx_queue_high").text == "12000 transactions are ready for a block (more than 10000)"


@pytest.mark.parametrize(
    ("ready", "told"),
    [
        (lambda t: 1200 + t, True),
        (lambda t: 1200 + 300 * (int(t / 60) % 2), False),
        (lambda t: 3000, False),
        (lambda t: 5000 - t, False),
        (lambda t: t / 10, False),
    ],
)
def test_a_queue_that_rises_for_half_an_hour_is_told(ready, told):
    world = one(sets("metrics", ready_transactions=lambda t: int(ready(t))), 2000)
    assert world.rules_fired == ({"tx_queue_high"} if told else set())


def test_a_frozen_channel_is_told_after_five_minutes_and_a_flood_at_once():
    slowly = one(sets("metrics", since=FAULT_AT, channel_max_size=450), 400)
    assert slowly.rules_fired == {"channel_clogged"}
    assert 300 <= slowly.fired_after("channel_clogged", 1) - FAULT_AT <= 345
    assert slowly.alert("channel_clogged").text == "450 messages wait in channel mpsc_network_worker, 200 or more for 5 min"
    flood = one(sets("metrics", since=FAULT_AT, channel_max_size=20_000), 60)
    assert flood.fired_after("channel_clogged", 1) - FAULT_AT <= 20
    assert flood.alert("channel_clogged").severity == "high"


def test_a_channel_that_empties_now_and_then_is_fine():
    assert one(sets("metrics", channel_max_size=lambda t: 900 if t % 120 < 90 else 0), 1200).fired == {}


def test_ended_tasks_are_named():
    world = one(sets("metrics", since=FAULT_AT, tasks_ended=("babe", "grandpa-voter", "informant", "x" * 200)), 60)
    assert world.alert("task_ended").text == "ended inside the node: babe, grandpa-voter, informant and 1 more"


def test_a_forgotten_upgrade_is_told_but_not_one_under_way():
    forgotten = one(sets("metrics", version="1.19.0"), 700, size=5)
    assert forgotten.rules_fired == {"version_skew"}
    assert forgotten.alert("version_skew").text == "it runs version 1.19.0, while 4 of its chain's 5 validators run 1.20.2"
    spreading = World(size=5)
    for number in (1, 2, 3, 4):
        spreading.faults[number] = sets("metrics", since=600.0 * number, version="1.21.0")
    assert spreading.run(4000).fired == {}


def test_a_version_needs_a_majority_to_differ_from():
    views = [view({"version": version}, number=n) for n, version in enumerate("aabb")]
    assert node.version_skew(views[0], chain(*views)) is None


def test_open_unsafe_methods_are_told():
    assert "v1.example:9944 answers system_peers" in node.unsafe_rpc(view({"unsafe_rpc": True}), None)
    assert node.unsafe_rpc(view({"unsafe_rpc": False}), None) is None
    assert node.unsafe_rpc(view({}), None) is UNKNOWN


def starting(*times):
    return sets("metrics", process_start_at=lambda t: max([START - 500_000, *(START + at for at in times if at <= t)]))


def test_one_clean_restart_is_a_persons():
    assert one(starting(400), 4000).fired == {}


def test_restarts_again_and_again_are_told():
    world = one(starting(400, 700, 1000), 900)
    assert world.rules_fired == {"restarts_unplanned"}
    assert world.alert("restarts_unplanned").severity == "high"
    assert world.alert("restarts_unplanned").text == "it has restarted 3 times in the last 60 min"
    assert one(starting(400, 4100, 7800), 8000).fired == {}


def test_a_restart_by_systemd_is_told():
    world = one(both(starting(400), sets("host", since=400, unit_restarts=1)), 300)
    assert world.rules_fired == {"restarts_unplanned"}
    assert world.alert("restarts_unplanned").severity == "low"
    assert "it died and systemd started it again" in world.alert("restarts_unplanned").text
    assert world.run(4000).book.firing() == []


def test_an_unclean_stop_is_told_while_it_runs_again():
    v = view({"process_start_at": START - 60, "unclean_stop": True, "metrics_up": True})
    assert node.restarts_unplanned(v, None) == "it died with its database open and started again 60 s ago"


@pytest.mark.parametrize(
    ("rule", "values", "text"),
    [
        (resources.cpu_high, {"cpu_ratio": 0.96}, "the processors are 96% busy (more than 95%)"),
        (resources.cpu_high, {"cpu_ratio": 0.95}, None),
        (
            resources.memory_high,
            {"memory_available_bytes": 2e9, "memory_size_bytes": 64e9},
            "3.1% of 64 GB of memory is available (less than 5%)",
        ),
        (resources.memory_high, {"memory_available_bytes": 8e9, "memory_size_bytes": 64e9}, None),
        (resources.memory_high, {"memory_available_bytes": 8e9}, UNKNOWN),
        (resources.fds_high, {"fds_open": 10_001}, "the node has 10001 files open (more than 10000)"),
        (resources.fds_high, {"fds_open": 10_000}, None),
        (resources.fds_high, {"host_fds_open": 60_000}, None),
        (resources.fds_high, {"host_fds_open": 200_000}, "its host has 200000 files open (more than 100000)"),
        (resources.clock_drift, {"clock_offset_s": -0.7}, "its clock is 0.70 s off (more than 0.5 s)"),
        (resources.clock_drift, {"clock_offset_s": 0.7}, "its clock is 0.70 s off (more than 0.5 s)"),
        (resources.clock_drift, {"clock_offset_s": 0.2}, None),
        (
            disk.disk_filling,
            {"disk_free_bytes": 40 * GB, "disk_size_bytes": 1000 * GB},
            "4.0% of the disk is free, 40.0 GB of 1000.0 GB (less than 5%)",
        ),
    ],
)
def test_limits_of_the_host(rule, values, text):
    assert rule(view(values, source="host"), None) == text
    assert rule(view({}, source="host"), None) is UNKNOWN


def filled(free, for_s, since=0.0) -> ValidatorView:
    history, chance = History({"disk_free_bytes"}), random.Random(3)
    at = since
    while at <= for_s:
        history.observe(
            Collected(1, "host", START + at, {"disk_free_bytes": free(at, chance), "disk_size_bytes": 1000 * GB}, fresh_for_s=93.0)
        )
        at += 30.0
    return ValidatorView(view().config, history, START + for_s)


def test_a_disk_that_fills_is_told_within_four_minutes():
    world = World(size=3)
    world.faults[1] = sets("host", since=FAULT_AT, disk_free_bytes=lambda t: 400 * GB - (t - FAULT_AT) * 50e6)
    world.run(FAULT_AT + 300)
    assert set(world.fired) == {("validator/1", "disk_filling")}
    assert world.fired_after("disk_filling", 1) - FAULT_AT <= 240
    assert world.alert("disk_filling").text.startswith("the disk is full in about 2.1 h: 38")
    assert world.alert("disk_filling").severity == "high"


def test_a_disk_that_fills_within_a_day_is_told_after_half_an_hour():
    found = disk.disk_filling(filled(lambda at, _: 400 * GB - at * 6e6, 2400), None)
    assert found.severity == "medium"
    assert found.text == "the disk is full in about 17.9 h: 385.6 GB left, by the last 30 min"
    assert disk.disk_filling(filled(lambda at, _: 400 * GB - at * 6e6, 1500), None) is None


@pytest.mark.parametrize(
    "free",
    [
        lambda at, chance: 400 * GB - at * 2e5,
        lambda at, chance: 400 * GB - at * 1e6,
        lambda at, chance: 400 * GB + chance.gauss(0, 3 * GB),
        lambda at, chance: 400 * GB - at * 3e5 + chance.gauss(0, GB),
        lambda at, chance: 400 * GB - at % 600 * 20e6,
        lambda at, chance: 60 * GB - at % 300 * 10e6 - at * 1e4,
        lambda at, chance: 400 * GB + at * 1e7,
        lambda at, chance: 400 * GB,
    ],
    ids=["growth", "fast growth", "noise", "noisy growth", "compactions", "small disk", "freeing", "still"],
)
def test_noise_and_slow_growth_are_no_alarm(free):
    """After the first quarter of an hour, in which nobody can tell a compaction from a fill."""
    for end in range(900, 7200, 60):
        assert disk.disk_filling(filled(free, float(end), max(0.0, end - 3600.0)), None) is None


def test_what_is_full_within_a_week_by_the_hourly_forecast_is_told_low():
    points = [(START - 86400 * 2 + 900 * n, 300 * GB - n * 5e8) for n in range(192)]

    def seen(points) -> ValidatorView:
        v = filled(lambda at, _: 204 * GB, 600)
        v._history.outlooks = {"disk": outlook(Series("validator 1", "disk", points))}
        return v

    found = disk.disk_filling(seen(points), None)
    assert found is None, "two days tell one ahead, and the late end of the interval is not in sight"
    found = disk.disk_filling(seen([(at, value - 190 * GB) for at, value in points]), None)
    assert found.severity == "low" and found.text.startswith("the disk is full in about") and "80 %" in found.text
    assert disk.disk_filling(seen([(at, 300 * GB) for at, _ in points]), None) is None
    assert disk.disk_filling(seen(points[:5]), None) is None, "too little is known"


def test_a_fill_on_a_noisy_disk_is_still_told():
    def free(at, chance):
        return 400 * GB - at % 600 * 5e6 - max(0.0, at - 3000) * 100e6

    assert "the disk is full in about" in disk.disk_filling(filled(free, 3300.0), None)


def test_a_window_too_short_is_unknown():
    assert disk.disk_filling(filled(lambda at, _: 400 * GB - at * 50e6, 90), None) is UNKNOWN

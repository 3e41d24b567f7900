"""Whatever faults come, in whatever order, a simulated fleet stays a possible one."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gizzi.errors import SourceError
from gizzi.readers.jsonrpc import RpcError, grandpa_round_state
from gizzi.sim.chain import SESSION_PAUSE_S
from gizzi.sim.faults import KINDS, Fault
from gizzi.sources.metrics import observe
from tools.simulated import Lab, fault

NUMBERS = range(1, 8)
RANGES = {
    "delay_s": st.floats(0.1, 9),
    "rate": st.floats(0, 1),
    "peers": st.integers(0, 60),
    "per_min": st.floats(0.01, 1000),
    "least": st.integers(0, 60),
    "blocks": st.integers(1, 200),
    "size": st.integers(0, 30_000),
    "bytes_per_s": st.floats(1, 1e9),
    "for_s": st.floats(1, 200),
    "away_s": st.floats(1, 40),
    "every_s": st.floats(5, 60),
}


@st.composite
def fault_plans(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(sorted(KINDS)))
    parameters: dict[str, Any] = {name: draw(RANGES[name]) for name in KINDS[kind].parameters}
    validators = draw(st.just("all") | st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    clears_on = draw(st.sampled_from(["restart", "never"]) | st.floats(1, 300))
    return fault(kind, draw(st.integers(0, 400)), validators, clears_on, **parameters)


Deeds = st.lists(st.tuples(st.integers(0, 500), st.sampled_from(NUMBERS), st.sampled_from(["restart", "stop", "start"])), max_size=6)


def walk(plans: list[Fault], deeds: list[tuple[int, int, str]], seed: int) -> list[Any]:
    """Go through 600 s in steps of 5, act in between, and note down everything that can be read."""
    lab = Lab(*plans, validators=len(NUMBERS), seed=seed)
    waiting = sorted(deeds)
    notes: list[Any] = []
    for since_s in range(0, 600, 5):
        while waiting and waiting[0][0] <= since_s:
            when, number, verb = waiting.pop(0)
            lab.go_to(max(when, since_s - 4))
            getattr(lab.fleet, verb)(number)
        lab.go_to(since_s)
        notes.append([look(lab, number) for number in NUMBERS])
        check_round(lab)
    return notes


def look(lab: Lab, number: int) -> Any:
    node = lab.fleet.nodes[number]
    now = lab.clock.at
    best, finalized = node.heights(now)
    seen = observe(node.samples(now))
    assert 0 <= finalized <= best <= node.chain.height
    assert seen["finalized_height"] <= seen["block_height"] <= seen["sync_target"]
    assert seen["prevotes_total"] >= 0 and seen["bitfields_signed_total"] >= 0 and seen["blocks_constructed_total"] >= 0
    assert node.peers(now) >= 0 and node.started_at <= now
    assert node.own_voting <= node.running and node.authoring <= node.running
    return best, finalized, seen, node.running, lab.fleet.facts(number), lab.fleet.hosts[number].free_bytes(now), len(node.log)


def check_round(lab: Lab) -> None:
    """Who does not vote is missing whenever anybody is named, and late in a round nobody else is."""
    chain, now = lab.fleet.chains["sim"], lab.clock.at
    state = chain.round_state(now)
    missing = set(grandpa_round_state(state)["grandpa_missing"])
    absent = {
        v.authority_id for n, v in lab.validators.items() if not lab.fleet.nodes[n].own_voting and not lab.fleet.facts(n)["twin_running"]
    }
    assert absent <= missing
    if now - chain.round_at > 2 and now > chain.pause_until + SESSION_PAUSE_S:
        assert missing == absent
    for votes in (state["best"]["prevotes"], state["best"]["precommits"]):
        assert votes["currentWeight"] + len(votes["missing"]) == state["best"]["totalWeight"]


@settings(max_examples=60)
@given(st.lists(fault_plans(), max_size=6), Deeds, st.integers(0, 1000))
def test_any_plan_gives_a_possible_fleet(plans: list[Fault], deeds: list[tuple[int, int, str]], seed: int) -> None:
    notes = walk(plans, deeds, seed)
    for index, number in enumerate(NUMBERS):
        if any(plan.kind == "db_lost" and (plan.validators is None or number in plan.validators) for plan in plans):
            continue
        best = [turn[index][0] for turn in notes]
        finalized = [turn[index][1] for turn in notes]
        assert best == sorted(best) and finalized == sorted(finalized)


@settings(max_examples=15)
@given(st.lists(fault_plans(), max_size=4), Deeds, st.integers(0, 1000))
def test_the_same_plan_twice_is_the_same_twice(plans: list[Fault], deeds: list[tuple[int, int, str]], seed: int) -> None:
    assert walk(plans, deeds, seed) == walk(plans, deeds, seed)


@settings(max_examples=30)
@given(st.lists(fault_plans(), max_size=5), st.integers(0, 100))
def test_requests_answer_or_fail_as_a_node_can(plans: list[Fault], seed: int) -> None:
    lab = Lab(*plans, validators=len(NUMBERS), seed=seed)

    async def ask(number: int) -> None:
        node = lab.fleet.nodes[number]
        if node.has("hang"):
            return
        try:
            await lab.page(number)
            for method in ("system_health", "grandpa_roundState", "chain_getFinalizedHead", "system_syncState", "system_peers"):
                await lab.rpc(number, method)
        except RpcError as error:
            assert error.unsafe
        except SourceError as error:
            assert error.kind in ("refused", "unreadable")
        v = lab.validators[number]
        for command in (["systemctl", "show", v.unit], ["df", "--output=size,avail", v.data_dir], ["head", "/proc/stat", "/proc/meminfo"]):
            assert await lab.run(number, *command)

    for since_s in range(0, 600, 60):
        lab.go_to(max(since_s, lab.clock.at - lab.fleet.start_at))
        for number in NUMBERS:
            asyncio.run(ask(number))

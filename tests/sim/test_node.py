from __future__ import annotations

import asyncio

import pytest

from gizzi.errors import SourceError
from gizzi.readers.jsonrpc import RpcError, grandpa_round_state
from gizzi.readers.ss58 import public_key
from gizzi.sim.node import REJOIN_S, RESTART_S
from gizzi.sources.metrics import observe
from tools.simulated import START_AT, Lab, fault

UP = {"up": True, "db_lost": False, "twin_running": False, "unclean_stop": False, "in_session_change": False, "maintenance": False}


async def failure(lab: Lab, number: int, *, rpc: bool = False) -> str:
    with pytest.raises(SourceError) as error:
        await (lab.rpc(number, "system_health") if rpc else lab.page(number))
    return error.value.kind


async def test_a_healthy_node() -> None:
    lab = Lab().go_to(600)
    seen = observe(await lab.page(6))
    assert seen["block_height"] > seen["finalized_height"] > 1_000_000
    assert 30 <= seen["peers"] <= 60 and seen["syncing"] is False and seen["is_active_validator"] is True
    assert seen["node_name"] == lab.validators[6].name == "runtime-dev01-a"
    assert seen["tasks_ended"] == () and seen["channel_max_size"] == 0
    assert seen["process_start_at"] < START_AT
    assert lab.fleet.facts(6) == UP
    assert await lab.rpc(6, "system_health") == {"peers": seen["peers"], "isSyncing": False, "shouldHavePeers": True}


async def test_only_what_was_asked_for() -> None:
    lab = Lab()
    samples = await lab.reach.node.metrics(lab.validators[1], frozenset({"substrate_sub_libp2p_peers_count", "no_such_metric"}))
    assert list(samples) == ["substrate_sub_libp2p_peers_count"]


async def test_a_batch_is_answered_call_by_call_or_not_at_all() -> None:
    lab = Lab(fault("rpc_down", at_s=400)).go_to(300)
    calls = [("system_health",), ("system_peers",), ("chain_getBlockHash", 5)]
    health, refusal, block = await lab.reach.node.batch(lab.validators[6], calls)
    assert health == await lab.rpc(6, "system_health") and block == await lab.rpc(6, "chain_getBlockHash", 5)
    assert isinstance(refusal, RpcError) and refusal.unsafe
    with pytest.raises(SourceError) as error:
        await lab.go_to(410).reach.node.batch(lab.validators[6], calls)
    assert error.value.kind == "refused"


async def test_rpc_methods() -> None:
    lab = Lab().go_to(300)
    best, finalized = await lab.heights(6)
    assert 2 <= best - finalized <= 4
    own = await lab.rpc(6, "chain_getBlockHash", best - 5)
    assert own == await lab.rpc(7, "chain_getBlockHash", hex(best - 5))
    header = await lab.rpc(6, "chain_getHeader", own)
    assert int(header["number"], 16) == best - 5 and header["parentHash"] == await lab.rpc(6, "chain_getBlockHash", best - 6)
    assert await lab.rpc(6, "chain_getBlockHash", best + 100) is None
    assert await lab.rpc(6, "chain_getHeader", "0x" + "1" * 64) is None
    assert (await lab.rpc(6, "system_syncState"))["currentBlock"] == best
    assert await lab.rpc(6, "system_nodeRoles") == ["Authority"]
    assert (await lab.rpc(6, "system_localPeerId")).startswith("12D3KooW")
    for method, code in (("system_peers", -32601), ("author_rotateKeys", -32601)):
        with pytest.raises(RpcError) as error:
            await lab.rpc(6, method)
        assert error.value.code == code and error.value.unsafe == (method == "system_peers")
    for wrong in ("x", -1, [], float("inf")):
        with pytest.raises(RpcError):
            await lab.rpc(6, "chain_getBlockHash", wrong)


async def test_authority_ids_are_those_of_the_round_state() -> None:
    lab = Lab()
    voters = {public_key(voter) for voter in lab.fleet.chains["sim"].voters}
    assert voters == {v.authority_id for v in lab.validators.values()}


async def test_node_down_refuses_everything_and_is_missing() -> None:
    lab = Lab(fault("node_down", 60, [6], 300)).go_to(61)
    assert await failure(lab, 6) == await failure(lab, 6, rpc=True) == "refused"
    assert lab.fleet.facts(6) == {**UP, "up": False}
    lab.go_to(120)
    seen = grandpa_round_state(lab.fleet.chains["sim"].round_state(lab.clock.at + 3))
    assert seen["grandpa_missing"] == (lab.validators[6].authority_id,)
    lab.go_to(361)
    seen_after = observe(await lab.page(6))
    assert seen_after["process_start_at"] == START_AT + 360 and seen_after["peers"] <= 2
    lab.go_to(364)
    assert observe(await lab.page(6))["prevotes_total"] == 0
    lab.go_to(420)
    assert observe(await lab.page(6))["peers"] >= 30 and observe(await lab.page(6))["prevotes_total"] >= 7


async def test_a_restart_takes_a_while_and_clears_what_it_can() -> None:
    lab = Lab(fault("peers_drop", 60, [6], "restart", peers=1)).go_to(100)
    assert await lab.value(6, "substrate_sub_libp2p_peers_count") == 1
    await lab.run(6, "sudo", "systemctl", "restart", lab.validators[6].unit)
    assert await failure(lab, 6) == "refused"
    lab.go_to(100 + RESTART_S)
    assert await lab.value(6, "substrate_process_start_time_seconds") == START_AT + 100 + RESTART_S
    assert not lab.fleet.nodes[6].own_voting
    lab.go_to(100 + RESTART_S + REJOIN_S)
    assert lab.fleet.nodes[6].own_voting and await lab.value(6, "substrate_sub_libp2p_peers_count") > 3


async def test_a_restart_loop_changes_only_the_start_time() -> None:
    lab = Lab(fault("best_stall", 60, [6], "restart"), fault("restart_loop", 60, [6])).go_to(100)
    best = (await lab.heights(6))[0]
    lab.fleet.restart(6)
    assert (await lab.heights(lab.go_to(101) and 6))[0] == best
    assert await lab.value(6, "substrate_process_start_time_seconds") == START_AT + 100
    assert (await lab.rpc(6, "system_health"))["peers"] > 20, "the other fault is the symptom"


@pytest.mark.parametrize(("given", "peers"), [({}, 1), ({"peers": 2}, 2)])
async def test_a_restart_loop_alone_shows_few_peers(given: dict[str, int], peers: int) -> None:
    lab = Lab(fault("restart_loop", 60, [6], **given)).go_to(100)
    assert (await lab.rpc(6, "system_health"))["peers"] == peers


async def test_stop_and_start() -> None:
    lab = Lab().go_to(10)
    lab.fleet.start(6)
    assert lab.fleet.nodes[6].running, "a start of what runs is nothing"
    lab.fleet.stop(6)
    assert await failure(lab.go_to(500), 6) == "refused"
    lab.fleet.start(6)
    lab.go_to(500 + RESTART_S)
    assert await lab.value(6, "substrate_process_start_time_seconds") == START_AT + 500 + RESTART_S


async def test_rpc_down_and_metrics_down_close_one_door_each() -> None:
    lab = Lab(fault("rpc_down", 60, [6]), fault("metrics_down", 60, [7])).go_to(61)
    assert await failure(lab, 6, rpc=True) == "refused" and await lab.page(6)
    assert await failure(lab, 7) == "refused" and await lab.rpc(7, "system_health")
    assert lab.fleet.nodes[6].own_voting and lab.fleet.nodes[7].own_voting


async def test_hang_never_answers_and_leaves_the_host_readable() -> None:
    lab = Lab(fault("hang", 60, [6])).go_to(61)
    for call in (lab.page(6), lab.rpc(6, "system_health")):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await call
    assert "ActiveState=active" in await lab.run(6, "systemctl", "show", "--property=ActiveState", lab.validators[6].unit)


async def test_garbage_is_unreadable() -> None:
    lab = Lab(fault("garbage", 60, [6])).go_to(61)
    assert await failure(lab, 6) == await failure(lab, 6, rpc=True) == "unreadable"


async def test_slow_answers_late() -> None:
    lab = Lab(fault("slow", 60, [6], delay_s=5)).go_to(61)
    assert await lab.rpc(6, "system_health")
    assert lab.clock.at == START_AT + 66


async def test_lost_requests_are_independent_and_seeded() -> None:
    async def lost(seed: int) -> list[bool]:
        lab = Lab(fault("lost_scrapes", 0, "all", rate=0.3), seed=seed).go_to(1)
        answers = await asyncio.gather(*(lab.rpc(6, "system_health") for _ in range(400)), return_exceptions=True)
        return [isinstance(answer, SourceError) for answer in answers]

    first = await lost(1)
    assert 80 < sum(first) < 160 and first == await lost(1) and first != await lost(2)


async def test_best_stall_stops_both_heights_and_finality_stall_one() -> None:
    lab = Lab(fault("best_stall", 60, [6], 300), fault("finality_stall", 60, [7], 300)).go_to(60)
    (best6, _), (best7, finalized7) = await lab.heights(6), await lab.heights(7)
    lab.go_to(300)
    assert await lab.heights(6) == (best6, best6)
    now7 = await lab.heights(7)
    assert now7[1] == finalized7 and now7[0] >= best7 + 39
    lab.go_to(370)
    assert await lab.heights(6) == await lab.heights(7) == await lab.heights(8)


async def test_lag_grows_to_what_was_asked_and_never_stands_still_for_long() -> None:
    lab = Lab(fault("lag", 60, [6], blocks=20)).go_to(60)
    finalized, last_rise = (await lab.heights(6))[1], 60
    for since_s in range(61, 900):
        best, now = await lab.heights(lab.go_to(since_s) and 6)
        assert now >= finalized and best - now <= 21
        last_rise = since_s if now > finalized else last_rise
        finalized = now
        assert since_s - last_rise <= 25
    assert best - finalized >= 19


async def test_a_fork_shows_from_its_height_on() -> None:
    lab = Lab(fault("fork", 60, [6], 600)).go_to(60)
    best = (await lab.heights(7))[0]
    lab.go_to(300)
    assert await lab.rpc(6, "chain_getBlockHash", best - 2) == await lab.rpc(7, "chain_getBlockHash", best - 2)
    ours, theirs = [await lab.rpc(n, "chain_getBlockHash", best + 5) for n in (6, 7)]
    assert ours != theirs and await lab.rpc(7, "chain_getHeader", ours) is None
    assert int((await lab.rpc(6, "chain_getHeader", ours))["number"], 16) == best + 5
    lab.go_to(700)
    assert await lab.rpc(6, "chain_getBlockHash", best + 5) == theirs


async def test_not_voting_stands_still_while_active() -> None:
    lab = Lab(fault("not_voting", 60, [6], 600)).go_to(80)
    before = observe(await lab.page(6))
    after = observe(await lab.page(lab.go_to(500) and 6))
    assert before["prevotes_total"] == after["prevotes_total"] and before["precommits_total"] == after["precommits_total"]
    assert after["is_active_validator"] and after["bitfields_signed_total"] > before["bitfields_signed_total"]
    assert observe(await lab.page(lab.go_to(800) and 6))["prevotes_total"] > after["prevotes_total"]


async def test_para_silent_makes_blocks_and_no_parachain_votes() -> None:
    names = ("bitfields_signed_total", "approvals_produced_total", "backing_statements_total")
    lab = Lab(fault("para_silent", 60, [6], 6000)).go_to(80)
    before = observe(await lab.page(6))
    after = observe(await lab.page(lab.go_to(5000) and 6))
    assert [before[name] for name in names] == [after[name] for name in names]
    assert after["prevotes_total"] > before["prevotes_total"] and after["blocks_constructed_total"] > before["blocks_constructed_total"]
    later = observe(await lab.page(lab.go_to(6200) and 6))
    assert after["bitfields_signed_total"] < later["bitfields_signed_total"] < after["bitfields_signed_total"] + 40


async def test_syncing_falls_behind_and_says_so() -> None:
    lab = Lab(fault("syncing", 60, [6])).go_to(660)
    seen = observe(await lab.page(6))
    assert seen["syncing"] is True and seen["sync_target"] - seen["block_height"] > 50
    assert (await lab.rpc(6, "system_health"))["isSyncing"] is True
    state = await lab.rpc(6, "system_syncState")
    assert state["highestBlock"] > state["currentBlock"]


async def test_tx_queue() -> None:
    lab = Lab(fault("tx_queue", 60, [6], size=20000)).go_to(70)
    assert await lab.value(6, "substrate_ready_transactions_number") >= 20000
    assert await lab.value(7, "substrate_ready_transactions_number") < 100


async def test_db_lost_starts_from_zero_and_syncs() -> None:
    lab = Lab(fault("db_lost", 60, [6])).go_to(61)
    assert await failure(lab, 6) == "refused"
    lab.go_to(60 + RESTART_S + 10)
    seen = observe(await lab.page(6))
    assert 0 < seen["block_height"] < 1000 and seen["finalized_height"] <= seen["block_height"] and seen["syncing"] is True
    assert lab.fleet.facts(6) == {**UP, "db_lost": True}
    assert (await lab.heights(lab.go_to(600) and 6))[0] > 10_000
    lab.fleet.restart(6)
    assert (await lab.heights(lab.go_to(700) and 6))[0] > 20_000, "the new database outlives a restart"


async def test_a_twin_votes_while_the_node_is_down() -> None:
    lab = Lab(fault("node_down", 60, [6]), fault("twin", 60, [6])).go_to(200)
    assert grandpa_round_state(lab.fleet.chains["sim"].round_state(lab.clock.at + 3))["grandpa_missing"] == ()
    assert lab.fleet.facts(6) == {**UP, "up": False, "twin_running": True}


async def test_unclean_stop() -> None:
    lab = Lab(fault("unclean_stop", 60, [6], "restart")).go_to(61)
    assert await failure(lab, 6) == "refused" and lab.fleet.facts(6) == {**UP, "up": False, "unclean_stop": True}
    lab.fleet.restart(6)
    lab.go_to(80)
    assert lab.fleet.facts(6) == UP


async def test_a_rolling_restart_takes_each_in_turn() -> None:
    lab = Lab(fault("rolling_restart", 60, "all", away_s=8, every_s=30), validators=5)
    away = []
    for since_s in range(60, 260):
        lab.go_to(since_s + 0.5)
        away.append([n for n, node in lab.fleet.nodes.items() if not node.running])
    assert [len(down) for down in away].count(1) == 40 and max(map(len, away)) == 1
    assert [down[0] for i, down in enumerate(away) if down and (i == 0 or not away[i - 1])] == [1, 2, 3, 4, 5]
    assert await lab.value(5, "substrate_process_start_time_seconds") == START_AT + 60 + 4 * 30 + 8


async def test_faults_come_and_go_by_hand() -> None:
    lab = Lab().go_to(100)
    handle = lab.fleet.inject(fault("node_down", 100, [6]))
    assert await failure(lab, 6) == "refused"
    assert lab.fleet.withdraw(handle, lab.clock.at) and not lab.fleet.withdraw(handle, lab.clock.at)
    assert await lab.page(6)
    later = lab.fleet.inject(fault("node_down", 200, [6]))
    lab.fleet.withdraw(later, lab.clock.at)
    assert await lab.page(lab.go_to(300) and 6)


async def test_what_is_not_there_is_refused() -> None:
    lab = Lab(validators=3)
    stranger = lab.validators[1].model_copy(update={"number": 99})
    for call in (lab.reach.node.rpc(stranger, "system_health"), lab.reach.ssh.run(stranger, ["df"])):  # type: ignore[union-attr]
        with pytest.raises(SourceError, match=r"no .*99"):
            await call
    for get in (lab.reach.http.get, lab.reach.http.get_json):
        with pytest.raises(SourceError, match="no such server"):
            await get("http://x/")


def test_names_follow_the_teams() -> None:
    lab = Lab(validators=48)
    names = {n: v.name for n, v in lab.validators.items()}
    assert names[1] == "governance-dev01" and names[4] == "consensus-dev01-a" and names[21] == "docs-dev01-c"
    assert names[22] == "governance-dev02" and len(set(names.values())) == 48


def test_standbys_hold_no_keys() -> None:
    lab = Lab(validators=5, authorities=3).go_to(600)
    assert [v.authority for v in lab.validators.values()] == [True, True, True, False, False]
    assert lab.validators[5].authority_id is None

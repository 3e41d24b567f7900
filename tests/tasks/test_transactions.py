"""security's analyze_suspicious_transactions, on a small chain whose every block the test wrote."""

from __future__ import annotations

from typing import Any

import pytest

from gizzi.errors import SourceError, UsageError
from gizzi.kinds import ReportItem
from gizzi.memory import Memory
from gizzi.memory.entry import Entry
from gizzi.readers.scale import Call
from gizzi.readers.ss58 import address
from gizzi.store import Store
from gizzi.tasks._suspicious import acts, judge_sent, sent
from tools.simulated import HandClock
from tools.substrate import RUNTIME, SmallChain, key

from .conftest import Runner

TASK = ("security", "analyze_suspicious_transactions")
REMARK = Call("System", "remark", {"remark": "0x01"})
WELL = (0, "System", "ExtrinsicSuccess", None)


async def found(runner: Runner, **options: str) -> list[ReportItem]:
    """All but the line that says what was read."""
    report = await runner().run(*TASK, options=options)
    return [item for item in report.items if not item.text.startswith("read blocks")]


def transfer(chain: SmallChain, who: str, to: str, amount: int) -> int:
    call = Call("Balances", "transfer_allow_death", {"dest": {"Id": to}, "value": amount})
    return chain.add((who, call), events=[(0, "Balances", "Transfer", {"from": who, "to": to, "amount": amount}), WELL])


async def test_quiet_blocks_tell_nothing(runner: Runner, chain: SmallChain) -> None:
    chain.put("Balances", "TotalIssuance", 10**9)
    for at in range(40):
        chain.put("System", "Account", key(20 + at % 7), {"nonce": 0, "data": {"free": 10**6, "reserved": 0}})
        transfer(chain, key(20 + at % 7), key(50), 10_500)
        chain.add((None, REMARK))
    assert await found(runner) == []
    report = await runner().run(*TASK)
    assert report.items[0].text.startswith("read blocks")


async def test_a_sudo_call_is_told_with_what_it_did_and_who_signed(runner: Runner, chain: SmallChain) -> None:
    sudo = Call("Sudo", "sudo", {"call": Call("System", "set_code", {"code": "0xabcd"})})
    height = chain.add((key(3), sudo), events=[(0, "Sudo", "Sudid", {"sudo_result": "Ok"}), (0, "System", "CodeUpdated", None), WELL])
    first, second = await found(runner)
    assert (first.severity, first.evidence[0][0]) == ("high", f"block {height}")
    assert all(part in first.text for part in (address(key(3), 42), "System.set_code", "nobody announced it"))
    assert second.text.startswith("upgrade: ")


async def test_a_refused_sudo_is_less(runner: Runner, chain: SmallChain) -> None:
    chain.add((key(3), Call("Sudo", "sudo", {"call": REMARK})), events=[(0, "Sudo", "Sudid", {"sudo_result": {"Err": 1}}), WELL])
    assert [item.severity for item in await found(runner)] == ["medium"]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (Call("Session", "set_keys", {"keys": key(9), "proof": "0x"}), "keys"),
        (Call("Session", "purge_keys", {}), "keys"),
        (Call("Staking", "set_payee", {"payee": {"Account": key(9)}}), "payee"),
    ],
)
async def test_our_own_account_moving_its_keys_or_rewards_is_critical_however_it_is_wrapped(
    runner: Runner, chain: SmallChain, call: Call, kind: str
) -> None:
    wrapped = Call("Utility", "batch", {"calls": [REMARK, Call("Proxy", "proxy", {"real": {"Id": key(6)}, "call": call})]})
    chain.add((key(6), call))
    chain.add((key(8), wrapped))
    items = await found(runner)
    assert [(item.severity, item.about, item.text.split(":")[0]) for item in items] == [("critical", "validator 6", kind)] * 2


async def test_a_stranger_who_changes_its_own_keys_is_low_and_a_failed_call_changes_nothing(runner: Runner, chain: SmallChain) -> None:
    call = Call("Session", "set_keys", {"keys": key(9), "proof": "0x"})
    chain.add((key(8), call))
    chain.add((key(6), call), events=[(0, "System", "ExtrinsicFailed", {"error": 1})])
    assert [(item.severity, item.about) for item in await found(runner)] == [("low", "chain main")]


async def test_draining_and_large_transfers(runner: Runner, chain: SmallChain) -> None:
    chain.put("Balances", "TotalIssuance", 10**9)
    for who, free in ((key(6), 20_000), (key(21), 10**8), (key(22), 20_000)):
        chain.put("System", "Account", who, {"nonce": 0, "data": {"free": free, "reserved": 0}})
    transfer(chain, key(6), key(50), 10_000)
    transfer(chain, key(6), key(51), 9_000)  # together 95 % of what ours had
    transfer(chain, key(21), key(50), 2_000_000)  # 0.2 % of all there is
    transfer(chain, key(22), key(50), 12_000)  # 60 % of little
    items = await found(runner)
    assert [(item.severity, item.about) for item in items] == [("high", "validator 6"), ("medium", "chain main")]
    assert "sent 19 TST, 95 % of what it had to" in items[0].text and "and 1 others" in items[0].text
    assert "sent 2,000 TST" in items[1].text
    assert [item.severity for item in await found(runner, blocks="3600", large="15")] == ["critical", "medium"]


async def test_a_new_proxy_a_commission_and_a_slash(runner: Runner, chain: SmallChain) -> None:
    added = {"delegator": key(6), "delegatee": key(9), "proxy_type": "Any", "delay": 0}
    prefs = {"stash": key(6), "prefs": {"commission": 500_000_000, "blocked": False}}
    chain.add((key(6), REMARK), events=[(0, "Proxy", "ProxyAdded", added), (0, "Staking", "ValidatorPrefsSet", prefs), WELL])
    chain.add(events=[(None, "Staking", "Slashed", {"staker": key(6), "amount": 5})])
    texts = {item.text.split(":")[0]: (item.severity, item.text) for item in await found(runner)}
    assert {kind: severity for kind, (severity, _) in texts.items()} == {"proxy": "critical", "commission": "high", "offence": "critical"}
    assert "set commission 50 %" in texts["commission"][1]


async def test_a_burst_by_one_account(runner: Runner, chain: SmallChain) -> None:
    for at in range(40):
        chain.add((key(9), REMARK), (key(30 + at), REMARK))
    items = await found(runner)
    assert [item.text.split(":")[0] for item in items] == ["burst"] and "signed 40 extrinsics" in items[0].text


async def test_what_was_announced_is_low_and_cites_the_note(
    runner: Runner, chain: SmallChain, memory: Memory, store: Store, clock: HandClock
) -> None:
    chain.add((key(6), Call("Session", "set_keys", {"keys": key(9), "proof": "0x"})))
    chain.add((key(6), Call("Staking", "set_payee", {"payee": "Stash"})))
    await memory.add(Entry(clock.at - 8 * 86_400, "ann", "note", "we set new session keys"))
    assert {item.severity for item in await found(runner)} == {"critical"}
    number = await memory.add(Entry(clock.at, "ann", "note", "tonight we set new session keys on validator 6"))
    row = {"validator": 6, "chain": None, "until": clock.at + 60, "why": "payee moves to the stash", "by": "bob", "created_at": clock.at}
    await store.add_maintenance(row)
    items = await found(runner, blocks="50")
    assert {item.severity for item in items} == {"low"}
    assert {item.evidence[1][0] for item in items} == {f"memory {number}", "maintenance by bob"}
    await memory.add(Entry(clock.at, "watcher", "report", "sudo is announced"))
    chain.add((key(3), Call("Sudo", "sudo", {"call": REMARK})), events=[(0, "Sudo", "Sudid", {"sudo_result": "Ok"}), WELL])
    assert [item.severity for item in await found(runner, blocks="1")] == ["high"]  # only a person's note announces


async def test_it_goes_on_where_the_last_report_ended(runner: Runner, chain: SmallChain) -> None:
    for _ in range(5):
        chain.add((None, REMARK))
    assert (await runner().run(*TASK)).items[-1].text.startswith("read blocks 1 to 5")
    chain.add((None, REMARK))
    assert (await runner().run(*TASK)).items[-1].text.startswith("read blocks 6 to 6")


async def test_what_cannot_be_read_is_said(runner: Runner, chain: SmallChain) -> None:
    chain.add((None, REMARK))
    chain.blocks[1] = (["0x280403ff"], "0x04ff")
    chain.add((None, REMARK))
    chain.blocks[2][0].append("0x280403ff")
    items = await found(runner)
    assert [item.text for item in items] == ["1 blocks could not be read and 1 extrinsics could not be decoded; what they hold is unknown"]
    chain.metadata = "0x6d657461ff"
    assert "what its blocks hold is unknown" in (await found(runner))[0].text


async def test_no_node_to_ask_and_odd_options(runner: Runner, chain: SmallChain) -> None:
    for bad in ({"blocks": "0"}, {"blocks": "x"}, {"blocks": "9999"}, {"large": "-1"}, {"large": "nan"}):
        chain.add((None, REMARK))
        with pytest.raises(UsageError):
            await found(runner, **bad)

    async def down(*_: Any) -> Any:
        raise SourceError("refused", "nobody listens")

    chain.rpc = down  # type: ignore[method-assign]
    (item,) = await found(runner)
    assert item.severity == "medium" and "nobody listens" in item.text


def test_calls_nest_and_actors_follow_them() -> None:
    inner = Call("Session", "purge_keys", {})
    multisig = Call("Multisig", "as_multi", {"call": inner})
    assert [actor for actor, _ in acts(multisig, key(1))] == [key(1), None]
    as_other = Call("Sudo", "sudo_as", {"who": {"Id": key(2)}, "call": inner})
    assert [actor for actor, _ in acts(as_other, key(1))] == [key(1), key(2)]
    deep = inner
    for _ in range(500):
        deep = Call("Utility", "batch", {"calls": [deep]})
    assert len(list(acts(deep, key(1)))) < 20


def test_sums_are_exact_and_unknown_balances_drain_nothing() -> None:
    assert sent([]) == []
    chain = SmallChain()
    transfer(chain, key(1), key(2), 3)
    assert RUNTIME.events(chain.blocks[1][1])[0].fields["amount"] == 3

    class One:
        amount = 90

    assert judge_sent(One(), None, None, None) == (False, False)  # type: ignore[arg-type]
    assert judge_sent(One(), 100, 90_000, None) == (True, True)  # type: ignore[arg-type]
    assert judge_sent(One(), 101, 91_000, None) == (False, False)  # type: ignore[arg-type]


async def test_a_node_that_has_pruned_its_state_says_so(runner: Runner, chain: SmallChain) -> None:
    for _ in range(30):
        chain.add((None, REMARK))
    answer = chain.rpc

    async def pruned(validator: Any, method: str, *params: Any) -> Any:
        if method == "state_getStorage" and int(params[1], 16) <= 20:
            raise SourceError("rpc", "state already discarded")
        return await answer(validator, method, *params)

    chain.rpc = pruned  # type: ignore[method-assign]
    (item,) = await found(runner)
    assert item.severity == "medium" and item.text.startswith("20 blocks could not be read (a node keeps the state of 256 blocks")

"""The roles on the metadata of real runtimes (Polkadot, Kusama, their Asset Hubs, a Substrate node), over loopback: storage, events and
extrinsics are written by that metadata's own types, what roles read of them is what was written."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from conftest import missing
from gizzi.config import Chain, Settings, Validator
from gizzi.kinds import ReportItem
from gizzi.reach.node import HttpNode
from gizzi.readers.jsonrpc import RpcError
from gizzi.readers.scale import Call
from tools import loopback, runtimes, scale
from tools.substrate import SmallChain, key

from .conftest import Runner
from .test_chain_roles import Fleet

pytestmark = pytest.mark.real

OURS, OTHER = key(6), key(9)
SUDO = [name for name in runtimes.METADATA if name.startswith("substrate-1")]
STAKING = [name for name in runtimes.METADATA if "contracts" not in name]


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not runtimes.is_installed():
        missing("no real metadata is here; run: python tests/tools/install.py runtimes")


class Served:
    """A chain with that metadata behind HTTP, and the roles that read it."""

    def __init__(self, chain: SmallChain, url: str, node: HttpNode, runner: Runner) -> None:
        self.chain, self.url, self.node, self.runner = chain, url, node, runner

    async def items(self, role: str, task: str, **options: str) -> list[ReportItem]:
        ours = Validator(number=6, rpc_url=self.url, labels={"stash": OURS})
        return list((await self.runner(ours, node=self.node, fleet=Fleet()).run(role, task, options=options)).items)

    async def suspicious(self) -> list[tuple[str, str, str]]:
        items = await self.items("security", "analyze_suspicious_transactions")
        assert items[-1].text.startswith("read blocks") and "could not" not in " ".join(item.text for item in items)
        return [(item.text.partition(":")[0], item.severity, item.about) for item in items[:-1]]


@contextlib.asynccontextmanager
async def serving(chain: SmallChain) -> AsyncIterator[str]:
    """Its address while it answers over HTTP."""

    async def answer(asked: loopback.Request) -> bytes:
        method, params = asked.call
        try:
            return loopback.result(await chain.rpc(Validator(number=6), method, *params))
        except RpcError as error:
            return loopback.error(str(error), -32601)

    async with loopback.loopback(answer) as server:
        yield server.url


@pytest.fixture
async def served(request: pytest.FixtureRequest, runner: Runner) -> AsyncIterator[Served]:
    chain, node = SmallChain(runtimes.metadata(request.param)), HttpNode()
    try:
        async with serving(chain) as url:
            yield Served(chain, url, node, runner)
    finally:
        await node.close()


def on(*names: str) -> Any:
    return pytest.mark.parametrize("served", names, indirect=True)


def remark() -> Call:
    return Call("System", "remark", {"remark": "0x01"})


def call(chain: SmallChain, pallet: str, name: str, **args: Any) -> Call:
    """With those arguments; the others as plain as can be."""
    types = chain.runtime._types
    pallets = types.kind(chain.runtime._form().call).variants.values()
    inside = next(one for one in pallets if one.name == pallet).fields[0][1]
    fields = next(one for one in types.kind(inside).variants.values() if one.name == name).fields
    assert not set(args) - {field for field, _ in fields}, fields
    given = {str(field): scale.filled(types, of, args[field]) if field in args else scale.blank(types, of) for field, of in fields if field}
    return Call(pallet, name, given)


WELL = ("System", "ExtrinsicSuccess", None)


def add(chain: SmallChain, signer: str | None, what: Call, *events: tuple[str, str, Any]) -> None:
    chain.add((signer, what), events=[(0, *event) for event in (*events, WELL)])


@on(*runtimes.METADATA)
async def test_blocks_of_every_runtime_are_read_and_quiet_ones_tell_nothing(served: Served) -> None:
    for seed in range(4):
        who = key(20 + seed)
        served.chain.fill("System", "Account", who, {"data": {"free": 10**15}})
        moved = call(served.chain, "Balances", "transfer_keep_alive", dest={"Id": key(50)}, value=10**13)
        add(served.chain, who, moved, ("Balances", "Transfer", {"from": who, "to": key(50), "amount": 10**13}))
        add(served.chain, None, call(served.chain, "Timestamp", "set", now=1_700_000_000_000))
    served.chain.fill("Balances", "TotalIssuance", 10**19)
    assert await served.suspicious() == []
    assert "4 signed extrinsics" in (await served.items("security", "analyze_suspicious_transactions", blocks="8"))[-1].text


@on(*SUDO)
async def test_sudo_is_told(served: Served) -> None:
    chain = served.chain
    add(chain, OTHER, call(chain, "Sudo", "sudo", call=remark()), ("Sudo", "Sudid", {"sudo_result": {"Ok": []}}))
    refused = {"sudo_result": {"Err": "BadOrigin"}}
    add(chain, OTHER, call(chain, "Sudo", "sudo_unchecked_weight", call=remark()), ("Sudo", "Sudid", refused))
    add(chain, OTHER, call(chain, "Sudo", "set_key", new={"Id": OURS}), ("Sudo", "KeyChanged", {"old": OTHER, "new": OURS}))
    assert sorted(await served.suspicious()) == [
        ("sudo", "high", "chain main"),
        ("sudo", "high", "chain main"),
        ("sudo", "medium", "chain main"),
    ]


@on(*SUDO)
async def test_the_root_that_acts_as_our_stash_is_critical(served: Served) -> None:
    keys = call(served.chain, "Session", "purge_keys")
    wrapped = call(served.chain, "Utility", "dispatch_as", as_origin={"system": {"Signed": OURS}}, call=keys)
    add(served.chain, OTHER, call(served.chain, "Sudo", "sudo", call=wrapped), ("Sudo", "Sudid", {"sudo_result": {"Ok": []}}))
    assert sorted(await served.suspicious()) == [("keys", "critical", "validator 6"), ("sudo", "high", "chain main")]


@on(*STAKING)
async def test_keys_payee_commission_proxies_transfers_and_offences_of_ours_are_told(served: Served) -> None:
    chain = served.chain
    chain.fill("System", "Account", OURS, {"data": {"free": 10**20}})
    add(chain, OURS, call(chain, "Session", "set_keys"))
    proxied = call(chain, "Proxy", "proxy", real={"Id": OURS}, call=call(chain, "Staking", "set_payee", payee={"Account": OTHER}))
    add(chain, OTHER, call(chain, "Utility", "batch_all", calls=[remark(), proxied]), ("Proxy", "ProxyExecuted", {"result": {"Ok": []}}))
    prefs = {"stash": OURS, "prefs": {"commission": 10**9}}
    add(chain, OURS, call(chain, "Staking", "validate", prefs=prefs["prefs"]), ("Staking", "ValidatorPrefsSet", prefs))
    added = {"delegator": OURS, "delegatee": OTHER, "proxy_type": "Any", "delay": 0}
    add(chain, OURS, call(chain, "Proxy", "add_proxy", delegate={"Id": OTHER}, proxy_type="Any"), ("Proxy", "ProxyAdded", added))
    moved = call(chain, "Balances", "transfer_allow_death", dest={"Id": OTHER}, value=95 * 10**18)
    add(chain, OURS, moved, ("Balances", "Transfer", {"from": OURS, "to": OTHER, "amount": 95 * 10**18}))
    chain.add(events=[(None, *offence(chain))])
    told = await served.suspicious()
    assert {(kind, severity) for kind, severity, about in told if about == "validator 6"} == {
        ("keys", "critical"),
        ("payee", "critical"),
        ("commission", "high"),
        ("proxy", "critical"),
        ("transfer", "high"),
        ("offence", "critical"),
    }
    assert len(told) == 6


def offence(chain: SmallChain) -> tuple[str, str, Any]:
    """In the words of that runtime."""
    types = chain.runtime._types
    record = types.kind(types.kind(chain.runtime._item("System", "Events").value).of[0])
    pallets = types.kind(record.of[record.names.index("event")]).variants.values()
    staking = types.kind(next(one for one in pallets if one.name == "Staking").fields[0][1]).variants.values()
    name = next(one.name for one in staking if one.name in ("SlashReported", "OffenceReported"))
    return ("Staking", name, {"validator": OURS})


@on(*[name for name in STAKING if not name.endswith("-14")])
async def test_a_validator_that_the_session_disabled_is_told(served: Served) -> None:
    served.chain.add(events=[(None, "Session", "ValidatorDisabled", {"validator": OURS})])
    assert await served.suspicious() == [("offence", "critical", "validator 6")]


@on("polkadot-15")
async def test_what_may_have_failed_inside_is_said_so(served: Served) -> None:
    chain = served.chain
    proxied = call(chain, "Proxy", "proxy", real={"Id": OURS}, call=call(chain, "Session", "purge_keys"))
    add(chain, OTHER, proxied, ("Proxy", "ProxyExecuted", {"result": {"Err": "BadOrigin"}}))
    items = await served.items("security", "analyze_suspicious_transactions")
    assert items[0].text.startswith("keys: validator 6") and "perhaps this one" in items[0].text


@on(*STAKING)
async def test_an_authorized_runtime_is_told(served: Served) -> None:
    add(served.chain, OTHER, remark(), ("System", "UpgradeAuthorized", {"code_hash": key(1)}))
    assert [kind for kind, _, _ in await served.suspicious()] == ["upgrade"]


def staking(chain: SmallChain, own: int) -> None:
    chain.fill("Staking", "ActiveEra", {"index": 77, "start": 1})
    points = [[key(seed), seed] for seed in (100, 101, 102)] + [[OURS, own]]
    chain.fill("Staking", "ErasRewardPoints", 77, {"total": 303 + own, "individual": points})
    chain.fill("Staking", "Validators", OURS, {"commission": 50_000_000})
    chain.fill("Staking", "Payee", OURS, {"Account": OTHER})


@on(*STAKING)
async def test_era_points_commission_and_payee_are_read(served: Served) -> None:
    staking(served.chain, 10)
    if served.chain.runtime.has("StakingAhClient"):
        served.chain.put("StakingAhClient", "Mode", "Passive")
    texts = {(item.severity, item.text.partition(";")[0]) for item in await served.items("economics", "rewards")}
    whom = served.chain.runtime.constant("System", "SS58Prefix")
    assert ("high", "10 points in era 77, 10 % of the median") in texts and ("low", "commission 5 %") in texts
    assert any(text.startswith("payee Account ") for _, text in texts) and isinstance(whom, int)


@on("polkadot-15", "kusama-15")
async def test_a_relay_chain_whose_asset_hub_does_the_staking_is_read_where_it_counts_now(served: Served) -> None:
    staking(served.chain, 10)
    served.chain.put("StakingAhClient", "Mode", "Active")
    for seed, points in ((100, 40), (101, 60), (6, 55)):
        served.chain.put("StakingAhClient", "ValidatorPoints", key(seed), points)
    texts = [item.text for item in await served.items("economics", "rewards")]
    assert texts[:2] == ["this session: 3 earned points, 55 at the median", "55 points in this session, 100 % of the median"]
    assert "on its Asset Hub" in texts[2] and not any("era 77" in text or "commission 5" in text for text in texts)


def of_two_chains(monkeypatch: pytest.MonkeyPatch, runner: Any, *validators: Validator) -> None:
    """For that runner, the chain `hub` is a side chain of the chain `relay`."""
    made = runner.scene_of
    settings = Settings(chains=(Chain(id="relay"), Chain(id="hub", parent="relay")), validators=validators)
    monkeypatch.setattr(runner, "scene_of", lambda mine, options: replace(made(mine, options), settings=settings))


@on("asset-hub-polkadot-15", "asset-hub-kusama-15")
async def test_an_asset_hub_does_the_staking_of_its_parents_validators(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    staking(served.chain, 30)
    relay = Validator(number=6, chain="relay", labels={"stash": OURS})
    hub = Validator(number=50, chain="hub", rpc_url=served.url)
    runner = served.runner(relay, hub, node=served.node, fleet=Fleet())
    of_two_chains(monkeypatch, runner, relay, hub)
    items = [(item.about, item.text) for item in (await runner.run("economics", "rewards")).items]
    assert ("validator 6", "30 points in era 77, 30 % of the median; look at its votes, its peers and its clock") in items


def referendum(chain: SmallChain, number: int, proposal: Any) -> None:
    tally = {"ayes": 300, "nays": 100, "support": 50}
    chain.fill("Referenda", "ReferendumInfoFor", number, {"Ongoing": {"proposal": proposal, "submitted": 9, "tally": tally}})


def noted(chain: SmallChain, what: Call) -> dict[str, Any]:
    """A preimage of it, as a proposal names it."""
    data = scale.encode(chain.runtime._types, chain.runtime._form().call, what)
    lookup = {"hash": key(len(chain.storage) % 250), "len": len(data)}
    chain.put("Preimage", "PreimageFor", [lookup["hash"], lookup["len"]], "0x" + data.hex())
    return lookup


@on(*STAKING)
async def test_referenda_and_the_runtime_upgrades_in_them_are_read(served: Served) -> None:
    chain = served.chain
    chain.fill("Referenda", "ReferendumInfoFor", 1, {"Approved": [5, None, None]})
    small = "0x" + scale.encode(chain.runtime._types, chain.runtime._form().call, remark()).hex()
    referendum(chain, 2, {"Inline": small})
    referendum(
        chain, 3, {"Lookup": noted(chain, call(chain, "Utility", "batch", calls=[call(chain, "System", "set_code", code="0x0102")]))}
    )
    texts = [(item.severity, item.text) for item in await served.items("governance", "referenda")]
    assert [severity for severity, _ in texts] == ["medium", "low", "low"]
    assert "Utility.batch (System.set_code)" in texts[0][1] and "it replaces the runtime" in texts[0][1]
    assert "System.remark; ayes 300 (75.0 % of the votes), nays 100, support 50" in texts[1][1]
    assert texts[2][1] == "referendum 1: approved at block 5"
    assert [item.severity for item in await served.items("governance", "runtime_upgrades")] == ["medium", "low"]
    position = " ".join(item.text for item in await served.items("governance", "position", referendum="3"))
    assert "all must be upgraded before" in position


@on("polkadot-15", "kusama-14", "asset-hub-polkadot-15")
async def test_a_whitelisted_upgrade_named_by_its_hash_alone_stands_out(served: Served) -> None:
    chain = served.chain
    if not any(one.name == "Whitelist" for one in chain.runtime._types.kind(chain.runtime._form().call).variants.values()):
        pytest.skip("this runtime has no pallet Whitelist")
    inner = noted(chain, call(chain, "System", "authorize_upgrade", code_hash=key(1)))
    outer = call(chain, "Whitelist", "dispatch_whitelisted_call", call_hash=inner["hash"], call_encoded_len=inner["len"])
    referendum(chain, 8, {"Lookup": noted(chain, outer)})
    (item,) = await served.items("governance", "referenda")
    assert "Whitelist.dispatch_whitelisted_call (System.authorize_upgrade)" in item.text and item.severity == "medium"


@on(*STAKING)
async def test_an_authorized_upgrade_in_storage_is_told(served: Served) -> None:
    served.chain.fill("System", "AuthorizedUpgrade", {"code_hash": key(1), "check_version": True})
    texts = [(item.severity, item.text) for item in await served.items("governance", "runtime_upgrades")]
    assert [severity for severity, _ in texts] == ["high", "low"] and key(1) in texts[0][1]


@on("asset-hub-polkadot-15", "asset-hub-kusama-15")
@pytest.mark.parametrize(
    ("included", "said"), [(98, "included up to block 98"), (40, "its head is 60 blocks beyond what its parent has included")]
)
async def test_a_side_chain_is_held_against_what_its_parent_includes(
    served: Served, monkeypatch: pytest.MonkeyPatch, included: int, said: str
) -> None:
    parent = SmallChain(runtimes.metadata("polkadot-15"))
    served.chain.put("ParachainInfo", "ParachainId", 1000)
    for number in (999, 1000, 2000):
        parent.put("Paras", "Heads", number, "0x" + "11" * 32 + scale.compact(included + number - 1000).hex() + "22" * 64)
    async with serving(parent) as url:
        validators = (Validator(number=6, chain="relay", rpc_url=url), Validator(number=50, chain="hub", rpc_url=served.url))
        runner = served.runner(*validators, node=served.node, fleet=Fleet({"hub": {"median_height": 100, "median_finalized": 99}}))
        of_two_chains(monkeypatch, runner, *validators)
        texts = [item.text for item in (await runner.run("multichain", "inclusion")).items]
    assert any(text.startswith(said) for text in texts)


@on("polkadot-14", "kusama-15", "substrate-16")
async def test_half_a_metadata_is_unknown_and_no_answer(served: Served) -> None:
    served.chain.metadata = served.chain.metadata[: len(served.chain.metadata) // 4 * 2]
    (item,) = await served.items("governance", "referenda")
    assert item.text.startswith("what is voted on is unknown: validator 6: the bytes end") and item.severity == "medium"

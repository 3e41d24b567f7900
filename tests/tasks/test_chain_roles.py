"""economics, governance, multichain and watcher, on a small chain whose storage the test wrote."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert

from gizzi.config import Chain, Validator
from gizzi.errors import UsageError
from gizzi.readers.scale import Call
from gizzi.store import Store
from gizzi.store.ledger_schema import spent_days
from gizzi.tasks.multichain import head_number
from tools import scale
from tools.substrate import RUNTIME, SmallChain, key

from .conftest import Runner


def view(**known: Any) -> Any:
    return SimpleNamespace(**{**dict.fromkeys(("up", "peers", "block_height", "should_have_peers", "version")), **known})


class Fleet:
    """view and chain_view as a fleet has them."""

    def __init__(self, chains: dict[str, Any] | None = None, **views: Any) -> None:
        self.chains = chains or {}
        self.views = views

    def view(self, number: int, now: float) -> Any:
        return self.views.get(f"v{number}", _Unknown())

    def chain_view(self, chain_id: str, now: float) -> Any:
        blank = {
            "median_height": None,
            "median_finalized": None,
            "can_lose": None,
            "missing": [],
            "missing_count": 0,
            "usual_version": None,
        }
        return SimpleNamespace(**{**blank, **self.chains.get(chain_id, {})})


class _Unknown:
    def __getattr__(self, name: str) -> None:
        return None


async def texts(runner: Any, role: str, task: str, **options: str) -> list[tuple[str, str, str]]:
    report = await runner.run(role, task, options=options)
    return [(item.severity, item.about, item.text) for item in report.items]


def staking(chain: SmallChain, own: int | None, payee: Any = "Stash", commission: int = 50_000_000) -> None:
    others = [[key(at), points] for at, points in ((20, 100), (21, 200), (22, 300))]
    individual = others + ([[key(6), own]] if own is not None else [])
    chain.put("Staking", "ActiveEra", {"index": 7, "start": None})
    chain.put("Staking", "ErasRewardPoints", 7, {"total": 600, "individual": individual})
    chain.put("Staking", "Validators", key(6), {"commission": commission, "blocked": False})
    chain.put("Staking", "Payee", key(6), payee)


@pytest.mark.parametrize(("own", "severity", "words"), [(200, "low", "100 %"), (50, "high", "33 %"), (None, "medium", "no points")])
async def test_era_points_against_the_median(runner: Runner, chain: SmallChain, own: int | None, severity: str, words: str) -> None:
    staking(chain, own)
    found = await texts(runner(fleet=Fleet()), "economics", "rewards")
    about_6 = [(grade, text) for grade, about, text in found if about == "validator 6" and "era 7" in text]
    assert len(about_6) == 1 and about_6[0][0] == severity and words in about_6[0][1]
    assert any("validators 7" in text and "unknown" in text for _, _, text in found)


async def test_a_changed_payee_and_commission_are_told_once(runner: Runner, chain: SmallChain) -> None:
    role = runner(fleet=Fleet())
    staking(chain, 200)
    assert not [text for _, _, text in await texts(role, "economics", "rewards") if "changed" in text]
    staking(chain, 200, {"Account": key(9)}, 1_000_000_000)
    changed = [(grade, text) for grade, _, text in await texts(role, "economics", "rewards") if "changed" in text]
    assert [grade for grade, _ in changed] == ["high", "high"]
    assert "from 5 % to 100 %" in changed[0][1] and "from Stash to Account 5" in changed[1][1]
    assert not [text for _, _, text in await texts(role, "economics", "rewards") if "changed" in text]


async def test_costs_add_up_and_what_is_unknown_is_said(runner: Runner, store: Store, clock: Any) -> None:
    for day, usd in (("2025-12-31", "1.50"), ("2026-01-01", "2.50"), ("2025-11-01", "99")):
        row = {"day": day, "usd": usd, "tiers": "{}", "roles": "{}"}
        store.run_now(lambda c, row=row: c.execute(insert(spent_days), row))  # type: ignore[misc]
    fleet = [Validator(number=6, labels={"cost_usd_month": "40.25"}), Validator(number=7, labels={"cost_usd_month": "cheap"})]
    found = await texts(runner(*fleet), "economics", "costs")
    assert found[0][2] == "together, as far as it is known, US$ 44.25 a month, of it models US$ 4.0000"
    assert ("low", "validator 6", "US$ 42.25 a month: its machine 40.25, models 2.00") in found
    assert any("validators 7 cost is unknown" in text for _, _, text in found)


def referendum(chain: SmallChain, number: int, call: Call | None) -> None:
    data = "0x" + scale.encode(RUNTIME._types, RUNTIME._types.call or 0, call).hex() if call is not None else None
    proposal = {"Inline": data} if data else {"Lookup": {"hash": key(5), "len": 9}}
    tally = {"ayes": 300, "nays": 100, "support": 50}
    status = {"track": 1, "proposal": proposal, "submitted": 4, "deciding": {"since": 5, "confirming": None}, "tally": tally}
    chain.put("Referenda", "ReferendumInfoFor", number, {"Ongoing": status})


async def test_referenda_are_decoded_and_an_upgrade_stands_out(runner: Runner, chain: SmallChain) -> None:
    assert (await texts(runner(), "governance", "referenda"))[0][2] == "there is no referendum"
    upgrade = Call("Utility", "batch", {"calls": [Call("System", "set_code", {"code": "0x01"})]})
    referendum(chain, 3, upgrade)
    referendum(chain, 4, Call("System", "remark", {"remark": "0x01"}))
    referendum(chain, 5, None)
    chain.put("Referenda", "ReferendumInfoFor", 2, {"Rejected": 77})
    found = await texts(runner(), "governance", "referenda")
    assert [grade for grade, _, _ in found] == ["medium", "low", "low", "low"]
    assert "referendum 3 on track 1, being decided: Utility.batch (System.set_code); ayes 300 (75.0 % of the votes)" in found[0][2]
    assert any("no pallet Preimage" in text for _, _, text in found) and found[-1][2] == "referendum 2: rejected at block 77"
    assert [text for _, _, text in await texts(runner(), "governance", "runtime_upgrades") if "referendum 3" in text]


async def test_a_position_has_facts_for_and_against_and_needs_a_number(runner: Runner, chain: SmallChain) -> None:
    referendum(chain, 3, Call("System", "set_code", {"code": "0x01"}))
    found = [text for _, _, text in await texts(runner(), "governance", "position", referendum="3")]
    assert any(text.startswith("for: ") for text in found) and any(text.startswith("against: ") for text in found)
    assert "there is no referendum 9" in (await texts(runner(), "governance", "position", referendum="9"))[0][2]
    for bad in ({}, {"referendum": "x"}, {"referendum": "-1"}):
        with pytest.raises(UsageError):
            await texts(runner(), "governance", "position", **bad)
    assert not [method for method in chain.calls if method.startswith("author")]


async def test_an_authorized_upgrade_is_told(runner: Runner, chain: SmallChain) -> None:
    assert [grade for grade, _, _ in await texts(runner(), "governance", "runtime_upgrades")] == ["low"]
    chain.put("System", "AuthorizedUpgrade", {"code_hash": key(4), "check_version": True})
    assert (await texts(runner(), "governance", "runtime_upgrades"))[0][0] == "high"


async def test_pallets_that_are_not_there_are_said(runner: Runner, chain: SmallChain) -> None:
    bare = scale.Small()
    byte = bare.primitive("u8")
    bare.pallet("System", {"Events": (bare.list(byte), None, "", b"\0")})
    chain.metadata = bare.metadata(byte)
    for role, task, what in (("economics", "rewards", "Staking"), ("governance", "referenda", "Referenda")):
        (grade, about, text), *others = await texts(runner(), role, task)
        assert (grade, about) == ("low", "chain main") and f"no pallet {what}" in text
        assert all("missed votes are not known" in other for _, _, other in others)


def test_the_number_in_a_head() -> None:
    head = key(1) + scale.compact(70_000).hex() + "00" * 64
    assert head_number(head) == 70_000
    assert [head_number(bad) for bad in (None, "0x", key(1), key(1) + "ff", "zz" * 40)] == [None] * 5


async def test_a_host_of_several_chains(runner: Runner) -> None:
    fleet = [Validator(number=n, chain=c, host=h) for n, c, h in ((1, "a", "x"), (2, "b", "x"), (3, "a", "y"), (4, "a", "y"))]
    tight = Fleet({"a": {"can_lose": 3, "missing": [], "missing_count": 0}, "b": {"can_lose": 1, "missing": [9], "missing_count": 1}})
    wired = runner(*fleet, fleet=tight)
    found = await texts(wired, "multichain", "shared_hosts")
    assert found == [
        ("medium", "x", "x serves 2 chains. a: 1 authorities (1), it can lose 3 more; b: 1 authorities (2), it can lose 0 more")
    ]
    assert (await texts(runner(Validator(number=1, host="z")), "multichain", "shared_hosts"))[0][2] == "no host serves several chains"


async def test_the_watchers_look(runner: Runner) -> None:
    seen = Fleet(v6=view(up=True, peers=4, syncing=False, peer_abuse_lines=0, finalized_height=1, equivocations=0, unit_state=None,
                         disk_free_bytes=None, block_height=2))  # fmt: skip
    found = await texts(runner(fleet=seen), "watcher", "quick_check")
    assert found == [("medium", "validator 6", "few peers (4)"), ("medium", "validator 7", "whether it is up is unknown")]


async def test_side_chains_against_their_parent(runner: Runner) -> None:
    fleet = Fleet({"relay": {"median_height": 100, "median_finalized": 98}, "side": {"median_height": 500, "median_finalized": 300}})
    role = runner(Validator(number=1, chain="side"), Validator(number=2, chain="relay"), fleet=fleet)
    settings = role.scene_of([], {}).settings.model_copy(update={"chains": (Chain(id="relay"), Chain(id="side", parent="relay"))})
    inner = role.scene_of

    def scene_of(mine: Any, options: Any) -> Any:
        scene = inner(mine, options)
        scene.settings = settings
        return scene

    role.scene_of = scene_of
    found = await texts(role, "multichain", "inclusion")
    assert ("high", "chain side", "200 blocks between head and finality") in found
    assert any(about == "chain relay" and "unknown" in text for _, about, text in found)

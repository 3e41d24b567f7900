"""What a real relay chain's runtime (Rococo's, executed by Chopsticks) does with signed extrinsics, the sudo key's among them: told as
it happened, and what did not happen is not told."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from conftest import missing, need
from gizzi.config import Chain, Validator
from gizzi.kinds import ReportItem
from gizzi.reach.node import HttpNode
from gizzi.readers.runtime import Runtime
from gizzi.readers.scale import Call
from gizzi.tasks._chain import open_chain
from tools import chopsticks, runtimes, scale
from tools.substrate import key

from .conftest import Runner

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

OURS, OTHER, THIRD = key(6), key(9), key(12)
SPENT = 95 * 10**14


class Relay:
    """A running chain; `send` puts an extrinsic into the next block."""

    def __init__(self, url: str, runtime: Runtime, sudo: str) -> None:
        self.url, self.runtime, self.sudo = url, runtime, sudo
        self._nonces: Counter[str] = Counter()

    async def fund(self, who: str, amount: int) -> None:
        place = self.runtime.key("System", "Account", who)
        held = scale.filled(self.runtime._types, self.runtime._item("System", "Account").value, {"providers": 1, "data": {"free": amount}})
        await chopsticks.call(self.url, "dev_setStorage", [[place, scale.stored(self.runtime, "System", "Account", held)]])

    async def send(self, signer: str, call: Call) -> None:
        extra = scale.extra(self.runtime, self._nonces[signer])
        signed = scale.signed(self.runtime, signer, call, extra=extra, signature={"Sr25519": chopsticks.SIGNED})
        self._nonces[signer] += 1
        await chopsticks.call(self.url, "author_submitExtrinsic", signed)

    async def block(self) -> None:
        await chopsticks.call(self.url, "dev_newBlock")


@pytest.fixture
async def relay(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Relay]:
    need("node")
    if not chopsticks.is_installed():
        missing("chopsticks is not installed; run: python tests/tools/install.py chopsticks")
    if not runtimes.is_installed():
        missing("no relay chain's specification is here; run: python tests/tools/install.py runtimes")
    async with chopsticks.running(free_port(), tmp_path / "relay.log", runtimes.spec()) as url:
        runtime = Runtime(await chopsticks.call(url, "state_getMetadata"))
        sudo = runtime.value("Sudo", "Key", await chopsticks.call(url, "state_getStorage", runtime.key("Sudo", "Key")))
        opened = Relay(url, runtime, sudo)
        for who, amount in ((sudo, 10**15), (OURS, 10**16), (OTHER, 10**13)):
            await opened.fund(who, amount)
        await opened.block()
        yield opened


@pytest.fixture
async def node() -> AsyncIterator[HttpNode]:
    opened = HttpNode()
    yield opened
    await opened.close()


async def told(relay: Relay, node: HttpNode, runner: Runner) -> list[ReportItem]:
    """All but what was read."""
    ours = Validator(number=6, rpc_url=relay.url, labels={"stash": OURS})
    items = (await runner(ours, node=node).run("security", "analyze_suspicious_transactions")).items
    assert items[-1].text.startswith("read blocks") and not any("could not be" in item.text for item in items)
    return list(items[:-1])


def kinds(items: list[ReportItem]) -> list[tuple[str, str, str]]:
    return sorted((item.text.partition(":")[0], item.severity, item.about) for item in items)


def set_keys(runtime: Runtime) -> Call:
    """Session keys of that runtime, whatever they are."""
    types = runtime._types
    session = next(one for one in types.kind(runtime._form().call).variants.values() if one.name == "Session").fields[0][1]
    (keys, _) = next(one for one in types.kind(session).variants.values() if one.name == "set_keys").fields
    blank = scale.blank(types, keys[1])
    return Call(
        "Session", "set_keys", {"keys": {name: "0x" + "5a" * (len(value) // 2 - 1) for name, value in blank.items()}, "proof": "0x"}
    )


async def test_what_our_account_and_the_root_did_is_told(relay: Relay, node: HttpNode, runner: Runner) -> None:
    role = runner(Validator(number=6, rpc_url=relay.url, labels={"stash": OURS}), node=node)
    assert "no pallet Staking" in (await role.run("economics", "rewards")).items[0].text
    assert "no pallet Referenda" in (await role.run("governance", "referenda")).items[0].text
    assert [item.text for item in (await role.run("governance", "runtime_upgrades")).items] == ["runtime rococo 9140 runs"]
    assert await told(relay, node, runner) == []
    reader = await open_chain(role.scene_of((Validator(number=6, rpc_url=relay.url),), {}), Chain(id="main"))
    listed = await reader.entries("Session", "NextKeys", most=100)
    assert len(listed) == 8 and all(len(keys[0]) == 66 and "grandpa" in session for keys, session in listed)
    proxy = Call("Proxy", "add_proxy", {"delegate": OTHER, "proxy_type": "Any", "delay": 0})
    await relay.send(relay.sudo, Call("Sudo", "sudo", {"call": Call("System", "set_heap_pages", {"pages": 9})}))
    await relay.send(OURS, set_keys(relay.runtime))
    await relay.send(OURS, Call("Utility", "batch", {"calls": [proxy]}))
    await relay.send(OURS, Call("Balances", "transfer_keep_alive", {"dest": {"Id": OTHER}, "value": SPENT}))
    await relay.send(OTHER, Call("Proxy", "proxy", {"real": OURS, "force_proxy_type": None, "call": Call("Session", "purge_keys", {})}))
    await relay.block()
    items = await told(relay, node, runner)
    assert kinds(items) == [
        ("keys", "critical", "validator 6"),
        ("keys", "critical", "validator 6"),
        ("proxy", "critical", "validator 6"),
        ("sudo", "high", "chain main"),
        ("transfer", "critical", "validator 6"),
    ]
    texts = " ".join(item.text for item in items)
    assert "sudo called System.set_heap_pages pages 9" in texts and "95 % of what it had" in texts and "perhaps" not in texts


async def test_what_was_refused_is_told_as_that_or_not_at_all(relay: Relay, node: HttpNode, runner: Runner) -> None:
    too_much = {"source": {"Id": THIRD}, "dest": {"Id": OTHER}, "value": 10**18}
    await relay.send(relay.sudo, Call("Sudo", "sudo", {"call": Call("Balances", "force_transfer", too_much)}))
    await relay.send(OTHER, Call("Proxy", "proxy", {"real": OURS, "force_proxy_type": None, "call": Call("Session", "purge_keys", {})}))
    await relay.send(OTHER, Call("Sudo", "sudo", {"call": Call("System", "remark", {"remark": "0x"})}))
    as_ours = {"as_origin": {"system": {"Signed": OURS}}, "call": set_keys(relay.runtime)}
    await relay.block()
    assert [(item.severity, "sudo tried Balances.force_transfer" in item.text) for item in await told(relay, node, runner)] == [
        ("medium", True)
    ]
    await relay.send(relay.sudo, Call("Sudo", "sudo", {"call": Call("Utility", "dispatch_as", as_ours)}))
    await relay.block()
    assert ("keys", "critical", "validator 6") in kinds(await told(relay, node, runner))


async def test_a_runtime_that_the_root_replaced_is_told_and_both_are_read(relay: Relay, node: HttpNode, runner: Runner) -> None:
    code = await chopsticks.call(relay.url, "state_getStorage", "0x3a636f6465")
    replaced = Call("System", "set_code_without_checks", {"code": code})
    await relay.send(relay.sudo, Call("Sudo", "sudo_unchecked_weight", {"call": replaced, "weight": 1}))
    await relay.block()
    await relay.send(OURS, set_keys(relay.runtime))
    await relay.block()
    assert kinds(await told(relay, node, runner)) == [
        ("keys", "critical", "validator 6"),
        ("sudo", "high", "chain main"),
        ("upgrade", "medium", "chain main"),
    ]

"""Reading a real runtime, executed by Chopsticks: events and storage as they are, planted trouble found, nothing invented."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import missing, need
from gizzi.config import Validator
from gizzi.reach.node import HttpNode
from gizzi.readers.runtime import Runtime
from tools import chopsticks, scale
from tools.substrate import key

from .conftest import Runner

pytestmark = pytest.mark.real

WELL = {"dispatch_info": {"weight": 1, "class": "Normal", "pays_fee": "Yes"}}
EVENTS = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"


@pytest.fixture
async def chain(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[str]:
    need("node")
    if not chopsticks.is_installed():
        missing("chopsticks is not installed; run: python tests/tools/install.py chopsticks")
    async with chopsticks.running(free_port(), tmp_path / "chopsticks.log") as url:
        for _ in range(6):
            await chopsticks.call(url, "dev_newBlock")
        yield url


@pytest.fixture
async def node() -> AsyncIterator[HttpNode]:
    opened = HttpNode()
    yield opened
    await opened.close()


def validator(url: str) -> Validator:
    return Validator(number=6, rpc_url=url, labels={"stash": key(6)})


async def runtime_of(url: str) -> Runtime:
    return Runtime(await chopsticks.call(url, "state_getMetadata"))


async def found(runner: Any, role: str, task: str, **options: str) -> list[Any]:
    return list((await runner.run(role, task, options=options)).items)


async def test_real_events_and_storage_are_decoded(chain: str) -> None:
    runtime = await runtime_of(chain)
    events = runtime.events(await chopsticks.call(chain, "state_getStorage", EVENTS))
    assert {event.title for event in events} == {"System.ExtrinsicSuccess"}
    assert [event.extrinsic for event in events] == list(range(len(events)))
    block = await chopsticks.call(chain, "chain_getBlock")
    calls = [runtime.extrinsic(raw) for raw in block["block"]["extrinsics"]]
    assert [one.call.title for one in calls] == ["Timestamp.set", "ParachainSystem.set_validation_data"] and not any(
        c.signer for c in calls
    )
    now = runtime.value("Timestamp", "Now", await chopsticks.call(chain, "state_getStorage", runtime.key("Timestamp", "Now")))
    assert calls[0].call.args["now"] == now
    number = await chopsticks.call(chain, "state_getStorage", runtime.key("System", "Number"))
    assert runtime.value("System", "Number", number) == int(block["block"]["header"]["number"], 16)


async def test_storage_that_was_set_is_read_back(chain: str) -> None:
    runtime = await runtime_of(chain)
    place = runtime.key("System", "Account", key(9))
    blank = runtime.value("System", "Account", None)
    held = {**blank, "providers": 1, "data": {**blank["data"], "free": 123_456_789_000}}
    await chopsticks.call(chain, "dev_setStorage", [[place, scale.stored(runtime, "System", "Account", held)]])
    assert runtime.value("System", "Account", await chopsticks.call(chain, "state_getStorage", place)) == held


async def test_quiet_blocks_tell_nothing(chain: str, node: HttpNode, runner: Runner) -> None:
    items = await found(runner(validator(chain), node=node), "security", "analyze_suspicious_transactions")
    assert len(items) == 1 and items[0].text.startswith("read blocks 1 to ") and ": 0 signed extrinsics" in items[0].text


async def test_a_planted_transfer_and_proxy_are_found(chain: str, node: HttpNode, runner: Runner) -> None:
    runtime = await runtime_of(chain)
    blank = runtime.value("System", "Account", None)
    held = {**blank, "providers": 1, "data": {**blank["data"], "free": 1_000_000_000_000}}
    await chopsticks.call(
        chain, "dev_setStorage", [[runtime.key("System", "Account", key(6)), scale.stored(runtime, "System", "Account", held)]]
    )
    await chopsticks.call(chain, "dev_newBlock")
    transfer = {"from": key(6), "to": key(9), "amount": 950_000_000_000}
    proxy = {"delegator": key(6), "delegatee": key(9), "proxy_type": "Any", "delay": 0}
    planted = scale.events(
        runtime, (0, "System", "ExtrinsicSuccess", WELL), (1, "Balances", "Transfer", transfer), (1, "Proxy", "ProxyAdded", proxy)
    )
    await chopsticks.call(chain, "dev_setStorage", [[EVENTS, planted]])
    items = await found(runner(validator(chain), node=node), "security", "analyze_suspicious_transactions")
    told = {item.text.split(":")[0]: item for item in items if not item.text.startswith("read")}
    assert set(told) == {"transfer", "proxy"}
    assert told["proxy"].severity == "critical" and told["proxy"].about == "validator 6"
    assert told["transfer"].severity in ("high", "critical") and "95 % of what it had" in told["transfer"].text


async def test_what_this_runtime_does_not_have_is_said(chain: str, node: HttpNode, runner: Runner) -> None:
    role = runner(validator(chain), node=node)
    assert "no pallet Staking" in (await found(role, "economics", "rewards"))[0].text
    assert "no pallet Referenda" in (await found(role, "governance", "referenda"))[0].text
    assert [item.text for item in await found(role, "governance", "runtime_upgrades")] == ["runtime statemine 900 runs"]

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.clock import run_simulated
from gizzi.config import Settings, Validator, parse
from gizzi.errors import SourceError
from gizzi.fleet.names import OBSERVATIONS
from gizzi.reach.node import HttpNode
from gizzi.readers.jsonrpc import RpcError
from gizzi.registry import Registry
from gizzi.sources import rpc as module
from gizzi.sources.rpc import heartbeat, identity, is_loopback, rpc
from tools.loopback import Request, error, loopback, result

HASH, HEAD = "0x" + "ab" * 32, "0x" + "cd" * 32
HEALTH = {"peers": 21, "isSyncing": False, "shouldHavePeers": True}
VOTES = {"prevotes": {"missing": [HEAD]}, "precommits": {"missing": [HEAD, HASH]}}
ROUND = {"setId": 2, "best": {"round": 7, "totalWeight": 21, "thresholdWeight": 15, **VOTES}, "background": []}
HEALTHY = {"rpc_peers": 21, "rpc_syncing": False, "should_have_peers": True}
VOTING = {"grandpa_set_id": 2, "rpc_grandpa_round": 7, "grandpa_total_weight": 21, "grandpa_missing": (HEAD,)}

WITH_PAGE = Validator(number=6, metrics_url="http://node.example:9615/metrics", rpc_url="http://node.example:9944")
RPC_ONLY = Validator(number=7, rpc_url="http://node.example:9944")
TIMEOUT, REFUSED = SourceError("timeout", "no answer in 3 s"), SourceError("refused", "no connection")
GARBAGE = SourceError("unreadable", "the answer is HTML")


class ScriptedNode:
    """Answers each method with what is scripted; raises what is an exception; methods left out are unknown."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"system_health": HEALTH, "grandpa_roundState": ROUND, "chain_getBlockHash": HASH} | answers
        self.calls: list[tuple[Any, ...]] = []

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        self.calls.append((method, *params))
        answer = self.answers.get(method, RpcError("Method not found", -32601))
        if callable(answer):
            answer = answer(*params)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        raise RpcError("batches are not supported", -32005)


class BatchNode(ScriptedNode):
    """The same, also several in one request; `gone` is how that fails. batches: the calls in each."""

    def __init__(self, gone: SourceError | None = None, **answers: Any) -> None:
        super().__init__(**answers)
        self.gone = gone
        self.batches: list[list[tuple[Any, ...]]] = []

    async def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        self.batches.append(list(calls))
        if self.gone is not None:
            raise self.gone
        asked = ScriptedNode(**self.answers)
        return [await _outcome(asked.rpc(validator, *call)) for call in calls]


async def _outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except SourceError as error:
        return error


class Heights:
    def __init__(self, height: int | None = 128) -> None:
        self.height = height

    def check_height(self, chain_id: str) -> int | None:
        assert chain_id == "main"
        return self.height


async def collect(node: ScriptedNode, validator: Validator = WITH_PAGE, height: int | None = 128, settings: Settings | None = None) -> Any:
    return await rpc(validator, node, Heights(height), settings or Settings(), {})


async def test_health_votes_and_the_hash_at_the_compared_height() -> None:
    node = ScriptedNode()
    assert await collect(node) == HEALTHY | VOTING | {"checked_height": 128, "checked_hash": HASH}
    assert node.calls == [("system_health",), ("grandpa_roundState",), ("chain_getBlockHash", 128)]


async def test_a_node_that_takes_batches_is_asked_once() -> None:
    node = BatchNode()
    assert await collect(node) == HEALTHY | VOTING | {"checked_height": 128, "checked_hash": HASH}
    assert node.batches == [[("system_health",), ("grandpa_roundState",), ("chain_getBlockHash", 128)]]
    assert node.calls == []
    assert await collect(node := BatchNode(**HEADS), RPC_ONLY, None) == HEALTHY | VOTING | HEIGHTS
    assert node.calls == [("chain_getHeader", HEAD)], "only what hangs on another answer is asked later"


ODD_ANSWERS = st.sampled_from([None, [], {}, "x", 5, HASH, ROUND, HEALTH, GARBAGE, RpcError("busy"), RpcError("Method not found", -32601)])


@given(st.dictionaries(st.sampled_from(["system_health", "grandpa_roundState", "chain_getBlockHash", "chain_getHeader"]), ODD_ANSWERS))
def test_a_batch_is_read_as_the_same_calls_made_one_by_one(answers: dict[str, Any]) -> None:
    async def main() -> None:
        for validator in (WITH_PAGE, RPC_ONLY):
            one_by_one = await _outcome(collect(ScriptedNode(**HEADS | answers), validator))
            assert repr(await _outcome(collect(BatchNode(**HEADS | answers), validator))) == repr(one_by_one)

    run_simulated(main())


@pytest.mark.parametrize("gone", [REFUSED, SourceError("internal", "too many open files here")])
async def test_where_nothing_listens_no_call_is_made(gone: SourceError) -> None:
    with pytest.raises(SourceError) as caught:
        await collect(node := BatchNode(gone))
    assert caught.value is gone
    assert node.calls == []


def test_after_a_batch_that_never_ended_the_calls_are_made_one_by_one() -> None:
    """It may be one call of it that never ends, and the node be well."""

    async def main() -> None:
        node, memory = BatchNode(TIMEOUT), dict[str, Any]()
        with pytest.raises(SourceError) as caught:
            await rpc(WITH_PAGE, node, Heights(), Settings(), memory)
        assert caught.value is TIMEOUT
        for _ in range(5):
            assert await rpc(WITH_PAGE, node, Heights(None), Settings(), memory) == HEALTHY | VOTING
        assert len(node.batches) == 1

    run_simulated(main())


@pytest.mark.parametrize("gone", [GARBAGE, RpcError("batches are not supported"), SourceError("http", "HTTP 413")])
def test_a_node_without_batches_is_asked_call_by_call_for_a_while(gone: SourceError) -> None:
    async def main() -> None:
        node, memory = BatchNode(gone), dict[str, Any]()
        for expected in (1, 1, 1, 2):
            assert HEALTHY.items() <= (await rpc(WITH_PAGE, node, Heights(), Settings(), memory)).items()
            assert len(node.batches) == expected
            await asyncio.sleep(module._ALONE_S / 2.5)
        assert len(node.calls) == 4 * 3

    run_simulated(main())


async def test_no_hash_is_asked_for_before_a_height_is_known() -> None:
    node = ScriptedNode()
    assert await collect(node, height=None) == HEALTHY | VOTING
    assert len(node.calls) == 2


async def test_a_block_that_the_node_does_not_have_is_not_observed() -> None:
    for missing in (None, "0x12", 5):
        assert await collect(ScriptedNode(chain_getBlockHash=missing)) == HEALTHY | VOTING


@pytest.mark.parametrize("refusal", [RpcError("GRANDPA RPC endpoint not ready", 1), RpcError("Method not found"), TIMEOUT, GARBAGE, [], {}])
async def test_a_node_that_does_not_tell_who_votes(refusal: Any) -> None:
    assert await collect(ScriptedNode(grandpa_roundState=refusal), height=None) == HEALTHY


@pytest.mark.parametrize("failure", [TIMEOUT, REFUSED, SourceError("internal", "too many open files here")])
async def test_a_node_that_is_gone_is_asked_once(failure: SourceError) -> None:
    node = ScriptedNode(system_health=failure)
    with pytest.raises(SourceError) as caught:
        await collect(node)
    assert caught.value is failure
    assert node.calls == [("system_health",)]


@pytest.mark.parametrize("health", [GARBAGE, RpcError("busy"), [], {}, "ok"])
async def test_what_else_answers_stands_where_health_is_lost(health: Any) -> None:
    assert await collect(ScriptedNode(system_health=health), height=None) == VOTING


async def test_where_nothing_answers_the_first_failure_counts() -> None:
    node = ScriptedNode(system_health=GARBAGE, grandpa_roundState=TIMEOUT, chain_getBlockHash=REFUSED)
    with pytest.raises(SourceError) as caught:
        await collect(node)
    assert caught.value is GARBAGE


async def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        await collect(ScriptedNode(grandpa_roundState=ZeroDivisionError()))


def test_a_slow_node_is_asked_the_rest_at_once() -> None:
    class SlowNode(ScriptedNode):
        async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
            await asyncio.sleep(2.5)
            return await super().rpc(validator, method, *params)

    async def main() -> tuple[Any, float]:
        return await collect(SlowNode(**HEADS), RPC_ONLY), asyncio.get_running_loop().time()

    seen, took_s = run_simulated(main())
    assert seen == HEALTHY | VOTING | HEIGHTS | {"checked_height": 128, "checked_hash": HASH}
    assert took_s == 2.5 + 3 * 2.5  # of the heights, the finalized one takes three calls


async def test_given_up_in_the_middle_nothing_is_left_undone() -> None:
    class StuckNode(ScriptedNode):
        async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
            if method == "grandpa_roundState":
                await asyncio.Event().wait()
            return await super().rpc(validator, method, *params)

    with pytest.raises(TimeoutError), warnings.catch_warnings():
        warnings.simplefilter("error")
        async with asyncio.timeout(0.05):
            await collect(StuckNode())
        gc.collect()


def headers(*params: str) -> dict[str, str]:
    return {"number": "0x00000082"} if params == () else {"number": "0x80"} if params == (HEAD,) else {}


HEADS = {"chain_getHeader": headers, "chain_getFinalizedHead": HEAD, "system_syncState": {"currentBlock": 130, "highestBlock": 131}}
HEIGHTS = {"rpc_block_height": 130, "rpc_finalized_height": 128, "rpc_highest_block": 131}


async def test_heights_come_by_rpc_where_nothing_else_gives_them() -> None:
    assert await collect(ScriptedNode(**HEADS), RPC_ONLY, None) == HEALTHY | VOTING | HEIGHTS
    prometheus = parse({"prometheus": {"url": "http://localhost:9090"}}, "here")
    assert await collect(ScriptedNode(**HEADS), RPC_ONLY, None, prometheus) == HEALTHY | VOTING


@pytest.mark.parametrize(
    ("answers", "missing"),
    [
        ({"system_syncState": RpcError("Method not found")}, {"rpc_highest_block"}),
        ({"chain_getFinalizedHead": None}, {"rpc_finalized_height"}),
        ({"chain_getHeader": lambda *params: None}, {"rpc_block_height", "rpc_finalized_height"}),
        ({"chain_getHeader": lambda *params: {"number": -1}}, {"rpc_block_height", "rpc_finalized_height"}),
        ({"chain_getHeader": TIMEOUT}, {"rpc_block_height", "rpc_finalized_height"}),
    ],
)
async def test_a_height_that_is_not_told_is_not_observed(answers: dict[str, Any], missing: set[str]) -> None:
    seen = await collect(ScriptedNode(**HEADS | answers), RPC_ONLY, None)
    assert HEIGHTS.keys() - seen.keys() == missing


async def test_the_heartbeat_is_health_alone() -> None:
    node = ScriptedNode()
    assert await heartbeat(WITH_PAGE, node) == HEALTHY
    assert node.calls == [("system_health",)]
    with pytest.raises(SourceError) as caught:
        await heartbeat(WITH_PAGE, ScriptedNode(system_health=TIMEOUT))
    assert caught.value.kind == "timeout"


WHO = {"system_version": "1.1.0-9b6e241ab63", "system_localPeerId": "12D3KooW"}
KNOWN = {"rpc_version": "1.1.0-9b6e241ab63", "peer_id": "12D3KooW"}


@pytest.mark.parametrize(
    ("peers", "exposed"),
    [
        ([], True),
        ([{"peerId": "x"}], True),
        (RpcError("RPC call is unsafe to be called externally", -32601), False),
        (RpcError("RPC call is unsafe to be called externally", 4003), False),
        (RpcError("Method not found", -32601), None),
        (RpcError("Method not found: system_peers"), None),
        (RpcError("internal", -32603), None),
        (TIMEOUT, None),
        (None, None),
        ("maybe", None),
    ],
)
async def test_unsafe_methods_are_probed_from_outside(peers: Any, exposed: bool | None) -> None:
    node = ScriptedNode(system_peers=peers, **WHO)
    assert await identity(WITH_PAGE, node) == KNOWN | ({} if exposed is None else {"unsafe_rpc": exposed})
    assert not [method for method, *_ in node.calls if method.startswith("author")]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9944", "http://localhost:9944", "http://[::1]:9944", "http://127.8.9.1/"])
async def test_on_loopback_an_unsafe_method_says_nothing(url: str) -> None:
    node = ScriptedNode(system_peers=[], **WHO)
    assert await identity(Validator(number=6, rpc_url=url), node) == KNOWN
    assert ("system_peers",) not in node.calls


def test_loopback_addresses() -> None:
    for url in ("http://10.0.0.1:9944", "http://node.example", "http://localhost.example", "http://[::2]:1", "", "http://[bad"):
        assert not is_loopback(url)


async def test_identity_keeps_what_is_told() -> None:
    assert await identity(WITH_PAGE, ScriptedNode(system_version="1.0\n", system_localPeerId="12D3")) == {"peer_id": "12D3"}
    assert await identity(WITH_PAGE, ScriptedNode(system_version="1.0")) == {"rpc_version": "1.0"}
    for failing in (ScriptedNode(system_version=TIMEOUT), ScriptedNode()):
        with pytest.raises(SourceError):
            await identity(WITH_PAGE, failing)


def test_they_are_used_where_there_is_an_rpc_and_give_what_has_a_meaning() -> None:
    registry = Registry()
    registry.add_module(module)
    assert {s.name: s.reports for s in registry.sources} == {"rpc": "rpc", "heartbeat": "rpc", "identity": "identity"}
    for found in registry.sources:
        assert set(found.gives) <= OBSERVATIONS.keys()
        assert f"{found.reports}_up" in OBSERVATIONS
        assert found.applies(WITH_PAGE, Settings())
        assert not found.applies(Validator(number=1, metrics_url="http://x"), Settings())


async def test_over_http_a_call_that_hangs_leaves_the_others() -> None:
    """One method that never answers, as some nodes have."""
    given_up = asyncio.Event()

    async def answer(request: Request) -> bytes:
        if request.body.startswith(b"["):
            return error("batches are not supported")
        match request.call[0]:
            case "system_health":
                return result(HEALTH, request_id=None)
            case "chain_getBlockHash":
                await given_up.wait()
        return error("GRANDPA RPC endpoint not ready", 1)

    class Impatient(HttpNode):
        async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
            try:
                async with asyncio.timeout(0.2):
                    return await super().rpc(validator, method, *params)
            except TimeoutError:
                given_up.set()
                raise TIMEOUT from None

    node = Impatient()
    async with loopback(answer) as server:
        assert await rpc(Validator(number=6, rpc_url=server.url, metrics_url=server.url), node, Heights(), Settings(), {}) == HEALTHY
    assert given_up.is_set()
    await node.close()

"""What a node tells over JSON-RPC: its health, who votes, its hash at the height that the fleet compares, and who it is."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from gizzi import Settings, SourceError, Validator, source
from gizzi.readers import jsonrpc

Observed = dict[str, Any]
Call = Callable[[], Awaitable[Observed]]

_SLOW_S = 0.5
"""A node whose health takes longer is asked the rest at once, so that its answers are not old when they are in. Asking a quick one call
by call is cheaper."""
_ALONE_S = 3600.0
"""For so long a node that left a batch unanswered is asked call by call: it takes none, or one call of it never ends."""
_HEALTH = ("rpc_peers", "rpc_syncing", "should_have_peers")


class Fleet(Protocol):
    def check_height(self, chain_id: str) -> int | None:
        """The height at which the chain's nodes are asked for their hash; None where nobody knows one yet."""
        ...


class Caller(Protocol):
    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any: ...


class Node(Caller, Protocol):
    async def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Sequence[Any]: ...


class Answered:
    """A node of which some answers are there already; each is given as if it were asked for now."""

    def __init__(self, node: Caller, answers: Mapping[tuple[Any, ...], Any]) -> None:
        self._node = node
        self._answers = answers

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        call = (method, *params)
        if call not in self._answers:
            return await self._node.rpc(validator, method, *params)
        answer = self._answers[call]
        if isinstance(answer, SourceError):
            raise answer
        return answer


def _has_rpc(validator: Validator, settings: Settings) -> bool:
    return validator.rpc_url is not None


@source(
    "rpc",
    every="collect",
    applies=_has_rpc,
    gives=(
        *_HEALTH,
        "grandpa_set_id",
        "rpc_grandpa_round",
        "grandpa_total_weight",
        "grandpa_missing",
        "checked_height",
        "checked_hash",
        "rpc_block_height",
        "rpc_finalized_height",
        "rpc_highest_block",
    ),
)
async def rpc(validator: Validator, node: Node, fleet: Fleet, settings: Settings, memory: dict[str, Any]) -> Observed:
    """The node's health, GRANDPA's round and the hash at one height; where nothing else gives heights, those too.

    All in one request, if the node takes batches. One call that fails leaves the others' answers standing; only if none answers the
    source has failed.
    """
    height = fleet.check_height(validator.chain)
    needs_heights = validator.metrics_url is None and settings.prometheus.url is None
    wanted: list[tuple[Any, ...]] = [("system_health",), ("grandpa_roundState",)]
    if height is not None:
        wanted.append(("chain_getBlockHash", height))
    if needs_heights:
        wanted += [("chain_getHeader",), ("chain_getFinalizedHead",), ("system_syncState",)]
    caller = await _asked(validator, node, wanted, memory)
    return await _observed(validator, caller, height, needs_heights)


async def _asked(validator: Validator, node: Node, calls: Sequence[tuple[Any, ...]], memory: dict[str, Any]) -> Caller:
    """The node, with these calls already made if it takes batches. Raises SourceError where nothing answers."""
    now = asyncio.get_running_loop().time()
    if now < memory.get("alone_until", now):
        return node
    try:
        return Answered(node, dict(zip(calls, await node.batch(validator, calls), strict=True)))
    except SourceError as error:
        if error.kind in ("refused", "internal"):
            raise
        memory["alone_until"] = now + _ALONE_S
        if error.kind == "timeout":
            raise
        return node


async def _observed(validator: Validator, node: Caller, height: int | None, needs_heights: bool) -> Observed:
    seen: Observed = {}
    failure: SourceError | None = None
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    try:
        seen = jsonrpc.system_health(await node.rpc(validator, "system_health"))
    except SourceError as error:
        if error.kind in ("timeout", "refused", "internal"):
            raise
        failure = error
    calls: list[Call] = [partial(_round_state, validator, node)]
    if height is not None:
        calls.append(partial(_hash_at, validator, node, height))
    if needs_heights:
        calls += [partial(_heights, validator, node), partial(_sync_state, validator, node)]
    if loop.time() - asked_at > _SLOW_S:
        for answer in await asyncio.gather(*map(_or_nothing, calls)):
            seen.update(answer)
    else:
        for call in calls:
            seen.update(await _or_nothing(call))
    if failure is not None and not seen:
        raise failure
    return seen


async def _or_nothing(call: Call) -> Observed:
    try:
        return await call()
    except SourceError:
        return {}


@source("heartbeat", every="collect", reports="rpc", applies=_has_rpc, gives=_HEALTH)
async def heartbeat(validator: Validator, node: Caller) -> Observed:
    """The node's health alone, asked between two rounds of `rpc`."""
    return jsonrpc.system_health(await node.rpc(validator, "system_health"))


@source("identity", every="10m", reports="identity", applies=_has_rpc, gives=("rpc_version", "peer_id", "unsafe_rpc"))
async def identity(validator: Validator, node: Caller) -> Observed:
    """The node's version and libp2p identity, and whether it lets outsiders call unsafe methods."""
    seen: Observed = {}
    failure: SourceError | None = None
    for method, observation in (("system_version", "rpc_version"), ("system_localPeerId", "peer_id")):
        try:
            text = jsonrpc.plain_text(await node.rpc(validator, method))
        except SourceError as error:
            if error.kind != "rpc":
                raise
            failure = failure or error
        else:
            if text is not None:
                seen[observation] = text
    exposed = await _unsafe(validator, node)
    if exposed is not None:
        seen["unsafe_rpc"] = exposed
    if failure is not None and not seen:
        raise failure
    return seen


async def _round_state(validator: Validator, node: Caller) -> Observed:
    return jsonrpc.grandpa_round_state(await node.rpc(validator, "grandpa_roundState"))


async def _hash_at(validator: Validator, node: Caller, height: int) -> Observed:
    found = jsonrpc.block_hash(await node.rpc(validator, "chain_getBlockHash", height))
    return {} if found is None else {"checked_height": height, "checked_hash": found}


async def _heights(validator: Validator, node: Caller) -> Observed:
    seen: Observed = {}
    best = _number(await node.rpc(validator, "chain_getHeader"))
    if best is not None:
        seen["rpc_block_height"] = best
    head = jsonrpc.block_hash(await node.rpc(validator, "chain_getFinalizedHead"))
    finalized = None if head is None else _number(await node.rpc(validator, "chain_getHeader", head))
    if finalized is not None:
        seen["rpc_finalized_height"] = finalized
    return seen


def _number(header: Any) -> int | None:
    return jsonrpc.block_number(header.get("number")) if isinstance(header, dict) else None


async def _sync_state(validator: Validator, node: Caller) -> Observed:
    state = jsonrpc.system_sync_state(await node.rpc(validator, "system_syncState"))
    state.pop("rpc_block_height", None)
    return state


async def _unsafe(validator: Validator, node: Caller) -> bool | None:
    """Whether an unsafe method answers to us; None where that says nothing.

    `system_peers` only reads. Never probe with an `author_*` method: some write. On loopback, which is also where a tunnel ends, a node
    answers by design.
    """
    if is_loopback(validator.rpc_url or ""):
        return None
    try:
        peers = await node.rpc(validator, "system_peers")
    except jsonrpc.RpcError as error:
        return False if error.unsafe else None
    except SourceError:
        return None
    return True if isinstance(peers, list) else None


def is_loopback(url: str) -> bool:
    """Whether an address is of this host: localhost, 127.0.0.0/8 or ::1."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

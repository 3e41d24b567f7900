"""What a simulated node's JSON-RPC answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gizzi.readers.jsonrpc import METHOD_NOT_FOUND, RpcError

if TYPE_CHECKING:
    from gizzi.sim.node import SimNode

INVALID_PARAMS = -32602

Params = tuple[Any, ...]


class RpcAnswers:
    """The methods that monitors call. Unsafe ones refuse, as to anyone from outside."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._methods: dict[str, Callable[[float, Params], Any]] = {
            "system_health": self._health,
            "grandpa_roundState": lambda now, _: node.chain.round_state(now),
            "chain_getBlockHash": self._block_hash,
            "chain_getHeader": self._header,
            "chain_getFinalizedHead": lambda now, _: node.hash_at(node.heights(now)[1]),
            "system_syncState": self._sync_state,
            "system_version": lambda *_: node.version,
            "system_name": lambda *_: "Simulated Node",
            "system_chain": lambda *_: node.chain.id,
            "system_localPeerId": lambda *_: node.identity.peer_id,
            "system_nodeRoles": lambda *_: ["Authority" if node.votes else "Full"],
            "system_peers": _unsafe,
        }

    def answer(self, method: str, params: Params, now: float) -> Any:
        """The result of one call. Raises RpcError."""
        found = self._methods.get(method)
        if found is None:
            raise RpcError("Method not found", METHOD_NOT_FOUND)
        return found(now, params)

    def _health(self, now: float, params: Params) -> dict[str, Any]:
        return {"peers": self._node.peers(now), "isSyncing": self._node.syncing, "shouldHavePeers": True}

    def _block_hash(self, now: float, params: Params) -> Any:
        best = self._node.heights(now)[0]
        if not params or params[0] is None:
            return self._node.hash_at(best)
        height = _height(params[0])
        return self._node.hash_at(height) if height <= best else None

    def _header(self, now: float, params: Params) -> Any:
        node = self._node
        best = node.heights(now)[0]
        if not params or params[0] is None:
            height = best
        else:
            found = node.chain.height_of(str(params[0]), best)
            if found is None or node.hash_at(found[0]) != params[0]:
                return None
            height = found[0]
        return node.chain.header(height, node.fork_from is not None and height >= node.fork_from, node.hash_at)

    def _sync_state(self, now: float, params: Params) -> dict[str, int]:
        return {"startingBlock": 0, "currentBlock": self._node.heights(now)[0], "highestBlock": self._node.chain.height}


def _unsafe(now: float, params: Params) -> Any:
    raise RpcError("RPC call is unsafe to be called externally", METHOD_NOT_FOUND)


def _height(value: Any) -> int:
    """A height as callers write it: 4 or "0x4"."""
    try:
        height = int(value, 16) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        raise RpcError("Invalid params", INVALID_PARAMS) from None
    if height < 0:
        raise RpcError("Invalid params", INVALID_PARAMS)
    return height

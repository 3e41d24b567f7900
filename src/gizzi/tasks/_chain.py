"""A chain as one of its nodes tells it by JSON-RPC: blocks, events and storage. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gizzi import Chain, ReportItem, Scene, SourceError, UsageError, Validator
from gizzi.readers.jsonrpc import block_hash, block_number, whole
from gizzi.readers.runtime import Event, Extrinsic, Runtime
from gizzi.readers.ss58 import address, public_key

PAGE = 250
MOST_EXTRINSICS = 5_000
ANY_NETWORK = 42
"""The SS58 prefix of a chain that has none of its own."""
STASH = "stash"
"""The label of a validator's stash account."""


@dataclass(frozen=True, slots=True)
class Block:
    """extrinsics: None in the place of one that could not be decoded."""

    number: int
    hash: str
    parent: str
    events: Sequence[Event]
    extrinsics: Sequence[Extrinsic | None]

    @property
    def place(self) -> str:
        return f"block {self.number}"


@dataclass
class ChainReader:
    """One chain through one validator's node; as of its last finalized block."""

    scene: Scene
    chain: Chain
    validator: Validator
    head: int
    head_hash: str
    runtime: Runtime
    version: int | None
    _runtimes: dict[int, Runtime] = field(default_factory=dict)

    @property
    def about(self) -> str:
        return f"chain {self.chain.id}"

    async def call(self, method: str, *params: Any) -> Any:
        return await self.scene.rpc(self.validator, method, *params)

    async def hash_at(self, number: int) -> str:
        found = block_hash(await self.call("chain_getBlockHash", number))
        if found is None:
            raise SourceError("unreadable", f"validator {self.validator.number} has no block {number}")
        return found

    async def stored(self, pallet: str, item: str, *keys: Any, at: str | None = None) -> Any:
        """A value, decoded, as of the finalized head or that block. Raises SourceError, also where the node no longer keeps that state."""
        raw = await self.call("state_getStorage", self.runtime.key(pallet, item, *keys), at or self.head_hash)
        return self.runtime.value(pallet, item, raw)

    async def entries(self, pallet: str, item: str, *, most: int) -> list[tuple[tuple[Any, ...], Any]]:
        """(keys, value) of a map, in the order of storage. Raises SourceError where there are more than `most`."""
        prefix, keys = self.runtime.key(pallet, item), list[str]()
        while True:
            page = await self.call("state_getKeysPaged", prefix, PAGE, keys[-1] if keys else None, self.head_hash)
            page = [key for key in page if isinstance(key, str) and key.startswith(prefix)] if isinstance(page, list) else []
            keys += page
            if len(keys) > most:
                raise SourceError("unreadable", f"{pallet}.{item} has more than {most} entries")
            if len(page) < PAGE:
                break
        return [
            (self.runtime.keys_of(pallet, item, key), self.runtime.value(pallet, item, raw))
            for start in range(0, len(keys), PAGE)
            for key, raw in await self._many(keys[start : start + PAGE])
        ]

    async def _many(self, keys: list[str]) -> list[tuple[str, str]]:
        """What is stored there, in one call; without those where nothing is."""
        said = await self.call("state_queryStorageAt", keys, self.head_hash)
        changes = said[0].get("changes") if isinstance(said, list) and said and isinstance(said[0], Mapping) else None
        if not isinstance(changes, list):
            raise SourceError("unreadable", f"validator {self.validator.number} does not say what it has stored")
        pairs = [pair for pair in changes if isinstance(pair, list) and len(pair) == 2]
        return [(key, raw) for key, raw in pairs if key in keys and isinstance(raw, str)]

    async def block(self, number: int, *, one_runtime: bool = True) -> Block:
        """one_runtime: the runtime is known not to have changed; otherwise it is asked which one wrote this block."""
        here = await self.hash_at(number)
        said = await self.call("chain_getBlock", here)
        inside = said.get("block") if isinstance(said, Mapping) else None
        header = inside.get("header") if isinstance(inside, Mapping) else None
        if not isinstance(header, Mapping) or not isinstance(inside, Mapping) or block_number(header.get("number")) != number:
            raise SourceError("unreadable", f"validator {self.validator.number} gave another block than {number}")
        parent = block_hash(header.get("parentHash")) or ""
        runtime = self.runtime if one_runtime else await self._runtime_at(parent)
        raw = inside.get("extrinsics")
        listed = raw[:MOST_EXTRINSICS] if isinstance(raw, list) else []
        events = runtime.events(await self.call("state_getStorage", runtime.key("System", "Events"), here))
        return Block(number, here, parent, events, [_extrinsic(runtime, one) for one in listed])

    async def version_at(self, here: str) -> int | None:
        return _version(await self.call("state_getRuntimeVersion", here))

    async def _runtime_at(self, here: str) -> Runtime:
        version = await self.version_at(here)
        if version is None or version == self.version:
            return self.runtime
        if version not in self._runtimes:
            self._runtimes[version] = Runtime(await self.call("state_getMetadata", here))
        return self._runtimes[version]

    def shown(self, account: object) -> str:
        """An account as people of this chain write it."""
        prefix = self.runtime.constant("System", "SS58Prefix")
        return address(account, prefix if isinstance(prefix, int) else ANY_NETWORK) if isinstance(account, str) else "an unknown account"

    def stashes(self) -> dict[str, Validator]:
        """Public key -> our validator, of those whose stash a label names; where a chain does its parent's staking, the parent's too."""
        chains = {self.chain.id} | ({self.chain.parent} if self.runtime.has("StakingRcClient") else set())
        named = [(public_key(v.labels[STASH]), v) for v in self.scene.validators if v.chain in chains and STASH in v.labels]
        return {key: validator for key, validator in named if key is not None}


async def open_chain(scene: Scene, chain: Chain) -> ChainReader:
    """The first of its nodes that answers. Raises SourceError, which says why each did not."""
    nodes = [v for v in scene.validators if v.chain == chain.id and v.rpc_url is not None]
    if not nodes:
        raise SourceError("refused", "none of its validators has an rpc_url")
    failures = []
    for validator in nodes[:5]:
        try:
            return await _opened(scene, chain, validator)
        except SourceError as error:
            failures.append(f"validator {validator.number}: {error}")
    raise SourceError("unreadable", "; ".join(failures))


async def _opened(scene: Scene, chain: Chain, validator: Validator) -> ChainReader:
    head_hash = block_hash(await scene.rpc(validator, "chain_getFinalizedHead"))
    header = await scene.rpc(validator, "chain_getHeader", head_hash) if head_hash else None
    head = block_number(header.get("number")) if isinstance(header, Mapping) else None
    if head is None or head_hash is None:
        raise SourceError("unreadable", "it does not say which block is finalized")
    version = _version(await scene.rpc(validator, "state_getRuntimeVersion", head_hash))
    runtime = Runtime(await scene.rpc(validator, "state_getMetadata", head_hash))
    return ChainReader(scene, chain, validator, head, head_hash, runtime, version)


def unread(chain: Chain, what: str, error: SourceError) -> ReportItem:
    """Where a chain cannot be read: unknown is not well."""
    return ReportItem(f"{what} is unknown: {error}", "medium", f"chain {chain.id}")


def without(reader: ChainReader, pallet: str, what: str) -> ReportItem:
    return ReportItem(f"{what} is unknown: this chain's runtime has no pallet {pallet}", "low", reader.about)


def number_of(name: str, text: str | None, default: int, most: int) -> int:
    """An option that is a whole number from 1. Raises UsageError."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most):
        raise UsageError(f"{name}={text[:40]!r} is not a number from 1 to {most}")
    return int(text)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _version(said: Any) -> int | None:
    return whole(said.get("specVersion")) if isinstance(said, Mapping) else None


def _extrinsic(runtime: Runtime, raw: object) -> Extrinsic | None:
    try:
        return runtime.extrinsic(raw)
    except SourceError:
        return None

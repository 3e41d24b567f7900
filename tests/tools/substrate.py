"""A small chain in memory: the pallets that roles read, its blocks and storage, and a node that answers for it by JSON-RPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gizzi.config import Validator
from gizzi.readers.jsonrpc import RpcError
from gizzi.readers.runtime import Runtime
from gizzi.readers.scale import Call
from tools import scale


def small_metadata() -> str:
    """System, Balances, Sudo, Proxy, Session, Staking, Referenda and Utility, each as far as roles read it."""
    small = scale.Small()
    u8, u16, u32, u64, u128 = (small.primitive(name) for name in ("u8", "u16", "u32", "u64", "u128"))
    byte32, byte64, data = small.array(u8, 32), small.array(u8, 64), small.list(u8)
    who = small.struct([byte32], ("sp_core", "crypto", "AccountId32"))
    address = small.enum({"Id": [who], "Raw": [data]}, ("sp_runtime", "multiaddress", "MultiAddress"))
    signature = small.enum({"Ed25519": [byte64], "Sr25519": [byte64]})
    result = small.enum({"Ok": [], "Err": [u8]}, ("Result",))
    proxy = small.enum({"Any": [], "Staking": []})
    payee = small.enum({"Staked": [], "Stash": [], "Account": [who]})
    prefs = small.struct({"commission": u32, "blocked": small.primitive("bool")})
    call = len(small._types) + 8  # after the pallets' own enums and the two lists of calls, which hold it
    calls = {
        "System": small.enum({"remark": {"remark": data}, "set_code": {"code": data}}),
        "Balances": small.enum({"transfer_allow_death": {"dest": address, "value": u128}}),
        "Sudo": small.enum({"sudo": {"call": call}, "sudo_as": {"who": address, "call": call}}),
        "Proxy": small.enum({"proxy": {"real": address, "call": call}, "add_proxy": {"delegate": address}}),
        "Session": small.enum({"set_keys": {"keys": byte32, "proof": data}, "purge_keys": {}}),
        "Staking": small.enum({"set_payee": {"payee": payee}, "validate": {"prefs": prefs}}),
    }
    batch = small.list(call)
    calls["Utility"] = small.enum({"batch": {"calls": batch}})
    assert small.enum({name: [kind] for name, kind in calls.items()}, ("runtime", "RuntimeCall")) == call
    event = small.enum(
        {
            "System": [small.enum({"ExtrinsicSuccess": {}, "ExtrinsicFailed": {"error": u8}, "CodeUpdated": {}})],
            "Balances": [small.enum({"Transfer": {"from": who, "to": who, "amount": u128}, "Deposit": {"who": who, "amount": u128}})],
            "Sudo": [small.enum({"Sudid": {"sudo_result": result}, "KeyRemoved": {}})],
            "Proxy": [small.enum({"ProxyAdded": {"delegator": who, "delegatee": who, "proxy_type": proxy, "delay": u32}})],
            "Staking": [small.enum({"ValidatorPrefsSet": {"stash": who, "prefs": prefs}, "Slashed": {"staker": who, "amount": u128}})],
            "Old": [small.enum({"Transfer": [who, who, u128]})],
        }
    )
    phase = small.enum({"ApplyExtrinsic": [u32], "Finalization": [], "Initialization": []})
    record = small.struct({"phase": phase, "event": event, "topics": small.list(byte32)})
    balances = small.struct({"free": u128, "reserved": u128})
    holder = small.struct({"nonce": u32, "data": balances})
    pairs = small.list(small.type(b"\4" + scale.many([scale.compact(who), scale.compact(u32)])))
    points = small.struct({"total": u32, "individual": pairs})
    era = small.struct({"index": u32, "start": small.enum({"None": [], "Some": [u64]}, ("Option",))})
    tally = small.struct({"ayes": u128, "nays": u128, "support": u128})
    bounded = small.enum({"Legacy": {"hash": byte32}, "Inline": [data], "Lookup": {"hash": byte32, "len": u32}})
    deciding = small.struct({"since": u32, "confirming": small.enum({"None": [], "Some": [u32]}, ("Option",))})
    status = small.struct(
        {
            "track": u16,
            "proposal": bounded,
            "submitted": u32,
            "deciding": small.enum({"None": [], "Some": [deciding]}, ("Option",)),
            "tally": tally,
        }
    )
    info = small.enum({"Ongoing": [status], "Approved": [u32], "Rejected": [u32], "Cancelled": [u32]})
    applied = small.struct({"spec_version": u32, "spec_name": small.primitive("str")})
    upgrade = small.struct({"code_hash": byte32, "check_version": small.primitive("bool")})
    empty = scale.many([])
    small.pallet(
        "System",
        {
            "Events": (small.list(record), None, "", empty),
            "Account": (holder, who, "Blake2_128Concat", bytes(36)),
            "LastRuntimeUpgrade": (applied, None, "", None),
            "AuthorizedUpgrade": (upgrade, None, "", None),
        },
        {"SS58Prefix": (u16, (42).to_bytes(2, "little"))},
    )
    small.pallet("Balances", {"TotalIssuance": (u128, None, "", bytes(16))}, {"ExistentialDeposit": (u128, (100).to_bytes(16, "little"))})
    small.pallet("Sudo", {"Key": (who, None, "", None)})
    small.pallet(
        "Staking",
        {
            "ActiveEra": (era, None, "", None),
            "ErasRewardPoints": (points, u32, "Twox64Concat", bytes(5)),
            "Validators": (prefs, who, "Twox64Concat", bytes(5)),
            "Payee": (payee, who, "Twox64Concat", None),
        },
    )
    small.pallet(
        "Referenda",
        {"ReferendumCount": (u32, None, "", bytes(4)), "ReferendumInfoFor": (info, u32, "Blake2_128Concat", None)},
    )
    small.pallet("Paras", {"Heads": (data, u32, "Twox64Concat", None)})
    extra = small.type(b"\4" + scale.many([]))
    params = {"Address": address, "Call": call, "Signature": signature, "Extra": extra}
    return small.metadata(small.struct([data], ("sp_runtime", "UncheckedExtrinsic"), params))


METADATA = small_metadata()
RUNTIME = Runtime(METADATA)


def key(seed: int) -> str:
    return "0x" + bytes([seed]).hex() * 32


class SmallChain:
    """A node of it: `rpc` as a Reach's node answers. Block 0 is its genesis; storage is the same at every block.

    metadata: of another runtime, such as a real one."""

    def __init__(self, metadata: str = METADATA) -> None:
        self.metadata = metadata
        self.runtime = Runtime(metadata)
        self.blocks: list[tuple[list[str], str]] = [([], scale.events(self.runtime))]
        self.storage: dict[str, str] = {}
        self.calls: list[str] = []
        self.spec_version = 1

    def add(self, *extrinsics: tuple[str | None, Call], events: Sequence[tuple[int | None, str, str, Any]] = ()) -> int:
        """A block. signer None: unsigned."""
        raw = [
            scale.unsigned(self.runtime, call)
            if signer is None
            else scale.signed(self.runtime, signer, call, extra=scale.extra(self.runtime))
            for signer, call in extrinsics
        ]
        well = [(place, "System", "ExtrinsicSuccess", None) for place in range(len(raw))]
        self.blocks.append((raw, scale.events(self.runtime, *(events or well))))
        return len(self.blocks) - 1

    def put(self, pallet: str, item: str, *keys_and_value: Any) -> None:
        *keys, value = keys_and_value
        self.storage[self.runtime.key(pallet, item, *keys)] = scale.stored(self.runtime, pallet, item, value)

    def fill(self, pallet: str, item: str, *keys_and_value: Any) -> None:
        """The same, where `value` names some fields and the others are to be the plainest there are."""
        *keys, value = keys_and_value
        self.put(pallet, item, *keys, scale.filled(self.runtime._types, self.runtime._item(pallet, item).value, value))

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        self.calls.append(method)
        match method:
            case "chain_getFinalizedHead":
                return _hash(len(self.blocks) - 1)
            case "chain_getBlockHash":
                return _hash(params[0]) if params[0] < len(self.blocks) else None
            case "chain_getHeader":
                return self._header(_number(params[0]))
            case "chain_getBlock":
                number = _number(params[0])
                return {"block": {"header": self._header(number), "extrinsics": self.blocks[number][0]}}
            case "state_getMetadata":
                return self.metadata
            case "state_getRuntimeVersion":
                return {"specName": "small", "specVersion": self.spec_version}
            case "state_getStorage":
                if params[0] == self.runtime.key("System", "Events"):
                    return self.blocks[_number(params[1])][1]
                return self.storage.get(params[0])
            case "state_getKeysPaged":
                prefix, count, start = params[:3]
                return sorted(k for k in self.storage if k.startswith(prefix) and (start is None or k > start))[:count]
            case "state_queryStorageAt":
                return [{"block": params[1], "changes": [[key, self.storage.get(key)] for key in params[0]]}]
            case "system_properties":
                return {"tokenDecimals": 3, "tokenSymbol": "TST"}
        raise RpcError("Method not found", -32601)

    def _header(self, number: int) -> dict[str, Any]:
        return {"number": hex(number), "parentHash": _hash(max(0, number - 1))}


def _hash(number: int) -> str:
    return "0x" + number.to_bytes(32, "big").hex()


def _number(block_hash: str) -> int:
    return int(block_hash, 16)

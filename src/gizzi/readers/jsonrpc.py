"""Writes JSON-RPC requests and reads what nodes answer, however odd: nothing here raises anything but SourceError.

The functions named after a method turn its result into observations (fleet/names.py). A value of the wrong kind or out of range is left
out; a result without one right value is unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gizzi.errors import SourceError
from gizzi.readers.ss58 import public_key
from gizzi.readers.text import one_line

MAX_ANSWER_BYTES = 8_000_000
"""The longest answer that we ask for, `system_peers` with thousands of peers, has about 1 MB."""
REQUEST_ID = 1
"""What goes out in a POST of its own always has this id; the calls of a batch count on from it."""

METHOD_NOT_FOUND = -32601
_LARGEST = 2**63
_LONGEST_TEXT = 200

Observed = dict[str, Any]


class RpcError(SourceError):
    """A well-formed error answer: the node is there, and refuses or cannot do this call. Some servers leave the code out: None."""

    def __init__(self, message: str, code: int | None = None) -> None:
        self.code = code
        self.reason = one_line(message)
        super().__init__("rpc", f"error {code}: {self.reason}" if code is not None else f"error: {self.reason}")

    @property
    def unsafe(self) -> bool:
        """The method is closed to outsiders. Older nodes say so with code -32601, newer ones with 4003."""
        return "unsafe" in self.reason.lower()

    @property
    def unknown_method(self) -> bool:
        return not self.unsafe and (self.code == METHOD_NOT_FOUND or "method not found" in self.reason.lower())


Call = tuple[Any, ...]
"""A method and its parameters."""


def request(method: str, *params: Any) -> bytes:
    """The body of one call."""
    return json.dumps(_call(REQUEST_ID, method, *params)).encode()


def batch_request(calls: Sequence[Call]) -> bytes:
    """The body of several calls in one."""
    return json.dumps([_call(call_id, *call) for call_id, call in enumerate(calls, REQUEST_ID)]).encode()


def _call(call_id: int, method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}


def read_answer(body: bytes, expected_id: int = REQUEST_ID) -> Any:
    """The result in an answer; None where the node answered null. Raises RpcError for an error answer, else SourceError "unreadable"."""
    answer = read_json(body, MAX_ANSWER_BYTES)
    if not isinstance(answer, dict):
        raise SourceError("unreadable", f"the answer is {_kind(answer)}, not a JSON-RPC object")
    answer_id = answer.get("id")
    if answer_id is not None and (answer_id != expected_id or isinstance(answer_id, bool)):
        raise SourceError("unreadable", "the answer has the id of another request")
    return _result(answer)


def read_batch(body: bytes, count: int) -> list[Any]:
    """What each of so many calls gave: its result, or the SourceError that it alone failed with.

    Raises SourceError where that cannot be told: the server takes no batches, or says not which answer is whose. Each call can then still
    be made alone.
    """
    answers = read_json(body, MAX_ANSWER_BYTES)
    if isinstance(answers, dict) and answers.get("error") is not None:
        raise _error(answers["error"])
    if not isinstance(answers, list):
        raise SourceError("unreadable", f"the answer to a batch is {_kind(answers)}, not an array")
    by_id = {answer["id"]: answer for answer in answers if isinstance(answer, dict) and type(answer.get("id")) is int}
    if len(answers) != count or by_id.keys() != set(range(REQUEST_ID, REQUEST_ID + count)):
        raise SourceError("unreadable", "the answers to a batch are not one for each call")
    return [_outcome(by_id[call_id]) for call_id in range(REQUEST_ID, REQUEST_ID + count)]


def _outcome(answer: dict[str, Any]) -> Any:
    try:
        return _result(answer)
    except SourceError as error:
        return error


def _result(answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is not None:
        raise _error(error)
    if "result" not in answer:
        raise SourceError("unreadable", "the answer has neither a result nor an error")
    return answer["result"]


def read_json(body: bytes, limit_bytes: int) -> Any:
    """Any JSON text in UTF-8. Raises SourceError "unreadable", also for one nested too deep for Python to read."""
    if len(body) > limit_bytes:
        raise SourceError("unreadable", f"the answer is larger than {limit_bytes / 1e6:.3g} MB")
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise SourceError("unreadable", "the answer is nested too deep") from None
    except UnicodeDecodeError:
        raise SourceError("unreadable", "the answer is not UTF-8 text") from None
    except ValueError:  # not JSON, or a number of more than 4,300 digits
        what = "empty" if not body.strip() else "HTML" if body.lstrip().startswith(b"<") else "not JSON"
        raise SourceError("unreadable", f"the answer is {what}") from None


def _error(error: Any) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(error if isinstance(error, str) else "(no message)")
    message, code = error.get("message"), error.get("code")
    sane_code = code if isinstance(code, int) and not isinstance(code, bool) and -_LARGEST <= code < _LARGEST else None
    return RpcError(message if isinstance(message, str) and message else "(no message)", sane_code)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def whole(value: Any) -> int | None:
    """A JSON integer from 0 below 2**63; None for anything else."""
    return value if type(value) is int and 0 <= value < _LARGEST else None


def block_number(value: Any) -> int | None:
    """A block number as nodes write it: 4, "0x4" or "0x00000004". None for anything else."""
    if not isinstance(value, str):
        return whole(value)
    digits = value[2:]
    if value[:2] != "0x" or not 0 < len(digits) <= 32 or not digits.isalnum() or not digits.isascii():
        return None
    try:
        return whole(int(digits, 16))
    except ValueError:
        return None


def block_hash(value: Any) -> str | None:
    """0x and 64 small hexadecimal digits; None for anything else, such as the null for a block that the node does not have."""
    return public_key(value) if isinstance(value, str) and len(value) == 66 else None


def plain_text(value: Any) -> str | None:
    """A short text of one line, such as a version or a peer id; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable() else None


def _found(method: str, values: Observed) -> Observed:
    seen = {name: value for name, value in values.items() if value is not None}
    if not seen:
        raise SourceError("unreadable", f"{method} gave nothing that can be read")
    return seen


def _object(method: str, result: Any) -> dict[str, Any]:
    if not isinstance(result, dict):
        raise SourceError("unreadable", f"{method} gave {_kind(result)}, not an object")
    return result


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def system_health(result: Any) -> Observed:
    """rpc_peers, rpc_syncing and should_have_peers."""
    health = _object("system_health", result)
    return _found(
        "system_health",
        {
            "rpc_peers": whole(health.get("peers")),
            "rpc_syncing": _flag(health.get("isSyncing")),
            "should_have_peers": _flag(health.get("shouldHavePeers")),
        },
    )


def system_sync_state(result: Any) -> Observed:
    """rpc_block_height and rpc_highest_block, of which a node that is alone leaves out the second."""
    state = _object("system_syncState", result)
    return _found(
        "system_syncState",
        {"rpc_block_height": block_number(state.get("currentBlock")), "rpc_highest_block": block_number(state.get("highestBlock"))},
    )


def grandpa_round_state(result: Any) -> Observed:
    """grandpa_set_id, rpc_grandpa_round, grandpa_total_weight and grandpa_missing.

    Missing is who has been seen neither to prevote nor to precommit in the best round: precommits come a second or two after prevotes,
    and until then all of a healthy chain's are missing. Nodes write authority ids as SS58; here they are public keys (0x…).
    """
    state = _object("grandpa_roundState", result)
    best = state.get("best")
    best = best if isinstance(best, dict) else {}
    return _found(
        "grandpa_roundState",
        {
            "grandpa_set_id": whole(state.get("setId")),
            "rpc_grandpa_round": whole(best.get("round")),
            "grandpa_total_weight": whole(best.get("totalWeight")),
            "grandpa_missing": _missing(best.get("prevotes"), best.get("precommits")),
        },
    )


def system_peer_ids(result: Any) -> frozenset[str]:
    """The peer ids that `system_peers` lists. Raises SourceError where it is no list."""
    if not isinstance(result, list):
        raise SourceError("unreadable", f"system_peers gave {_kind(result)}, not an array")
    ids = (plain_text(peer.get("peerId")) for peer in result if isinstance(peer, dict))
    return frozenset(peer_id for peer_id in ids if peer_id is not None)


def _missing(prevotes: Any, precommits: Any) -> tuple[str, ...] | None:
    lists = [votes["missing"] for votes in (prevotes, precommits) if isinstance(votes, dict) and isinstance(votes.get("missing"), list)]
    if not lists or not all(isinstance(voter, str) and len(voter) <= 80 for voters in lists for voter in voters):
        return None
    unseen = dict.fromkeys(lists[0])
    if len(lists) == 2:
        also = frozenset(lists[1])
        unseen = {voter: None for voter in unseen if voter in also}
    return tuple(public_key(voter) or one_line(voter) for voter in unseen)

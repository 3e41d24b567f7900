"""Whether a validator answers, and how it fails where it does not.

A failure shorter than 10 s says nothing: requests get lost, and a planned restart takes that long. A refused connection is certain; an
answer that did not come in time may only be slow, so it takes longer to count. Where neither way in answers, or the only one does not,
the whole node is in question: that is for node_down and node_unresponsive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, duration_text, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView

_WAYS = {"metrics": "metrics page", "rpc": "RPC"}
_HOW = {
    "refused": "connection refused",
    "timeout": "no answer in time",
    "unreadable": "answers nonsense",
    "unauthorised": "access denied",
    "http": "an HTTP error",
    "rpc": "answers with an error",
}
_NO_ANSWER = frozenset({"refused", "timeout"})
_WORKS = "works"
_NOT_KNOWN = "not known"

_STATE = ("peers_low", "best_stalled", "finality_stalled", "finality_lagging", "syncing", "fork")
_DUTIES = ("not_voting", "not_validating", "not_authoring", "left_active_set", "quorum_at_risk")
_NETWORK = ("authority_discovery_failing", "no_incoming")


def _failures(v: ValidatorView) -> dict[str, str]:
    """Each of its ways in, and the kind of its present failure, or "works", or "not known" (the Prometheus server that tells is gone)."""
    found: dict[str, str] = {}
    for way, up, url in (("metrics", v.metrics_up, v.config.metrics_url), ("rpc", v.rpc_up, v.config.rpc_url)):
        if up:
            found[way] = _WORKS
        elif up is not None:
            found[way] = v.failure(way) or "refused"
        elif url is not None or v.seen_at(f"{way}_up") is not None:
            found[way] = _NOT_KNOWN
    return found


def _told(kinds: dict[str, str]) -> str:
    """ "metrics page: connection refused; RPC: no answer in time"."""
    return "; ".join(f"{_WAYS[way]}: {_HOW.get(kind, 'fails')}" for way, kind in kinds.items() if kind != _WORKS)


@rule(
    "node_down",
    severity="high",
    hold="10s",
    needs=("metrics_up", "rpc_up"),
    explains=("process_down", "metrics_down", "metrics_unreadable", "rpc_down", *_STATE, *_DUTIES, *_NETWORK),
)
def node_down(v: ValidatorView, fleet: ChainView) -> Answer:
    """The node is gone: every way in to it refuses connections. Its process has ended, or its host or network is down."""
    if v.up:
        return None
    if v.up is None:
        return UNKNOWN
    kinds = _failures(v)
    if _NOT_KNOWN in kinds.values():
        return UNKNOWN
    if any(kind != "refused" for kind in kinds.values()):
        return None
    unit_at, failing_at = v.seen_at("unit_active"), v.now - max(v.still_s("metrics_up") or 0.0, v.still_s("rpc_up") or 0.0)
    if v.unit_active is None or unit_at is None or unit_at < failing_at:
        return _told(kinds)
    return f"{_told(kinds)}; its unit {'runs' if v.unit_active else 'is not active'}"


@rule(
    "node_unresponsive",
    severity="high",
    hold="13s",  # the ten that a slow node gets when it is asked again, and three more: what ended meanwhile is seen to have ended
    needs=("metrics_up", "rpc_up"),
    explains=("metrics_down", "metrics_unreadable", "rpc_down", *_STATE, *_DUTIES, *_NETWORK),
)
def node_unresponsive(v: ValidatorView, fleet: ChainView) -> Answer:
    """The node hangs: connections are accepted, but no way in to it gives an answer in time."""
    if v.up:
        return None
    if v.up is None:
        return UNKNOWN
    kinds = _failures(v)
    if _NOT_KNOWN in kinds.values():
        return UNKNOWN
    return _told(kinds) if _hangs(kinds) else None


@rule("metrics_down", severity="medium", hold="10s", needs=("metrics_up",))
def metrics_down(v: ValidatorView, fleet: ChainView, *, slow_s: float = 90.0) -> Answer:
    """The node runs, but its metrics page cannot be read: most of what Gizzi watches is not seen."""
    if v.metrics_up:
        return None
    if v.metrics_up is None:
        return UNKNOWN
    kinds = _failures(v)
    if kinds["metrics"] == "unreadable" or kinds.get("rpc", kinds["metrics"]) in _NO_ANSWER or _hangs(kinds):
        return None
    return _failing(v, "metrics", kinds, slow_s)


@rule("rpc_down", severity="high", hold="10s", needs=("rpc_up",))
def rpc_down(v: ValidatorView, fleet: ChainView, *, slow_s: float = 90.0) -> Answer:
    """The node runs, but its RPC fails: applications that use it are cut off, and votes and forks are not seen."""
    if v.rpc_up:
        return None
    if v.rpc_up is None:
        return UNKNOWN
    kinds = _failures(v)
    if kinds.get("metrics", kinds["rpc"]) in _NO_ANSWER or _hangs(kinds):
        return None
    return _failing(v, "rpc", kinds, slow_s)


@rule("metrics_unreadable", severity="medium", hold="10s", needs=("metrics_up",), explains=("rpc_down",))
def metrics_unreadable(v: ValidatorView, fleet: ChainView) -> Answer:
    """Something answers on the metrics port, but not with metrics: another program, a proxy's page, or a broken node."""
    if v.metrics_up:
        return None
    if v.metrics_up is None:
        return UNKNOWN
    if v.failure("metrics") != "unreadable":
        return None
    return f"the metrics port answers, but not with metrics: {v.failure_text('metrics')[:200]}"


@rule("process_down", severity="high", hold="10s", needs=("unit_active",), explains=(*_STATE, *_DUTIES, *_NETWORK))
def process_down(v: ValidatorView, fleet: ChainView) -> Answer:
    """The unit that runs the node is not active, and nothing of the node answers."""
    if v.unit_active:
        return None
    if v.unit_active is None:
        return UNKNOWN
    if v.up:
        return None
    return f"its unit {v.config.unit} is {v.unit_state or 'not active'}".strip()


def _hangs(kinds: dict[str, str]) -> bool:
    """Nothing of it works, and it is not simply gone: something takes the connection, or a proxy answers in its place."""
    how = set(kinds.values())
    return not how & {_WORKS, _NOT_KNOWN} and ("timeout" in how or ("http" in how and how <= {"http", "refused"}))


def _failing(v: ValidatorView, way: str, kinds: dict[str, str], slow_s: float) -> Answer:
    """The alert for one way in; an answer that does not come in time counts after `slow_s`, because single answers get lost."""
    told = _told({way: kinds[way]}) + "".join(f", while the {_WAYS[other]} works" for other, kind in kinds.items() if kind == _WORKS)
    if kinds[way] != "timeout":
        return told
    failing_s = v.still_s(f"{way}_up") or 0.0
    if failing_s < slow_s:
        return None if v.moved(f"{way}_up") else UNKNOWN
    return f"{told}, for {duration_text(failing_s)}"

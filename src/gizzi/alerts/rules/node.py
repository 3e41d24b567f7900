"""The node program itself: its queues, tasks, version and restarts, and what it exposes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gizzi import UNKNOWN, Answer, Finding, duration_text, rule

if TYPE_CHECKING:
    from gizzi.fleet.view import ChainView, ValidatorView


@rule("tx_queue_high", severity="medium", hold="2m", needs=("ready_transactions",), series=("ready_transactions",))
def tx_queue_high(
    v: ValidatorView, fleet: ChainView, *, above: int = 10_000, rising_above: int = 1_000, rising_for_s: float = 1800.0
) -> Answer:
    """Transactions pile up in its pool: more than `above`, or more than `rising_above` and rising all the time."""
    ready = v.ready_transactions
    if ready is None:
        return UNKNOWN
    if ready > above:
        return f"{ready} transactions are ready for a block (more than {above})"
    if ready <= rising_above:
        return None
    if v.watched_s("ready_transactions") < rising_for_s:
        return UNKNOWN
    means = _means(v.window("ready_transactions", rising_for_s), v.now - rising_for_s, rising_for_s / 6, 6)
    if len(means) < 6 or any(later <= earlier for earlier, later in pairwise(means)):
        return None
    return f"{ready} transactions are ready for a block, and ever more for {duration_text(rising_for_s)} (from {means[0]:.0f})"


def _means(samples: list[tuple[float, float]], start_at: float, step_s: float, steps: int) -> list[float]:
    """The mean of each step's samples; steps without one are left out."""
    bins: list[list[float]] = [[] for _ in range(steps)]
    for at, value in samples:
        bins[min(steps - 1, max(0, int((at - start_at) / step_s)))].append(value)
    return [sum(values) / len(values) for values in bins if values]


@rule("channel_clogged", severity="medium", hold="10s", needs=("channel_max_size",), series=("channel_max_size",))
def channel_clogged(v: ValidatorView, fleet: ChainView, *, above: int = 200, for_s: float = 300.0, at_once_above: int = 15_000) -> Answer:
    """Messages pile up inside the node: a part of it hangs or is too slow. It often ends in a stall."""
    size = v.channel_max_size
    if size is None:
        return UNKNOWN
    if size < above:
        return None
    name = f"channel {v.channel_max_name}" if v.channel_max_name else "its fullest channel"
    if size > at_once_above:
        return Finding(f"{size} messages wait in {name} (more than {at_once_above})", severity="high")
    if v.watched_s("channel_max_size") < for_s:
        return UNKNOWN
    if v.change("channel_max_size", for_s)[0] < for_s * 0.9 or min(value for _, value in v.window("channel_max_size", for_s)) < above:
        return None
    return f"{size} messages wait in {name}, {above} or more for {duration_text(for_s)}"


@rule("task_ended", severity="medium", hold="10s", needs=("tasks_ended",))
def task_ended(v: ValidatorView, fleet: ChainView) -> Answer:
    """A task that should run as long as the node has ended: a part of the node is dead until it is restarted."""
    ended = v.tasks_ended
    if not ended:
        return UNKNOWN if ended is None else None
    more = f" and {len(ended) - 3} more" if len(ended) > 3 else ""
    return f"ended inside the node: {', '.join(name[:60] for name in ended[:3])}{more}"


@rule("version_skew", severity="low", hold="10m", needs=("version", "rpc_version"))
def version_skew(v: ValidatorView, fleet: ChainView, *, quiet_s: float = 3600.0) -> Answer:
    """It runs another version than most of its chain's validators, and no upgrade is under way: it was forgotten, or tried alone."""
    version = v.version
    if version is None:
        return UNKNOWN
    usual = fleet.usual_version
    if usual is None or version == usual:
        return None
    if any(o.moved("version") and (o.still_s("version") or 0.0) < quiet_s for o in fleet.validators):
        return UNKNOWN
    same = sum(1 for o in fleet.validators if o.version == usual)
    return f"it runs version {version[:60]}, while {same} of its chain's {len(fleet.validators)} validators run {usual[:60]}"


@rule("unsafe_rpc", severity="high", hold="10s", needs=("unsafe_rpc",), optional=True)
def unsafe_rpc(v: ValidatorView, fleet: ChainView) -> Answer:
    """Its RPC answers unsafe methods to outsiders: anybody may change its keys or read its peers. Start it without --rpc-methods=unsafe."""
    exposed = v.unsafe_rpc
    if not exposed:
        return UNKNOWN if exposed is None else None
    return f"{v.config.rpc_url} answers system_peers, an unsafe method, to callers from outside"


@rule(
    "restarts_unplanned",
    severity="medium",
    hold="10s",
    needs=("process_start_at", "unit_restarts"),
    series=("process_start_at",),
    optional=True,
)
def restarts_unplanned(v: ValidatorView, fleet: ChainView, *, within_s: float = 3600.0, many: int = 3) -> Answer:
    """The node restarts again and again, or died and was started again by systemd. One clean restart by a person is none of it."""
    started_at, restarts = v.process_start_at, v.unit_restarts
    if started_at is None and restarts is None:
        return UNKNOWN
    if started_at is not None and v.now - started_at > within_s:
        return None
    if v.unclean_stop and v.up and started_at is not None and (v.seen_at("unclean_stop") or 0.0) > started_at:
        return f"it died with its database open and started again {duration_text(max(0.0, v.now - started_at))} ago"
    times = _starts(v, within_s)
    if times >= many:
        return Finding(f"it has restarted {times} times in the last {duration_text(within_s)}", severity="high")
    restarted_s = v.still_s("unit_restarts")
    if restarts and restarted_s is not None and restarted_s < within_s:
        if not v.moved("unit_restarts"):
            return UNKNOWN
        return Finding(f"it died and systemd started it again {duration_text(restarted_s)} ago ({restarts} times so far)", severity="low")
    return None if v.watched_s("process_start_at") >= within_s else UNKNOWN


def _starts(v: ValidatorView, within_s: float) -> int:
    """How often its start time changed within that time, by more than a clock's jitter."""
    starts = [value for _, value in v.window("process_start_at", within_s)]
    return sum(1 for before, after in pairwise(starts) if after - before > 2.0)

"""What the guard and the verdict look at: the loop's own view in its process, what it stored elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gizzi.alerts.alert import Alert, validator_subject
from gizzi.engine.act.verdict import Look
from gizzi.engine.watch import STEP_S, Watch
from gizzi.fleet.status import health_of
from gizzi.fleet.view import ChainView, ValidatorView

BLOCKS_BEHIND = 2
FEWEST_PEERS = 3
VOTES_WITHIN_S = 60.0
FROM_ITS_HOST = ("unclean_stop", "genesis_line", "own_equivocations")


class World(Protocol):
    async def look(self, number: int) -> Look | None:
        """What is known of it now; None where it is no validator of this fleet."""
        ...

    async def freshen(self, number: int) -> None:
        """Have it looked at once more before something is done to it: what its host tells is else up to half a minute old."""
        ...


class WatchWorld:
    """The world as the loop of this process sees it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    async def look(self, number: int) -> Look | None:
        return look(self._watch, number)

    async def freshen(self, number: int) -> None:
        watch = self._watch
        if number not in watch.fleet.validators:
            return
        asked_at = watch.clock.now()
        tracks = watch.fleet.histories[number].tracks
        watch.collector.ask_again(number, FROM_ITS_HOST)
        waited_for = [tracks[name] for name in FROM_ITS_HOST if name in tracks]
        while watch.clock.now() < asked_at + watch.settings.collect.timeout_s + STEP_S:
            if all(track.at >= asked_at for track in waited_for):
                return
            await watch.clock.sleep(STEP_S)


def look(watch: Watch, number: int) -> Look | None:
    """One validator now, from the loop's own histories."""
    validator = watch.fleet.validators.get(number)
    if validator is None:
        return None
    now = watch.clock.now()
    view, chain = watch.fleet.view(number, now), watch.fleet.chain_view(validator.chain, now)
    own = [alert for alert in watch.book.alerts.values() if alert.subject == validator_subject(number)]
    firing = [alert for alert in own if alert.state == "firing"]
    return Look(
        at=now,
        number=number,
        chain=validator.chain,
        facts=watch.facts(number).as_json(),
        authorities=chain.authorities,
        missing=missing(chain),
        rejoined=rejoined(view, chain),
        seen_at=max((view.seen_at(way) or 0.0 for way in ("metrics_up", "rpc_up")), default=0.0) or None,
        health=health_of(view, own)[0],
        alerts=sorted({alert.rule for alert in firing}),
        settles=watch.is_new(now) or watch.settles(number, now),
        recovering=recovering(firing),
        version=view.version,
        version_at=view.fresh_at("version"),
        session_changed_at=chain.votes.set_changed_at,
    )


def recovering(firing: Iterable[Alert]) -> list[int]:
    """Incidents of which nothing holds any more: each of their alerts is about to resolve."""
    holds: dict[int, bool] = {}
    for alert in firing:
        if alert.incident is not None:
            holds[alert.incident] = holds.get(alert.incident, False) or alert.clear_since is None
    return sorted(incident for incident, still in holds.items() if not still)


def missing(chain: ChainView) -> tuple[int | str, ...]:
    """Ours by number, then the strangers' ids; of those one less for each of ours whose id nobody told us."""
    ours = {v.config.authority_id for v in chain.validators}
    strangers = sorted(chain.absent_ids - ours)
    return (*chain.missing, *strangers[: chain.missing_count - len(chain.missing)])


def rejoined(v: ValidatorView, chain: ChainView) -> bool | None:
    """Whether it is back among those that vote: peers >= 3, not syncing, at most 2 blocks behind, own votes rising."""
    if not v.up:
        return v.up
    known = (v.peers, v.block_height, chain.median_height)
    if v.syncing is None or None in known:
        return None
    if v.syncing or v.peers < FEWEST_PEERS or chain.median_height - v.block_height > BLOCKS_BEHIND:
        return False
    return _votes(v, chain) if v.config.authority else True


def _votes(v: ValidatorView, chain: ChainView) -> bool | None:
    identity = v.config.authority_id
    if identity is not None and chain.votes.voted_at:
        return identity not in chain.absent_ids
    if v.prevotes_total is None:
        return None
    moved_at = v.stands_since("prevotes_total")
    return moved_at is not None and v.moved("prevotes_total") and chain.now - moved_at < VOTES_WITHIN_S

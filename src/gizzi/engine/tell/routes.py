"""Who is told of an incident: by its severity, the hour, and how long nobody has acknowledged it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from gizzi.config import Settings
from gizzi.kinds import SEVERITIES, Severity

HOUR_LOOK_S = 60.0
"""How often the clock is looked at, where routes have hours."""


@dataclass(frozen=True, slots=True)
class Way:
    """A route to its channels (their ids). hours: minutes of the day, from and until; None: always."""

    severity: Severity
    hours: tuple[int, int] | None
    after_s: float
    channels: tuple[str, ...]

    def is_for(self, severity: Severity) -> bool:
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)

    def is_on(self, minute: int) -> bool:
        """At that minute of the day. Hours that end before they begin go past midnight; those that end when they begin are all day."""
        if self.hours is None:
            return True
        begin, end = self.hours
        return begin <= minute < end if begin < end else minute >= begin or minute < end


@dataclass(frozen=True, slots=True)
class Ways:
    ways: tuple[Way, ...]
    zone: tzinfo = UTC

    def wanted(self, severity: Severity, now: float, unanswered_s: float | None) -> list[str]:
        """The channels to be told now, in order.

        unanswered_s: for how long nobody has acknowledged; None: somebody has, so nobody else is called.
        """
        at = datetime.fromtimestamp(now, self.zone)
        minute = at.hour * 60 + at.minute
        waited_s = 0.0 if unanswered_s is None else unanswered_s
        found = [way for way in self.ways if way.is_for(severity) and way.is_on(minute) and way.after_s <= waited_s]
        return list(dict.fromkeys(channel for way in found for channel in way.channels))

    def called_late(self, severity: Severity, now: float, channel: str) -> bool:
        """Whether this channel would not have been told at once: it is the next person's."""
        return channel not in self.wanted(severity, now, 0.0)

    def next_look_s(self, severity: Severity, unanswered_s: float) -> float | None:
        """In how many seconds more channels may be wanted; None: never by time alone."""
        later = [way.after_s - unanswered_s for way in self.ways if way.is_for(severity) and way.after_s > unanswered_s]
        if any(way.hours is not None and way.is_for(severity) for way in self.ways):
            later.append(HOUR_LOOK_S)
        return min(later, default=None)


def channel_id(url: str) -> str:
    """Names a channel in the store, where its address, a secret, must not be."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def addresses(settings: Settings) -> Iterator[str]:
    """Every channel's address, in the order of the configuration, each once."""
    urls = [*settings.notify.urls, *(url for route in settings.notify.routes for url in route.urls)]
    return iter(dict.fromkeys(url.get_secret_value() for url in urls))


def ways_of(settings: Settings) -> Ways:
    notify = settings.notify
    first = [Way("medium", None, 0.0, _ids(notify.urls))] if notify.urls else []
    routes = [Way(route.severity, _minutes(route.hours), route.after_s, _ids(route.urls)) for route in notify.routes]
    return Ways((*first, *routes), UTC if notify.timezone == "UTC" else ZoneInfo(notify.timezone))


def _ids(urls: Sequence[object]) -> tuple[str, ...]:
    return tuple(channel_id(url.get_secret_value()) for url in urls)  # type: ignore[attr-defined]


def _minutes(hours: str) -> tuple[int, int] | None:
    """ "22:00-07:00" as minutes of the day."""
    if not hours:
        return None
    begin, end = ([int(part) for part in time.split(":")] for time in hours.split("-"))
    return begin[0] * 60 + begin[1], end[0] * 60 + end[1]

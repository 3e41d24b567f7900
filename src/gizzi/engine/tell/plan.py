"""Which channel hears which news. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gizzi.engine.tell.news import Case, Found, News, Told, after, news_of
from gizzi.engine.tell.routes import Ways
from gizzi.kinds import SEVERITIES, Severity

CALLS = frozenset({"opened", "reopened", "worse", "approval", "decided"})
"""News for which channels are called that were not told yet, even where somebody has acknowledged."""


@dataclass(frozen=True, slots=True)
class Plan:
    """to: the news for each channel, by its id. told: what people know then; None where nothing changes. look_at: when to look again."""

    to: Mapping[str, Sequence[News]] = field(default_factory=dict)
    told: Told | None = None
    look_at: float | None = None


def plan(case: Case, ways: Ways, one_by_one: Mapping[str, bool], remind: Mapping[Severity, float], now: float) -> Plan:
    """What is to be told of one incident now. one_by_one: the configured channels, and whether they keep incidents of their own."""
    found = news_of(case, remind, now)
    known = _known(case, found, ways, one_by_one, now)
    called = _called(case, found, ways, known, now)
    _look_again(case, found, ways, now)
    if not found.news and not called:
        return Plan(look_at=found.look_at)
    to = {channel: news for channel in known if (news := _for_known(found.news, one_by_one[channel]))}
    for channel in called:
        if not (case.over and one_by_one[channel]):
            to[channel] = _for_called(case, found.news, ways, channel, now)
    told = after(case, found.news, (*known, *called), now)
    return Plan(to, told, found.look_at)


def _known(case: Case, found: Found, ways: Ways, one_by_one: Mapping[str, bool], now: float) -> list[str]:
    """Channels that were told of it. Once it comes back, the next person is called only after their time again."""
    known = [channel for channel in (case.told.channels if case.told else ()) if channel in one_by_one]
    if any(item.kind == "reopened" for item in found.news):
        return [channel for channel in known if not ways.called_late(case.incident.severity, now, channel)]
    return known


def _called(case: Case, found: Found, ways: Ways, known: Sequence[str], now: float) -> list[str]:
    """Channels that were not told of it, and now are."""
    kinds = {item.kind for item in found.news}
    begins = bool(kinds & {"opened", "reopened"})
    known_to_be_open = case.told is not None and not case.told.over and not case.over
    if not begins and (not known_to_be_open or (case.is_acknowledged and not kinds & CALLS) or case.is_silenced(now)):
        return []
    severity = _severity(case, kinds)
    since = now if begins or case.told is None or not known else case.told.since
    wanted = ways.wanted(severity, now, None if case.is_acknowledged else now - since)
    return [channel for channel in wanted if channel not in known]


def _severity(case: Case, kinds: Collection[str]) -> Severity:
    """An approval is asked of a person, however small the incident."""
    severity = case.incident.severity
    return max(severity, "medium", key=SEVERITIES.index) if "approval" in kinds else severity


def _look_again(case: Case, found: Found, ways: Ways, now: float) -> None:
    """When time alone calls somebody."""
    if case.over or case.is_acknowledged or case.is_silenced(now):
        return
    since = case.told.since if case.told is not None and not case.told.over else now
    in_s = ways.next_look_s(case.incident.severity, now - since)
    if in_s is not None:
        found.later(now + in_s)


def _for_known(news: Sequence[News], one_by_one: bool) -> list[News]:
    """Who keeps incidents of its own hears of acknowledgements and of what went on in another one, and reminds people itself."""
    unwanted = {"reminder"} if one_by_one else {"acknowledged", "merged"}
    return [item for item in news if item.kind not in unwanted]


def _for_called(case: Case, news: Sequence[News], ways: Ways, channel: str, now: float) -> list[News]:
    """The whole of it, as for somebody who hears of it for the first time; with the approvals that others were asked for before."""
    begins = [item for item in news if item.kind in ("opened", "reopened")]
    late = not begins and ways.called_late(_severity(case, {item.kind for item in news}), now, channel)
    first = begins or [News("escalated" if late else "opened")]
    open_approvals = [News("approval", note=note) for note in case.approvals(now)]
    return [*first, *(item for item in news if item.kind == "action"), *open_approvals]

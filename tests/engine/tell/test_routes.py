"""Who is told: severity, hours, and how long nobody has answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.config import parse
from gizzi.engine.tell.routes import Way, Ways, channel_id, ways_of
from gizzi.errors import ConfigError
from gizzi.kinds import SEVERITIES

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
MINUTES = st.integers(0, 1439)


def ways(**notify: Any) -> Ways:
    return ways_of(parse({"notify": notify}, "test"))


def test_without_routes_medium_and_worse_go_to_the_urls() -> None:
    found = ways(urls=["json://a"])
    assert [bool(found.wanted(severity, NOON, 0.0)) for severity in SEVERITIES] == [False, True, True, True]


def test_a_night_route_is_on_at_night_in_its_time_zone() -> None:
    routes = [{"severity": "high", "hours": "22:00-07:00", "urls": ["json://night"]}]
    found = ways(routes=routes, timezone="America/New_York")
    at_3_in_new_york = datetime(2026, 11, 23, 8, 0, tzinfo=UTC).timestamp()
    assert found.wanted("critical", at_3_in_new_york, 0.0) == [channel_id("json://night")]
    assert found.wanted("critical", NOON, 0.0) == []
    assert found.wanted("medium", at_3_in_new_york, 0.0) == []


def test_the_next_person_is_called_after_their_time_and_not_once_somebody_has_acknowledged() -> None:
    found = ways(urls=["json://first"], routes=[{"after": "15m", "urls": ["json://next"]}])
    first, following = channel_id("json://first"), channel_id("json://next")
    assert found.wanted("high", NOON, 899.0) == [first]
    assert found.wanted("high", NOON, 900.0) == [first, following]
    assert found.wanted("high", NOON, None) == [first]
    assert found.called_late("high", NOON, following) and not found.called_late("high", NOON, first)
    assert found.next_look_s("high", 300.0) == 600.0 and found.next_look_s("high", 900.0) is None


@given(MINUTES, MINUTES, MINUTES)
def test_hours_and_their_complement_cover_each_minute_once(begin: int, end: int, minute: int) -> None:
    there, back = Way("low", (begin, end), 0.0, ("a",)), Way("low", (end, begin), 0.0, ("a",))
    if begin == end:
        assert there.is_on(minute)
    else:
        assert there.is_on(minute) != back.is_on(minute)


@given(
    st.lists(st.builds(Way, st.sampled_from(SEVERITIES), st.none(), st.floats(0, 3600), st.tuples(st.sampled_from("abcd")))),
    st.sampled_from(SEVERITIES),
    st.floats(0, 7200),
    st.floats(0, 7200),
)
def test_worse_and_longer_never_tell_fewer(found: list[Way], severity: Any, waited_s: float, more_s: float) -> None:
    told = Ways(tuple(found)).wanted(severity, NOON, waited_s)
    assert len(told) == len(set(told))
    assert set(told) <= set(Ways(tuple(found)).wanted(severity, NOON, waited_s + more_s))
    assert set(told) <= set(Ways(tuple(found)).wanted("critical", NOON, waited_s))


@pytest.mark.parametrize(
    ("notify", "words"),
    [
        ({"urls": ["slack"]}, "an address"),
        ({"routes": [{"urls": []}]}, "urls"),
        ({"routes": [{"hours": "25:00-07:00", "urls": ["json://a"]}]}, "25:00-07:00"),
        ({"dead_man_url": "slack://x"}, "https://"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"remind": {"awful": "1h"}}, "remind"),
        ({"routes": [{"after": "soon", "urls": ["json://a"]}]}, "soon"),
    ],
)
def test_a_wrong_key_is_named(notify: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match="notify") as caught:
        parse({"notify": notify}, "test")
    assert words in str(caught.value)


def test_addresses_are_never_shown() -> None:
    settings = parse({"notify": {"urls": ["slack://TOKENTOKEN"], "routes": [{"urls": ["pagerduty://KEYKEYKEY"]}]}}, "test")
    for shown in (str(settings), repr(settings.notify), settings.model_dump_json()):
        assert "TOKENTOKEN" not in shown and "KEYKEYKEY" not in shown

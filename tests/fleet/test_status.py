"""A validator's status: unknown is never healthy, and no number is made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.config import Validator
from gizzi.fleet.history import History
from gizzi.fleet.observation import Collected, Failure
from gizzi.fleet.status import status
from gizzi.fleet.view import ValidatorView

CONTRACT = [
    *("number", "name", "chain", "block_height", "finalized_height", "finalization_lag", "peers", "health"),
    *("reasons", "up", "syncing", "version", "observed_at"),
]
SEEN: dict[str, Any] = {"block_height": 100, "finalized_height": 97, "peers": 9, "syncing": False, "version": "1.0"}


@dataclass
class Trouble:
    severity: str
    state: str
    text: str = "something"


def shown(*looks: Collected, now: float = 1.0, troubles: Any = ()) -> dict[str, Any]:
    history = History()
    for look in looks:
        history.observe(look)
    return status(ValidatorView(Validator(number=6, name="six", chain="main"), history, now), history, troubles)


def page(at: float = 0.0, failure: Failure | None = None, **values: Any) -> Collected:
    return Collected(6, "metrics", at, values, failure, 18.0)


def test_all_is_there_and_fresh() -> None:
    assert list(shown(page(**SEEN))) == CONTRACT
    assert shown(page(**SEEN)) == {
        "number": 6,
        "name": "six",
        "chain": "main",
        "finalization_lag": 3,
        "health": "healthy",
        "reasons": [],
        "up": True,
        "observed_at": "1970-01-01T00:00:00.000Z",
        **SEEN,
    }


def test_nothing_was_ever_seen() -> None:
    found = shown()
    assert {name for name, value in found.items() if value is not None} == {"number", "name", "chain", "health", "reasons"}
    assert (found["health"], found["reasons"]) == ("unknown", ["nothing fresh has been seen of it"])


def test_it_was_seen_long_ago() -> None:
    found = shown(page(**SEEN), now=18.5)
    assert (found["health"], found["up"], found["block_height"]) == ("unknown", None, None)
    assert found["observed_at"] == "1970-01-01T00:00:00.000Z"


def test_it_fails_and_says_why_at_once_while_what_it_told_is_still_believed() -> None:
    found = shown(page(**SEEN), page(5.0, Failure("refused", "no connection to 127.0.0.1:9615: Connection refused")), now=6.0)
    assert (found["up"], found["block_height"]) == (False, 100)
    found = shown(page(**SEEN), page(15.0, Failure("refused", "no connection to 127.0.0.1:9615")), now=20.0)
    assert (found["health"], found["up"], found["block_height"]) == ("unknown", False, None)
    assert found["reasons"] == ["not seen: block_height, peers", "no connection to 127.0.0.1:9615"]


@pytest.mark.parametrize(
    ("troubles", "health"),
    [
        ((), "healthy"),
        ((Trouble("critical", "pending"),), "healthy"),
        ((Trouble("low", "firing"),), "warning"),
        ((Trouble("medium", "firing"), Trouble("high", "pending")), "warning"),
        ((Trouble("medium", "firing"), Trouble("high", "firing")), "critical"),
        ((Trouble("critical", "firing"),), "critical"),
    ],
)
def test_health_follows_what_fires(troubles: tuple[Trouble, ...], health: str) -> None:
    assert shown(page(**SEEN), troubles=troubles)["health"] == health


def test_reasons_say_which_are_not_yet_confirmed_and_nothing_twice() -> None:
    troubles = (Trouble("high", "firing", "1 peer"), Trouble("high", "firing", "1 peer"), Trouble("low", "pending", "syncing"))
    assert shown(page(**SEEN), troubles=troubles)["reasons"] == ["1 peer", "syncing (not yet confirmed)"]


TROUBLES = st.lists(
    st.builds(Trouble, st.sampled_from(("low", "medium", "high", "critical")), st.sampled_from(("pending", "firing"))), max_size=4
)
FAILURE = st.sampled_from((None, Failure("refused", "no"), Failure("unreadable", "nonsense")))
LOOK = st.builds(
    lambda at, source, values, failure: Collected(6, source, at, {} if failure else values, failure, 18.0),
    st.floats(0.0, 60.0),
    st.sampled_from(("metrics", "rpc", "prometheus")),
    st.dictionaries(st.sampled_from(("block_height", "finalized_height", "peers", "rpc_peers", "version")), st.integers(0, 50), max_size=4),
    FAILURE,
)


@given(st.lists(LOOK, max_size=12), st.floats(0.0, 30.0), TROUBLES)
def test_healthy_only_with_fresh_essentials_and_nothing_firing(looks: list[Collected], later_s: float, troubles: list[Trouble]) -> None:
    looks = sorted(looks, key=lambda look: look.at)
    now = (looks[-1].at if looks else 0.0) + later_s
    found = shown(*looks, now=now, troubles=troubles)
    fresh = {name for look in looks if look.at + 18.0 >= now for name in look.values}
    essentials = "block_height" in fresh and bool(fresh & {"peers", "rpc_peers"})
    if found["health"] == "healthy":
        assert essentials and found["up"] and not any(trouble.state == "firing" for trouble in troubles)
    if found["health"] == "unknown":
        assert found["reasons"], "and says why"
    for name in ("block_height", "finalized_height", "peers", "version"):
        assert (found[name] is None) == (not fresh & {name, f"rpc_{name}"})
    assert (found["observed_at"] is None) == all(look.failure for look in looks)

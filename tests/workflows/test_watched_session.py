"""The session after a batch: who is not seen for a moment is waited for, who is not seen at all stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gizzi import GizziError
from gizzi.workflows.rolling_upgrade import DIP_S, _Upgrade, _watch


class Seen:
    """A run that looks. sees: whether a validator is seen, and votes, so many seconds after the start; None: nobody watches it."""

    id = "test"

    def __init__(self, sees: Callable[[float, int], bool | None]) -> None:
        self.sees = sees
        self.at = 1000.0

    async def look(self, validator: int) -> dict[str, Any] | None:
        rejoined = self.sees(self.at - 1000.0, validator)
        return None if rejoined is None else {"number": validator, "at": self.at, "rejoined": rejoined}

    async def sleep(self, duration_s: float) -> None:
        self.at += duration_s


async def watched(sees: Callable[[float, int], bool | None], session_s: float = 600.0) -> float:
    """How long it took."""
    run: Any = Seen(sees)
    assert await _watch(_Upgrade(run, "2.0", 0, session_s, frozenset({1, 2})), [1, 2]) == "they voted for 10 min"
    return float(run.at - 1000.0)


async def test_a_daemon_that_is_started_again_meanwhile_does_not_stop_it() -> None:
    assert await watched(lambda at, number: None if 200 <= at < 200 + DIP_S else True) == 600
    assert await watched(lambda at, number: None if at < 60 else True) == 660, "a session that nobody saw the start of is not over sooner"
    assert await watched(lambda at, number: None if 550 <= at < 650 else True) == 650, "it does not end unseen"


async def test_what_is_not_known_yet_after_a_gap_is_no_failure() -> None:
    assert await watched(lambda at, number: None if 200 <= at < 350 else not 350 <= at < 450) == 600


async def test_one_that_nobody_watches_any_more_stops_it() -> None:
    for unseen in ([2], [1, 2]):
        with pytest.raises(GizziError, match="nobody watches validators 1, 2 any more"):
            await watched(lambda at, number, unseen=unseen: None if at >= 200 and number in unseen else True)  # type: ignore[misc]


async def test_one_that_does_not_vote_stops_it_and_a_dip_does_not() -> None:
    assert await watched(lambda at, number: not (number == 2 and 200 <= at < 200 + DIP_S - 5)) == 600
    with pytest.raises(GizziError, match=r"validator 2, upgraded to 2\.0, does not vote"):
        await watched(lambda at, number: not (number == 2 and at >= 200))
    with pytest.raises(GizziError, match=r"validator 1, upgraded to 2\.0, does not vote"):
        await watched(lambda at, number: number == 2)

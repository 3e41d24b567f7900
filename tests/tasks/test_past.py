"""What tasks tell from what was kept: missed votes, disks, and what breaks next in every report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gizzi import Validator
from gizzi.engine.foresight import rows
from gizzi.engine.foresight.series import of_validator
from gizzi.engine.past.block import MINUTES
from gizzi.engine.past.rows import stretch
from gizzi.engine.roles.runner import RoleRunner
from gizzi.fleet.history import History
from gizzi.fleet.view import ValidatorView
from gizzi.store import Store
from tools.remembered import keep_hours
from tools.simulated import HandClock

Runner = Callable[..., RoleRunner]
FIVE = tuple(Validator(number=n, rpc_url="http://127.0.0.1:1") for n in (1, 2, 3, 4, 5))


def shows(number: int, at: float) -> dict[str, float]:
    votes = int(at // 6) * (1.0 if number != 4 else 0.7)
    free = 4e11 - (1e10 * at / 3600 if number == 2 else 0)
    return {"prevotes_total": 500 + votes, "precommits_total": 500 + votes, "disk_free_bytes": free, "peers": 30}


class Fleet:
    """Nothing is seen now."""

    def view(self, number: int, now: float) -> ValidatorView:
        return ValidatorView(FIVE[number - 1], History(), now)


def foresee(store: Store, clock: HandClock) -> None:
    for number in range(1, 6):
        day = store.run_now(lambda c, n=number: stretch(c, n, MINUTES, clock.at - 86400, clock.at))  # type: ignore[misc]
        shown, _ = of_validator(number, day, None, {})
        store.run_now(lambda c, found=shown: rows.keep(c, found, clock.at))  # type: ignore[misc]


async def test_missed_votes_are_told_against_the_median(runner: Runner, store: Store, clock: HandClock) -> None:
    keep_hours(store, range(1, 6), clock.at, 20, shows)
    report = await runner(*FIVE, fleet=Fleet()).run("economics", "rewards")
    told = {item.about: item for item in report.items if "missed" in item.text}
    assert set(told) == {"validator 4", "chain main"}
    assert (
        told["validator 4"].severity == "medium" and "(30%)" in told["validator 4"].text and "prevotes in 20 h" in told["validator 4"].text
    )
    assert told["validator 4"].evidence[0][0] == "4/prevotes_total"
    assert told["chain main"].text.startswith("4 of 5 validators missed less than 10%")


async def test_days_until_a_disk_is_full_come_from_what_was_kept(runner: Runner, store: Store, clock: HandClock) -> None:
    keep_hours(store, range(1, 6), clock.at, 20, shows)
    report = await runner(*FIVE, fleet=Fleet()).run("devops", "check_disk_space")
    of_second = [item.text for item in report.items if item.about == "validator 2"]
    assert of_second and all("full in about" in text for text in of_second), of_second


async def test_every_report_says_what_breaks_next(runner: Runner, store: Store, clock: HandClock) -> None:
    role = runner(*FIVE, fleet=Fleet())
    (unknown,) = (await role.run("economics", "costs")).next
    assert "not known" in unknown.text and unknown.next_at is None
    keep_hours(store, range(1, 6), clock.at, 20, shows)
    foresee(store, clock)
    report = await role.run("economics", "costs")
    (disk,) = report.next
    assert disk.about == "validator 2" and disk.next_at is not None and 18 * 3600 < disk.next_at - clock.at < 22 * 3600
    shown: Any = report.as_json()["next"]
    assert shown[0]["next_at"].endswith("Z") and "has a full disk in about" in shown[0]["text"]
    (entry,) = await role.memory.latest(1)  # type: ignore[union-attr]
    assert "has a full disk in about" in entry.entry.body, "memory keeps it"
    (fine,) = (await role.run("economics", "costs", validator=3)).next
    assert fine.text.startswith("nothing is foreseen to break within 7 days")
    told = await role.run("devops", "forecast")
    assert any(item.next_at is not None and "full disk" in item.text for item in told.items)
    assert any("for too little history" in item.text for item in told.items), "finality lag was never seen"

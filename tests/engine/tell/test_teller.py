"""The teller over a store: once per change whatever happens to the process, to its channels and to its store."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from gizzi.alerts.mute import Silence
from gizzi.clock import SimulatedClock
from gizzi.engine.tell import delivery
from gizzi.engine.tell.teller import pause_s
from gizzi.errors import StoreError
from gizzi.store.tell_schema import outbox
from tools.incidents import decision
from tools.telling import Telling
from tools.watching import in_virtual_time

CHAT, PAGER, NEXT = "chat://one", "pager://two", "chat://next"
BOTH: dict[str, Any] = {"urls": [CHAT, PAGER]}


def simulated(notify: dict[str, Any] | None = None) -> Telling:
    return Telling(notify or BOTH, clock=SimulatedClock())


async def rows(telling: Telling) -> list[Any]:
    return await telling.store.run(lambda c: list(c.execute(select(outbox).order_by(outbox.c.id))))


@in_virtual_time
async def test_a_burst_is_one_message_and_a_pager_gets_each_incident() -> None:
    telling = simulated()
    telling.start()
    for number in (1, 2, 3):
        await telling.change(number)
        await telling.change(number, "decided", decision=decision())
        await telling.clock.sleep(2)
    await telling.clock.sleep(20)
    assert [m.change for m in telling.boxes[CHAT].got] == ["several"]
    assert telling.boxes[CHAT].titles[0].startswith("3 incidents: HIGH inc-1")
    assert [m.incident for m in telling.boxes[PAGER].got] == ["inc-1", "inc-2", "inc-3"]
    await telling.kill()


@in_virtual_time
async def test_from_opening_to_end_with_a_reminder_and_an_acknowledgement() -> None:
    telling = simulated({**BOTH, "routes": [{"after": "15m", "urls": [NEXT]}], "remind": {"high": "20m"}})
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(30 * 60)
    await telling.store.acknowledge(1, "ann", telling.clock.now())
    telling.incidents[1].state, telling.incidents[1].acknowledged_by = "acknowledged", "ann"
    await telling.change(1, "changed", tell=False)
    await telling.clock.sleep(5 * 3600)
    await telling.change(1, "resolved", state="resolved")
    await telling.clock.sleep(60)
    assert [m.change for m in telling.boxes[CHAT].got] == ["opened", "reminder", "resolved"]
    assert [m.change for m in telling.boxes[NEXT].got] == ["escalated", "reminder", "resolved"]
    assert [m.change for m in telling.boxes[PAGER].got] == ["opened", "acknowledged", "resolved"]
    await telling.kill()


@in_virtual_time
async def test_an_approval_is_asked_once_with_its_command_and_no_more_once_it_is_answered() -> None:
    telling = simulated({**BOTH, "routes": [{"after": "15m", "urls": [NEXT]}]})
    telling.start()
    asked = {"id": "ap-7", "incident": "inc-1", "action": "restart", "validator": 6, "reasons": ["mode suggest"]}
    await telling.change(1)
    for _ in range(3):
        await telling.teller.approval_asked({**asked, "expires_at": telling.clock.now() + 3600})
    await telling.clock.sleep(60)
    assert sum("gizzi approve ap-7" in m.body for m in telling.boxes[CHAT].got) == 1
    await telling.teller.approval_ended("ap-7")
    await telling.clock.sleep(900)
    assert [m.change for m in telling.boxes[NEXT].got] == ["escalated"] and "approve" not in telling.boxes[NEXT].got[0].body
    for verdict in ("resolved", "resolved"):
        await telling.teller.action_done(
            {"id": "act-1", "incident": "inc-1", "action": "restart", "validator": 6, "outcome": "done", "verdict": verdict}
        )
    await telling.clock.sleep(60)
    assert (
        telling.boxes[CHAT].titles[-1].startswith("After the restart of validator 6: resolved; inc-1") and len(telling.boxes[CHAT].got) == 2
    )
    await telling.kill()


@in_virtual_time
async def test_what_a_person_asked_for_is_told_without_an_incident() -> None:
    telling = simulated()
    telling.start()
    asked = {"id": "ap-9", "incident": None, "action": "restart", "validator": 4, "reasons": ["mode suggest"]}
    for _ in range(2):
        await telling.teller.approval_asked({**asked, "expires_at": "2026-01-01T01:00:00Z"})
    await telling.clock.sleep(30)
    assert telling.boxes[CHAT].titles == ["Your yes is needed: restart of validator 4"] and telling.boxes[PAGER].got == []
    assert "gizzi approve ap-9" in telling.boxes[CHAT].got[0].body.splitlines()
    await telling.teller.approval_asked({**asked, "id": "ap-10", "expires_at": telling.clock.now() + 1})
    await telling.clock.sleep(30)
    assert len(telling.boxes[CHAT].got) == 1 and await telling.teller._outbox.with_news() == set(), "too late to be asked"
    await telling.kill()


async def say(telling: Telling, about: str = "errand-1") -> None:
    await telling.teller.say(about, f"Workflow {about}: done", f"all is well\nLook: gizzi workflow show {about}", lambda connection: None)


@in_virtual_time
async def test_what_was_said_is_told_once_to_all_though_the_process_ended_first() -> None:
    telling = simulated()
    await say(telling)
    telling.start()
    await telling.clock.sleep(1)
    for _ in range(3):
        await say(telling)
        await telling.restart()
        await telling.clock.sleep(100)
    for box in telling.boxes.values():
        (message,) = box.got
        assert (message.title, message.incident, message.change) == ("Workflow errand-1: done", "errand-1", "opened")
        assert message.body.splitlines() == ["all is well", "Look: gizzi workflow show errand-1"] and message.id
    await say(telling, "errand-2")
    await telling.kill()
    await telling.restart()
    await telling.clock.sleep(100)
    assert [m.incident for m in telling.boxes[PAGER].got] == ["errand-1", "errand-2"]
    await telling.kill()


@in_virtual_time
async def test_what_was_said_a_day_ago_is_not_told_any_more() -> None:
    telling = simulated()
    await say(telling)
    await telling.clock.sleep(delivery.GIVE_UP_S + 1)
    await say(telling, "errand-2")
    telling.start()
    await telling.clock.sleep(100)
    assert [m.incident for m in telling.boxes[PAGER].got] == ["errand-2"]
    assert await telling.teller._outbox.with_news() == set()
    await telling.kill()


@in_virtual_time
async def test_what_is_said_is_kept_with_what_happened_or_not_at_all() -> None:
    telling = simulated()

    def fails(connection: Any) -> None:
        raise StoreError("the store is full")

    with pytest.raises(StoreError):
        await telling.teller.say("errand-1", "Workflow errand-1: done", "", fails)
    assert await telling.teller._outbox.with_news() == set()
    await telling.change(1, tell=False)
    await say(telling)
    telling.start()
    await telling.clock.sleep(60)
    (message,) = telling.boxes[CHAT].got[-1:]
    assert "incidents" not in message.title, "the end of a run is no incident"
    assert Counter(m.incident for m in telling.boxes[PAGER].got) == Counter(["inc-1", "errand-1"])
    await telling.kill()


async def test_who_is_about_to_end_waits_for_what_was_said() -> None:
    telling = Telling({**BOTH, "group": "60s"}, live=True)
    telling.start()
    await telling.change(1)
    await say(telling)
    await telling.teller.finish(60.0)
    assert "errand-1" in [m.incident for m in telling.boxes[PAGER].got]
    assert await telling.teller._outbox.loose_notes() == [] and await telling.teller._outbox.due() == {}
    await telling.kill()


@in_virtual_time
async def test_what_happened_while_nobody_told_is_told_once_after_the_restart() -> None:
    telling = simulated()
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(20)
    await telling.kill()
    await telling.change(2, tell=False)
    await telling.change(1, "resolved", tell=False, state="resolved")
    for _ in range(3):
        await telling.restart()
        await telling.clock.sleep(100)
    changes = [(m.incident, m.change) for m in telling.boxes[PAGER].got]
    assert changes == [("inc-1", "opened"), ("inc-2", "opened"), ("inc-1", "resolved")]
    await telling.kill()


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_moment_each_change_is_told_once(seed: int) -> None:
    """Killed and started again every few hundred milliseconds, while incidents open and end."""

    @in_virtual_time
    async def story() -> None:
        telling = simulated({"urls": [PAGER]})
        telling.start()
        for number in range(1, 9):
            await telling.change(number)
            for _ in range(20):
                await telling.clock.sleep(0.3 + 0.137 * seed)
                await telling.restart()
            await telling.clock.sleep(12 - seed)
            await telling.change(number, "resolved", state="resolved")
        await telling.clock.sleep(400)
        told = Counter((m.incident, m.change) for m in telling.boxes[PAGER].got)
        assert set(told.values()) == {1}, told
        opened = {incident for incident, change in told if change == "opened"}
        assert opened == {incident for incident, change in told if change == "resolved"}
        await telling.kill()

    story()


@in_virtual_time
async def test_a_silence_keeps_it_quiet_but_for_its_end() -> None:
    telling = simulated({"urls": [CHAT], "remind": {"high": "1m"}})
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(20)
    telling.mutes = [Silence(1, "peers_low", None, telling.clock.now() + 3600, "known", "ann", 0.0)]
    await telling.clock.sleep(3000)
    assert len(telling.boxes[CHAT].got) == 1
    await telling.change(1, "resolved", state="resolved")
    await telling.clock.sleep(200)
    assert [m.change for m in telling.boxes[CHAT].got] == ["opened", "resolved"]
    await telling.kill()


@in_virtual_time
async def test_a_channel_that_is_down_is_tried_again_and_told_all_as_one() -> None:
    telling = simulated()
    chat, pager = telling.boxes[CHAT], telling.boxes[PAGER]
    chat.fails = pager.fails = True
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(600)
    await telling.change(2)
    await telling.change(1, "resolved", state="resolved")
    await telling.clock.sleep(600)
    assert 5 <= chat.tries <= 12 and chat.got == []
    stuck = [row for row in await rows(telling) if row.state == "waiting"]
    assert len(stuck) == 6 and "no way to" in stuck[0].error and CHAT not in stuck[0].error
    chat.fails = pager.fails = False
    await telling.clock.sleep(310)
    assert [m.change for m in chat.got] == ["several"] and chat.titles[0].startswith("2 incidents: HIGH inc-2")
    assert "Over: inc-1" in chat.got[0].body and "\nHIGH inc-1" not in chat.got[0].body
    assert [(m.incident, m.over) for m in pager.got] == [("inc-2", False), ("inc-1", True)], "nobody is paged for what is over"
    assert {row.state for row in await rows(telling)} == {"sent"}
    await telling.kill()


@in_virtual_time
async def test_after_a_day_a_message_is_given_up_and_doctor_knows() -> None:
    telling = simulated({"urls": [CHAT], "remind": {}})
    telling.boxes[CHAT].fails = True
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(86400 + 700)
    assert [row.state for row in await rows(telling)] == ["lost"]
    found = await telling.teller._outbox.troubles(0.0)
    assert [(one["label"], one["lost"]) for one in found.values()] == [("chat #1", 1)]
    tries = telling.boxes[CHAT].tries
    await telling.clock.sleep(86400)
    assert telling.boxes[CHAT].tries == tries
    await telling.kill()


@in_virtual_time
async def test_what_waits_for_a_channel_that_is_gone_is_lost_and_not_another_s() -> None:
    telling = simulated({"urls": [CHAT]})
    telling.boxes[CHAT].fails = True
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(30)
    await telling.kill()
    after = Telling({"urls": [NEXT]}, clock=telling.clock, store=telling.store)
    after.start()
    await telling.clock.sleep(30)
    states = {(row.channel == telling.boxes[CHAT].channel.id): row.state for row in await rows(after)}
    assert states == {True: "lost", False: "sent"}
    assert [m.change for m in after.boxes[NEXT].got] == ["opened"], "who is on call now hears of what is open"
    await after.kill()


@in_virtual_time
async def test_a_store_that_fails_is_told_without_it_and_nothing_is_lost() -> None:
    telling = simulated({"urls": [CHAT]})
    telling.start()
    await telling.change(1)
    works, telling.trouble = telling.store.run_now, "the store is full"

    def broken(work: Any) -> Any:
        raise StoreError("the store is full")

    telling.store.run_now = broken  # type: ignore[method-assign]
    await telling.clock.sleep(100)
    assert telling.boxes[CHAT].titles == ["CRITICAL: Gizzi cannot use its store"]
    telling.store.run_now, telling.trouble = works, None  # type: ignore[method-assign]
    await telling.clock.sleep(30)
    assert sorted(m.change for m in telling.boxes[CHAT].got) == ["opened", "opened", "resolved"]
    await telling.kill()


async def test_a_channel_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gizzi.engine.tell.channels.SEND_S", 1.0)
    telling = Telling({**BOTH, "group": "0.1s"}, live=True)
    telling.boxes[CHAT].hangs = True
    telling.start()
    await telling.change(1)
    await asyncio.sleep(0.6)
    assert [m.incident for m in telling.boxes[PAGER].got] == ["inc-1"] and telling.boxes[CHAT].tries == 1
    await telling.change(2)
    await asyncio.sleep(0.6)
    assert len(telling.boxes[PAGER].got) == 2
    await asyncio.sleep(0.5)
    assert "longer than" in next(row.error for row in await rows(telling) if row.error)
    await telling.kill()


async def test_two_processes_on_one_store_tell_once() -> None:
    first = Telling({**BOTH, "group": "0.1s"}, live=True)
    second = Telling({**BOTH, "group": "0.1s"}, live=True, store=first.store)
    second.start()
    first.start()
    for number in range(1, 20):
        incident = await first.change(number)
        second.teller.heard(_change(incident))
    await asyncio.sleep(1.5)
    told = [m.incident for telling in (first, second) for m in telling.boxes[PAGER].got]
    assert sorted(told, key=lambda name: int((name or "")[4:])) == [f"inc-{number}" for number in range(1, 20)]
    await first.kill()
    await second.kill()


def _change(incident: Any) -> Any:
    from gizzi.alerts.correlate import Change

    return Change(incident, 0.0, "opened", "")


@in_virtual_time
async def test_no_address_is_in_the_store() -> None:
    telling = simulated({"urls": ["chat://TOKENTOKENTOKEN"]})
    telling.boxes["chat://TOKENTOKENTOKEN"].fails = True
    telling.start()
    await telling.change(1)
    await telling.clock.sleep(60)
    kept = json.dumps([dict(row._mapping) for row in await rows(telling)])
    assert "no way to" in kept and "TOKEN" not in kept
    await telling.kill()


@in_virtual_time
async def test_a_storm_is_collected_but_what_is_critical_is_not() -> None:
    telling = simulated({"urls": [CHAT]})
    telling.start()
    for number in range(1, 61):
        await telling.change(number, decision=decision())
        await telling.clock.sleep(15)
    await telling.clock.sleep(130)
    got = telling.boxes[CHAT].got
    assert len(got) <= 14
    told = [part["incident"] for m in got for part in (m.details["messages"] if m.change == "several" else [{"incident": m.incident}])]
    assert sorted(told, key=lambda name: int(name[4:])) == [f"inc-{number}" for number in range(1, 61)]
    before = len(got)
    critical = await telling.change(99, tell=False)
    next(iter(critical.alerts.values())).severity = "critical"
    await telling.change(99)
    await telling.clock.sleep(11)
    assert len(got) == before + 1 and "CRITICAL inc-99" in got[-1].title
    await telling.kill()


def test_pauses_and_retries_are_bounded() -> None:
    assert [pause_s(10, n) for n in range(7)] == [10, 10, 20, 40, 80, 120, 120]
    assert pause_s(300, 3) == 300
    assert [delivery.retry_s(n) for n in (0, 1, 5, 6, 99)] == [5, 10, 160, 300, 300]

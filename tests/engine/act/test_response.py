"""From permission to verdict, in virtual time over a scripted world."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gizzi.engine.act import approvals, rows
from gizzi.errors import AlreadyOver, OutcomeUnknown, SourceError, StoreError
from gizzi.store import switch
from tools.acting import Scene, add_incident, change_incident, look_at, well
from tools.watching import in_virtual_time


@in_virtual_time
async def test_what_is_allowed_is_done_verified_and_told() -> None:
    scene = Scene()
    await scene.begin()
    ended = await scene.end()
    assert (ended["outcome"], ended["verdict"], ended["permission"], ended["approved_by"]) == ("done", "resolved", "allow", None)
    assert scene.done == [6] and scene.kinds == ["proposed", "acting", "acted", "verdict"]
    row = await scene.door.row(1)
    assert row["verdict_at"] - row["ended_at"] >= 120 and row["state"] == "closed"
    assert not any(news.needs_person for news in scene.news)
    assert {event["kind"] for event in await scene.store.event_rows(1)} >= {"proposed", "acting", "acted", "verdict"}


@in_virtual_time
async def test_the_same_run_again_does_nothing() -> None:
    scene = Scene()
    for _ in range(3):
        await scene.begin()
    await scene.end()
    ended = await scene.response.respond(_Again("inc-1-1", scene), action="restart", validator=6, why="x", by="y", incident=1)
    assert scene.done == [6] and ended["outcome"] == "done", "the engine plays it once more from the start"


class _Again:
    """A run whose engine has forgotten every step."""

    def __init__(self, id: str, scene: Scene) -> None:
        self.id = id
        self._scene = scene

    async def step(self, name: str, function: Any, *given: Any) -> Any:
        return await function(*given)

    async def sleep(self, duration_s: float) -> None:
        await self._scene.clock.sleep(duration_s)


@in_virtual_time
async def test_denied_goes_to_a_person_and_nothing_is_done() -> None:
    scene = Scene()
    scene.world.says[6] = lambda now: look_at(6, now, facts={"twin_running": True})
    await scene.begin()
    ended = await scene.end()
    assert ended["outcome"] is None and ended["state"] == "closed" and "second signer" in ended["detail"]
    assert scene.done == [] and scene.news[-1].kind == "not_done" and scene.news[-1].needs_person


@in_virtual_time
async def test_a_yes_is_used_once_and_recorded() -> None:
    scene = Scene(mode="suggest")
    await scene.begin()
    name = await scene.asked()
    assert scene.done == [] and scene.news[-1].approval is not None and f"gizzi approve {name}" in scene.news[-1].text
    await scene.desk.decide(name, yes=True, by="anna", why="go")
    ended = await scene.end()
    assert (ended["outcome"], ended["approved_by"], ended["verdict"]) == ("done", "anna", "resolved")
    assert (await scene.desk.approval(name))["state"] == "used"
    with pytest.raises(AlreadyOver, match="is used already"):
        await scene.desk.decide(name, yes=True, by="bert")
    assert scene.done == [6]


@in_virtual_time
async def test_a_no_ends_it() -> None:
    scene = Scene(mode="suggest")
    await scene.begin()
    await scene.desk.decide(await scene.asked(), yes=False, by="anna", why="not at night")
    ended = await scene.end()
    assert ended["outcome"] is None and ended["detail"] == "anna said no: not at night"
    assert scene.done == [] and not scene.news[-1].needs_person


@in_virtual_time
async def test_nobody_answers_is_expired_not_denied() -> None:
    scene = Scene(mode="suggest", approval_ttl="10m")
    began = scene.clock.now()
    await scene.begin()
    name = await scene.asked()
    ended = await scene.end()
    assert scene.clock.now() - began == pytest.approx(600, abs=10)
    assert (await scene.desk.approval(name))["state"] == "expired"
    assert "nobody answered within 10 min" in ended["detail"] and scene.news[-1].needs_person and scene.done == []
    with pytest.raises(AlreadyOver, match="is expired already"):
        await scene.desk.decide(name, yes=True, by="anna")


@in_virtual_time
async def test_a_yes_that_comes_too_late_to_be_used_does_nothing() -> None:
    scene = Scene(mode="suggest", approval_ttl="10m")
    await scene.begin()
    name = await scene.asked()
    expires = (await scene.store.run(lambda c: rows.latest_approval(c, 1)) or {})["expires_at"]
    await scene.clock.sleep(expires - scene.clock.now() - 0.001)
    await scene.desk.decide(name, yes=True, by="anna")
    ended = await scene.end()
    assert "anna said yes too late" in ended["detail"] and scene.done == [] and scene.news[-1].needs_person


@in_virtual_time
async def test_an_incident_that_resolves_needs_no_answer_any_more() -> None:
    scene = Scene(mode="suggest")
    await scene.begin()
    name = await scene.asked()
    change_incident(scene.store, 1, state="resolved", resolved_at=scene.clock.now())
    ended = await scene.end()
    assert ended["detail"] == "the incident resolved by itself" and scene.done == [] and not scene.news[-1].needs_person
    assert (await scene.desk.approval(name))["state"] == "withdrawn"
    with pytest.raises(AlreadyOver, match="is withdrawn already"):
        await scene.desk.decide(name, yes=True, by="anna")


@in_virtual_time
async def test_a_decision_that_changed_meanwhile() -> None:
    scene = Scene(mode="suggest")
    await scene.begin()
    await scene.asked()
    change_incident(scene.store, 1, decision='{"action": "escalate"}')
    assert (await scene.end())["detail"] == "the decision is escalate now" and scene.done == []


@in_virtual_time
async def test_what_passes_by_itself_is_waited_for() -> None:
    scene = Scene()
    began = scene.clock.now()
    scene.world.says[6] = lambda now: well(6, now) if 6 in scene.done else look_at(6, now, facts={"in_session_change": now - began < 60})
    await scene.begin()
    ended = await scene.end()
    assert ended["verdict"] == "resolved" and (await scene.door.row(1))["intent_at"] - began >= 60
    assert scene.kinds.count("waiting") == 1 and "asked" not in scene.kinds


@in_virtual_time
async def test_what_does_not_pass_in_time_goes_to_a_person() -> None:
    scene = Scene(approval_ttl="10m")
    scene.world.says[6] = lambda now: look_at(6, now, facts={"in_session_change": True})
    await scene.begin()
    ended = await scene.end()
    assert "has not passed within 10 min" in ended["detail"] and scene.done == [] and scene.news[-1].needs_person


@in_virtual_time
async def test_a_question_that_comes_late_has_its_whole_time() -> None:
    scene = Scene(approval_ttl="10m")
    began = scene.clock.now()
    scene.world.says[6] = lambda now: (
        well(6, now)
        if 6 in scene.done
        else look_at(6, now, facts={"in_session_change": now - began < 570, "unclean_stop": now - began >= 570})
    )
    await scene.begin()
    name = await scene.asked()
    await scene.clock.sleep(300)
    await scene.desk.decide(name, yes=True, by="anna")
    assert (await scene.end())["outcome"] == "done"


@in_virtual_time
async def test_facts_that_have_not_shown_yet_call_nobody() -> None:
    scene = Scene()
    began = scene.clock.now()
    unknown = dict.fromkeys(("db_lost", "unclean_stop"))
    scene.world.says[6] = lambda now: (
        well(6, now) if 6 in scene.done else look_at(6, now, facts=unknown if now - began < 35 else {}, settles=now - began < 40)
    )
    await scene.begin()
    ended = await scene.end()
    assert ended["verdict"] == "resolved" and "asked" not in scene.kinds
    assert (await scene.door.row(1))["intent_at"] - began >= 40, "nor is anything done before who is missing has shown"


@in_virtual_time
async def test_other_reasons_after_the_yes_are_asked_anew() -> None:
    scene = Scene()
    facts: dict[str, bool] = {"unclean_stop": True}
    scene.world.says[6] = lambda now: well(6, now) if 6 in scene.done else look_at(6, now, facts=facts)
    await scene.begin()
    first = await scene.asked()
    facts["db_lost"] = True
    await scene.desk.decide(first, yes=True, by="anna")
    second = await scene.asked(2)
    assert second != first and scene.done == [] and (await scene.desk.approval(first))["state"] == "withdrawn"
    await scene.desk.decide(second, yes=True, by="anna")
    assert (await scene.end())["outcome"] == "done" and scene.done == [6]


@in_virtual_time
async def test_facts_are_looked_at_again_between_permission_and_action() -> None:
    scene = Scene()
    looks = 0

    def world(now: float) -> Any:
        nonlocal looks
        looks += 1
        return look_at(6, now, facts={"twin_running": looks > 1})

    scene.world.says[6] = world
    await scene.begin()
    ended = await scene.end()
    assert scene.done == [] and ended["outcome"] is None and "second signer" in ended["detail"]


@in_virtual_time
async def test_the_kill_switch_between_yes_and_action() -> None:
    scene = Scene(mode="suggest")
    await scene.begin()
    name = await scene.asked()
    scene.store.run_now(lambda c: switch.set_stopped(c, scene.clock.now(), "anna", "storm"))
    await scene.desk.decide(name, yes=True, by="bert")
    ended = await scene.end()
    assert scene.done == [] and "the guard is stopped" in ended["detail"] and scene.news[-1].needs_person
    assert (await scene.desk.approval(name))["state"] == "withdrawn"


@in_virtual_time
async def test_worse_holds_the_chain_until_somebody_has_seen_it() -> None:
    scene = Scene()
    scene.world.says[6] = lambda now: look_at(6, now, missing=[6, 7, 8] if 6 in scene.done else [6])
    await scene.begin()
    ended = await scene.end()
    assert ended["verdict"] == "worse" and "7, 8" in scene.news[-1].text and scene.news[-1].needs_person
    add_incident(scene.store, 2, 5, at=scene.clock.now())
    scene.world.says[6] = lambda now: well(6, now)
    await scene.begin(2, 5, "inc-2-1")
    await scene.asked()
    assert "made things worse" in scene.news[-1].text and scene.done == [6]
    await scene.store.acknowledge(1, "anna", scene.clock.now())
    ended = await scene.end("inc-2-1")
    assert ended["verdict"] == "resolved" and ended["approved_by"] is None and scene.done == [6, 5]
    assert await scene.desk.approvals() == [], "the question was withdrawn when nobody needed to answer it"


@in_virtual_time
async def test_who_is_asked_anyway_learns_that_the_chain_is_held() -> None:
    scene = Scene(mode="suggest")
    scene.world.says[6] = lambda now: look_at(6, now, missing=[6, 7, 8] if 6 in scene.done else [6])
    await scene.begin()
    await scene.desk.decide(await scene.asked(), yes=True, by="anna")
    await scene.end()
    scene.world.says[6] = lambda now: well(6, now)
    add_incident(scene.store, 2, 5, at=scene.clock.now())
    await scene.begin(2, 5, "inc-2-1")
    await scene.asked(2)
    assert "suggest" in scene.news[-1].text and "made things worse" in scene.news[-1].text


@pytest.mark.parametrize("second_try", [False, True])
def test_a_second_try_only_where_the_policy_says_so(second_try: bool) -> None:
    @in_virtual_time
    async def test() -> None:
        scene = Scene(second_try=second_try, cooldown="1s")
        scene.world.says[6] = lambda now: well(6, now) if len(scene.done) > 1 else look_at(6, now)
        await scene.begin()
        ended = await scene.end()
        assert ended["verdict"] == ("resolved" if second_try else "not_resolved")
        assert scene.done == [6] * (2 if second_try else 1)
        shown = await scene.door.shown()
        assert [one["verdict"] for one in shown] == ["not_resolved", "resolved"][: len(shown)] and len(shown) == len(scene.done)
        assert any(news.needs_person for news in scene.news) is not second_try

    test()


@in_virtual_time
async def test_there_is_no_third_try() -> None:
    scene = Scene(second_try=True, cooldown="1s")
    scene.world.says[6] = lambda now: look_at(6, now)
    await scene.begin()
    assert (await scene.end())["verdict"] == "not_resolved" and scene.done == [6, 6] and scene.news[-1].needs_person


@pytest.mark.parametrize(
    ("error", "outcome", "says"),
    [
        (SourceError("refused", "no SSH connection to h:22"), "failed", "no SSH connection"),
        (OutcomeUnknown("refused", "the connection was lost while it ran"), "in_doubt", "lost while"),
        (ValueError("a plugin's own fault"), "in_doubt", "ValueError: a plugin's own fault"),
        (TimeoutError("later"), "in_doubt", "TimeoutError"),
    ],
)
def test_failed_and_in_doubt_go_to_a_person_and_are_not_repeated(error: Exception, outcome: str, says: str) -> None:
    @in_virtual_time
    async def test() -> None:
        scene = Scene(second_try=True)

        async def fail(_: Any) -> None:
            raise error

        scene.does = fail
        await scene.begin()
        ended = await scene.end()
        assert (ended["outcome"], ended["verdict"], ended["state"]) == (outcome, None, "closed") and says in ended["detail"]
        assert scene.news[-1].kind == "needs_person" and scene.news[-1].needs_person and scene.done == [6]

    test()


@in_virtual_time
async def test_an_action_without_end_is_in_doubt() -> None:
    scene = Scene()

    async def hang(_: Any) -> None:
        await scene.clock.sleep(10_000)

    scene.does = hang
    await scene.begin()
    ended = await scene.end()
    assert ended["outcome"] == "in_doubt" and "longer than 150 s" in ended["detail"]


@in_virtual_time
async def test_one_at_a_time_and_the_rejoin_is_waited_for() -> None:
    scene = Scene()
    scene.world.says[6] = lambda now: well(6, now, rejoined=now - began > 300) if 6 in scene.done else look_at(6, now)
    add_incident(scene.store, 2, 5, at=scene.clock.now())
    began = scene.clock.now()
    await scene.begin()
    await scene.until(lambda: 6 in scene.done)
    await scene.begin(2, 5, "inc-2-1")
    await scene.end("inc-2-1")
    assert scene.done == [6, 5] and (await scene.door.row(2))["intent_at"] - began >= 300


@in_virtual_time
async def test_a_verdict_waits_for_a_fresh_sight() -> None:
    scene = Scene()
    seen: list[float] = []

    def world(now: float) -> Any:
        if 6 not in scene.done:
            return look_at(6, now)
        seen.append(now)
        return well(6, now, seen_at=now if now - seen[0] > 30 else 0.0)

    scene.world.says[6] = world
    await scene.begin()
    assert (await scene.end())["verdict"] == "resolved"
    scene = Scene()
    scene.world.says[6] = lambda now: look_at(6, now) if 6 not in scene.done else None
    await scene.begin()
    assert (await scene.end())["verdict"] == "unknown" and scene.news[-1].needs_person


@pytest.mark.parametrize("seed", range(20))
def test_a_store_that_fails_now_and_then_loses_nothing(seed: int) -> None:
    @in_virtual_time
    async def test() -> None:
        scene = Scene(mode=("auto", "suggest")[seed % 2])
        real, dice = scene.store.run, random.Random(seed)

        async def run(work: Any) -> Any:
            before, after = dice.random() < 0.15, dice.random() < 0.15
            if before:
                raise StoreError("the store is locked")
            answer = await real(work)
            if after:
                raise StoreError("the answer got lost")
            return answer

        scene.store.run = run  # type: ignore[method-assign]
        await scene.begin()
        if seed % 2:
            await scene.until(lambda: "asked" in scene.kinds)
            scene.store.run_now(lambda c: approvals.decide(c, 1, yes=True, by="anna", why="", now=scene.clock.now()))
        ended = await scene.end()
        assert ended["state"] == "closed" and len(scene.done) <= 1
        assert ended["outcome"] == ("done" if scene.done else "in_doubt") or ended["outcome"] == "in_doubt"
        assert ended["verdict"] == "resolved" or scene.news[-1].needs_person

    test()

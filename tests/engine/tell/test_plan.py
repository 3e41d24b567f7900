"""What is new about an incident, and which channel hears it; and that however an incident goes, it is told once, in order, to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.mute import Silence
from gizzi.engine.tell.news import GROW_S, Case, IncidentNow, News, Note, Told
from gizzi.engine.tell.plan import Plan, plan
from gizzi.engine.tell.routes import Way, Ways
from gizzi.kinds import SEVERITIES
from tools.incidents import START, decision, incident

CHANNELS = {"chat": False, "pager": True, "next": False}
WAYS = Ways((Way("medium", None, 0.0, ("chat",)), Way("high", None, 0.0, ("pager",)), Way("high", None, 900.0, ("next",))))
REMIND: Mapping[Any, float] = {"critical": 900.0, "high": 3600.0}


def planned(case: Case, at_s: float = 10.0) -> Plan:
    return plan(case, WAYS, CHANNELS, REMIND, START + at_s)


def kinds(found: Plan) -> dict[str, list[str]]:
    return {channel: [item.kind for item in news] for channel, news in found.to.items() if news}


def known(found: IncidentNow, at_s: float = 10.0) -> Told:
    told = planned(Case(found), at_s).told
    assert told is not None
    return told


def approval(**changed: Any) -> Note:
    detail = {"id": "ap-7", "incident": "inc-1", "action": "restart", "validator": 6, "reasons": ["mode suggest"]}
    return replace(Note("approval/ap-7", 1, "approval", START, START + 1800, detail), **changed)


def test_an_incident_is_opened_to_those_whose_route_it_is() -> None:
    assert kinds(planned(Case(incident()))) == {"chat": ["opened"], "pager": ["opened"]}
    assert kinds(planned(Case(incident(severity="medium")))) == {"chat": ["opened"]}
    assert kinds(planned(Case(incident(severity="low")))) == {}


def test_nothing_is_told_twice() -> None:
    again = planned(Case(incident(), known(incident())), 20)
    assert kinds(again) == {} and again.told is None and again.look_at == START + 10 + 900


def test_a_decision_that_needs_a_person_is_told_unless_the_opening_held_it() -> None:
    decided = incident(decision=decision())
    assert kinds(planned(Case(decided, known(decided)), 30)) == {}
    assert kinds(planned(Case(decided, known(incident())), 30)) == {"chat": ["decided"], "pager": ["decided"]}
    assert kinds(planned(Case(incident(decision=decision("wait")), known(incident())), 30)) == {}


def test_what_gets_worse_calls_those_who_were_not_told() -> None:
    medium = incident(severity="medium")
    found = planned(Case(incident(), known(medium)), 60)
    assert kinds(found) == {"chat": ["worse"], "pager": ["opened"]}


def test_more_validators_are_told_when_they_have_doubled_or_after_a_while() -> None:
    told = known(incident(validators=(1, 2, 3, 4)))
    more = incident(validators=(1, 2, 3, 4, 5))
    found = planned(Case(more, told), 60)
    assert kinds(found) == {} and found.look_at == START + 10 + GROW_S
    assert kinds(planned(Case(more, told), 10 + GROW_S))["chat"] == ["grew"]
    assert kinds(planned(Case(incident(validators=tuple(range(8))), told), 60))["chat"] == ["grew"]


def test_nobody_answers_then_the_next_person_is_called_with_the_open_approval() -> None:
    found = planned(Case(incident(), known(incident()), (approval(said=True),)), 910)
    assert kinds(found) == {"next": ["escalated", "approval"]}
    acknowledged = incident(state="acknowledged", acknowledged_by="ann")
    assert kinds(planned(Case(acknowledged, known(incident())), 910)) == {"pager": ["acknowledged"]}


def test_reminders_come_at_growing_distances_and_end_with_an_acknowledgement() -> None:
    told, at = replace(known(incident()), channels=("chat", "pager", "next")), []
    for minute in range(1, 60 * 8):
        found = planned(Case(incident(), told), minute * 60 + 10)
        if kinds(found):
            assert kinds(found) == {"chat": ["reminder"], "next": ["reminder"]}
            at.append(minute)
        told = found.told or told
    assert at == [60, 180, 420]
    seen = incident(state="acknowledged", acknowledged_by="ann")
    told = planned(Case(seen, told), 8 * 3600).told or told
    assert kinds(planned(Case(seen, told), 80 * 3600)) == {}


def test_an_end_is_told_to_all_that_know_once_it_has_lasted() -> None:
    told = replace(known(incident()), channels=("chat", "pager", "next"))
    over = incident(state="resolved", resolved_at=START + 100)
    assert planned(Case(over, told), 110).look_at == START + 130
    assert kinds(planned(Case(over, told), 130)) == {"chat": ["resolved"], "pager": ["resolved"], "next": ["resolved"]}


def test_what_comes_back_is_opened_again_and_its_end_awaited_longer() -> None:
    over = incident(state="resolved", resolved_at=START + 100)
    told = planned(Case(over, known(incident())), 130).told
    found = planned(Case(incident(), told), 200)
    assert kinds(found) == {"chat": ["reopened"], "pager": ["reopened"]}
    again = incident(state="resolved", resolved_at=START + 300)
    assert kinds(planned(Case(again, found.told), 340)) == {}
    assert kinds(planned(Case(again, found.told), 600))["pager"] == ["resolved"]


def test_what_came_and_went_is_one_message_and_no_page() -> None:
    over = incident(state="resolved", resolved_at=START + 5)
    assert kinds(planned(Case(over))) == {"chat": ["opened"]}
    assert kinds(planned(Case(incident(state="resolved", resolved_at=START + 5, merged_into=7, alerts=())))) == {}


def test_a_merged_one_ends_where_incidents_are_kept() -> None:
    merged = incident(state="resolved", resolved_at=START + 50, merged_into=7, alerts=())
    assert kinds(planned(Case(merged, known(incident())), 60)) == {"pager": ["merged"]}


def test_approvals_are_asked_while_they_can_be_given() -> None:
    told = known(incident())
    assert kinds(planned(Case(incident(), told, (approval(),)), 20)) == {"chat": ["approval"], "pager": ["approval"]}
    assert kinds(planned(Case(incident(), told, (approval(),)), 1900)).get("chat") is None
    assert kinds(planned(Case(incident(severity="low"), known(incident(severity="low")), (approval(),)), 20)) == {
        "chat": ["opened", "approval"]
    }


def test_a_verdict_is_told_even_after_the_end() -> None:
    over = incident(state="resolved", resolved_at=START + 60)
    told = planned(Case(over, known(incident())), 100).told
    done = Note("action/1", 1, "action", START + 130, None, {"action": "restart", "validator": 6, "outcome": "done", "verdict": "resolved"})
    assert kinds(planned(Case(over, told, (done,)), 140)) == {"chat": ["action"], "pager": ["action"]}


def test_a_silenced_incident_is_quiet_until_the_silence_or_the_incident_ends() -> None:
    silence = Silence(1, "peers_low", None, START + 600, "known", "ann", START)
    quiet = planned(Case(incident(severity="critical"), known(incident()), (approval(),), (silence,)), 400)
    assert kinds(quiet) == {} and quiet.told is None and quiet.look_at == START + 600
    over = incident(state="resolved", resolved_at=START + 100)
    assert kinds(planned(Case(over, known(incident()), (), (silence,)), 400))["pager"] == ["resolved"]


INCIDENTS = st.builds(
    incident,
    severity=st.sampled_from(SEVERITIES),
    validators=st.sets(st.integers(1, 9), min_size=1).map(lambda numbers: tuple(sorted(numbers))),
    state=st.sampled_from(["triggered", "acknowledged", "resolved"]),
    acknowledged_by=st.just("ann"),
    resolved_at=st.just(START),
    decision=st.sampled_from([None, decision("restart"), decision("wait"), decision("escalate"), decision("investigate")]),
)


@given(st.lists(st.tuples(INCIDENTS, st.floats(1, 4000)), min_size=1, max_size=25))
def test_however_it_goes_each_channel_hears_a_story_that_makes_sense(steps: Sequence[tuple[IncidentNow, float]]) -> None:
    told: Told | None = None
    knows_open: dict[str, bool] = {}
    at_s = 10.0
    for now_incident, pause_s in steps:
        found = planned(Case(now_incident, told), at_s)
        for channel, news in found.to.items():
            _hears(channel, news, now_incident, knows_open)
        told = found.told or told
        again = planned(Case(now_incident, told), at_s)
        assert not any(again.to.values()), "told twice"
        at_s += pause_s
    if steps[-1][0].state == "resolved":
        last = planned(Case(steps[-1][0], told), at_s + 10_000)
        for channel, news in last.to.items():
            _hears(channel, news, steps[-1][0], knows_open)
        assert not any(knows_open.values()), "somebody still thinks that it is open"


def _hears(channel: str, news: Sequence[News], now_incident: IncidentNow, knows_open: dict[str, bool]) -> None:
    said = {item.kind for item in news}
    if not said:
        return
    begins = bool(said & {"opened", "reopened", "escalated"})
    if now_incident.state == "resolved":
        assert said <= {"opened", "resolved"}
        assert knows_open.get(channel, False) == ("resolved" in said), "an end of what nobody knew, or a beginning of what is over"
        knows_open[channel] = False
    else:
        assert begins or knows_open.get(channel), "news of what it was never told"
        assert not (said & {"opened", "escalated"} and knows_open.get(channel)), "opened twice"
        knows_open[channel] = True

"""What a scenario's models and people say reaches the loop, and what it does is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gizzi.errors import ConfigError
from gizzi.sim.oracle import Oracle
from gizzi.sim.runner import run_scenario
from gizzi.sim.scenario import load_scenario

LONELY = """
duration_s = {duration_s}
[policy]
mode = "{mode}"
[[faults]]
at_s = 60
validators = [6]
kind = "peers_drop"
peers = 1
clears_on = "{clears_on}"
"""


def play(tmp_path: Path, *more: str, mode: str = "auto", clears_on: str = "restart", duration_s: int = 300) -> dict[str, Any]:
    text = LONELY.format(mode=mode, clears_on=clears_on, duration_s=duration_s) + "\n".join(more)
    (tmp_path / "scenario.toml").write_text(text, encoding="utf-8")
    return run_scenario(tmp_path)


def reply(text: str) -> str:
    return f"[[replies]]\ntier = 'frontier'\ntext = '''{text}'''\n"


def said(action: str, **more: Any) -> str:
    cited = [{"observation": "6/peers", "quote": "1"}]
    return reply(json.dumps({"action": action, "reasoning": "Because.", "confidence": 0.9, "evidence": cited, **more}))


def person(at_s: float, does: str, **more: Any) -> str:
    return "\n".join(["[[people]]", f"at_s = {at_s}", f"does = '{does}'", *(f"{key} = {value}" for key, value in more.items())]) + "\n"


def done(result: dict[str, Any]) -> list[tuple[int, str | None]]:
    return [(action["validator"], action["verdict"]) for action in result["actions"] if action["outcome"] is not None]


def decision(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["incidents"][0]["decision"]
    return found


def test_a_restart_is_carried_out_and_judged(tmp_path: Path) -> None:
    result = play(tmp_path)
    assert done(result) == [(6, "resolved")]
    assert (result["violations"], result["cost_usd"], decision(result)["tier"]) == ([], "0", "reflex")
    assert 1 <= result["notifications"] <= 3


def test_a_model_decides(tmp_path: Path) -> None:
    result = play(tmp_path, said("escalate", escalate_to="network"), clears_on="never")
    assert (decision(result)["action"], decision(result)["tier"], decision(result)["model"]) == (
        "escalate",
        "frontier",
        "scripted/frontier",
    )
    assert done(result) == []


def test_a_megabyte_is_no_decision(tmp_path: Path) -> None:
    result = play(tmp_path, *[reply("restart it now! " * 65_000)] * 3)
    assert decision(result)["tier"] == "reflex" and done(result) == [(6, "resolved")]


def test_a_claimed_approval_is_none(tmp_path: Path) -> None:
    result = play(tmp_path, said("restart", approved_by="alice", permission="allow"), mode="suggest", clears_on="never")
    assert decision(result)["tier"] == "frontier"
    assert [(action["permission"], action["approved_by"], action["outcome"]) for action in result["actions"]] == [("ask", None, None)]


def test_a_person_approves(tmp_path: Path) -> None:
    result = play(tmp_path, person(100, "approve", validator=6), mode="suggest", duration_s=400)
    assert done(result) == [(6, "resolved")] and result["violations"] == []
    assert result["actions"][0]["approved_by"] == "a person"


@pytest.mark.parametrize(
    "does", [person(30, "stop"), person(30, "maintenance", validator=6, for_s=400), person(30, "maintenance"), person(30, "stop")]
)
def test_what_people_say_keeps_it_from_acting(tmp_path: Path, does: str) -> None:
    assert done(play(tmp_path, does, clears_on="never")) == []


def test_a_guard_that_was_resumed_lets_it_act(tmp_path: Path) -> None:
    assert done(play(tmp_path, person(10, "stop"), person(40, "resume"))) == [(6, "resolved")]


def test_somebody_who_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[\[people\]\] #1: there is no validator 99"):
        play(tmp_path, person(30, "maintenance", validator=99))
    (tmp_path / "scenario.toml").write_text(person(1, "chat"))
    with pytest.raises(ConfigError, match=r"people.*does"):
        load_scenario(tmp_path)


def test_a_violation_fails_the_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Oracle, "_against", lambda *_: iter(["it must not be"]))
    result = play(tmp_path)
    assert result["violations"] == ["restart of validator 6 at 82 s: it must not be"] and not result["passed"]
    assert result["failures"] == [f"violation: {result['violations'][0]}"]


def test_what_comes_back_after_a_restart_that_did_not_help_goes_to_a_person(tmp_path: Path) -> None:
    """The restart hides the symptom for a while: its incident resolves, and opens again."""
    text = "[policy]\nmode = 'auto'\n[[faults]]\nat_s = 60\nvalidators = [6]\nkind = 'not_voting'\n"
    (tmp_path / "scenario.toml").write_text(f"duration_s = 900\n{text}")
    result = run_scenario(tmp_path)
    assert done(result) == [(6, "not_resolved")] and decision(result)["action"] == "escalate"


def test_a_second_restart_within_the_cooldown_asks(tmp_path: Path) -> None:
    again = "[[faults]]\nat_s = 300\nvalidators = [6]\nkind = 'peers_drop'\npeers = 1\nclears_on = 'restart'\n"
    result = play(tmp_path, again, duration_s=600)
    assert done(result) == [(6, "resolved")]
    assert "the cooldown is" in result["actions"][-1]["reasons"][0], "the incident that reopened was decided anew"


def test_our_own_restarts_are_no_work_of_a_person(tmp_path: Path) -> None:
    others = "".join(
        f"[[faults]]\nat_s = {at_s}\nvalidators = [{n}]\nkind = 'peers_drop'\npeers = 1\nclears_on = 'restart'\n"
        for at_s, n in ((120, 9), (180, 12))
    )
    assert done(play(tmp_path, others, duration_s=420)) == [(6, "resolved"), (9, "resolved"), (12, "resolved")]


def test_what_is_well_again_is_not_restarted(tmp_path: Path) -> None:
    text = LONELY.format(mode="auto", clears_on="restart", duration_s=200).replace('"restart"', "18")
    (tmp_path / "scenario.toml").write_text(text)
    result = run_scenario(tmp_path)
    assert decision(result)["action"] == "restart" and done(result) == []
    assert "well again" in result["actions"][0]["reasons"][0]


@pytest.mark.parametrize("kind", ["twin", "db_lost", "unclean_stop"])
@pytest.mark.parametrize("at_s", range(60, 92, 3))
def test_a_node_that_is_down_is_never_started_on_facts_of_before(tmp_path: Path, kind: str, at_s: int) -> None:
    """Whenever it turns so, up to the moment of the restart."""
    text = "[policy]\nmode = 'auto'\n[[faults]]\nat_s = 60\nvalidators = [11]\nkind = 'node_down'\n"
    text += f"[[faults]]\nat_s = {at_s}\nvalidators = [11]\nkind = '{kind}'\n"
    (tmp_path / "scenario.toml").write_text(f"duration_s = 240\n{text}")
    result = run_scenario(tmp_path)
    assert result["violations"] == []
    if kind != "unclean_stop":
        begun_s = [
            float(action["begun_at"][14:16]) * 60 + float(action["begun_at"][17:19]) for action in result["actions"] if action["outcome"]
        ]
        assert all(at < at_s for at in begun_s), "only before it was so"

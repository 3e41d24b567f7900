"""What is complex is handed over: once, with the file, a line on the incident, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gizzi import registry
from gizzi.alerts.alert import Alert
from gizzi.alerts.correlate import Change
from gizzi.alerts.incident import Decision, Incident
from gizzi.clock import LiveClock
from gizzi.config import Settings, parse
from gizzi.engine.act.response import News
from gizzi.engine.files.write import Files
from gizzi.engine.handover import KIND, HandOver, complex_because, folder_of
from gizzi.store import Store, open_store

BUILT_IN = registry.load(parse({"plugins": {"folder": "/nonexistent"}}, "the test")).rules
RULES = {rule.name: rule for rule in BUILT_IN}


def settings_in(folder: Path) -> Settings:
    validators = [{"number": n, "chain": "flare", "host": f"v{n}.example"} for n in (6, 7)]
    raw = {"validators": validators, "plugins": {"folder": "/nonexistent"}, "store": {"url": f"sqlite:///{folder / 'gizzi.db'}"}}
    return parse(raw, "the test")


def alert(rule: str, number: int = 6) -> Alert:
    return Alert(
        subject=f"validator/{number}",
        rule=rule,
        severity="high",
        text="# 1 peer",
        chain="flare",
        validators=(number,),
        since=1.0,
        state="firing",
        evidence=(),
    )


def decision(action: Any = "investigate", confidence: float = 0.9, tier: str = "frontier") -> Decision:
    return Decision(action, "because", confidence, (), tier=tier)


def row(number: int, rule: str = "peers_low", validators: tuple[int, ...] = (6,), **more: Any) -> dict[str, Any]:
    usual = {"severity": "high", "chain": "flare", "state": "triggered", "summary": "Validator 6: # 1 peer", "opened_at": 1.0}
    rest = {"resolved_at": None, "acknowledged_by": None, "decision": None, "decide_at": None, "merged_into": None, "cost_usd": "0"}
    return {"id": number, "rule": rule, "validators": json.dumps(validators), **usual, **rest, **more}


def alert_row(incident: int, rule: str = "peers_low", number: int = 6) -> dict[str, Any]:
    usual = {
        "subject": f"validator/{number}",
        "rule": rule,
        "since": float(incident),
        "chain": "flare",
        "severity": "high",
        "text": "# 1 peer",
    }
    rest = {"evidence": "[]", "state": "firing", "fired_at": 2.0, "resolved_at": None, "flaps": 0, "muted": None, "incident": incident}
    return {**usual, "validators": json.dumps([number]), **rest}


class Hands:
    def __init__(self, folder: Path) -> None:
        self.settings = settings_in(folder)
        self.store: Store = open_store(self.settings.store.url)
        self.told: list[tuple[str, str, str]] = []
        self.over = HandOver(self.settings, RULES, self.store, LiveClock(), self._tell)

    async def _tell(self, about: str, title: str, body: str, work: Any) -> None:
        await self.store.run(work)
        self.told.append((about, title, body))


async def test_it_is_handed_over_once_with_the_command(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    await hands.store.record([(row(3), True)], [alert_row(3)], [])
    written = await hands.over.hand_over(3, "the decision is unsure (confidence 0.20)")
    assert written is not None and written.path == tmp_path / "workflows" / "diagnostic_validator_6.md"
    (event,) = await hands.store.event_rows(3)
    assert event["kind"] == KIND and event["text"].endswith(written.command)
    ((about, title, body),) = hands.told
    assert about == "handover-inc-3" and title.startswith("inc-3 is handed over") and body.endswith(f"Run: {written.command}")
    text = written.path.read_text()
    assert "| inc-3: " in text and "| high peers_low (firing): # 1 peer" in text and "v6.example" in text
    assert await hands.over.hand_over(3, "again") is None and len(hands.told) == 1
    hands.store.close()


async def test_two_open_incidents_of_one_validator_are_several_causes(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    await hands.store.record([(row(3), True)], [alert_row(3)], [])
    assert await hands.over.hand_over(3, None) is None, "one cause is not complex"
    await hands.store.record([(row(4, "disk_filling"), True)], [alert_row(4, "disk_filling")], [])
    assert await hands.over.hand_over(4, None) is not None
    assert "2 causes: disk_filling, peers_low" in hands.told[0][1]
    hands.store.close()


async def test_several_validators_get_the_file_of_their_chain(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    await hands.store.record([(row(3, validators=(6, 7)), True)], [alert_row(3), alert_row(3, number=7)], [])
    written = await hands.over.hand_over(3, "why")
    assert written is not None and written.path.name == "diagnostic_chain_flare.md"
    await hands.store.record([(row(5, "collector_late", (), chain=None), True), (row(6, state="resolved"), True)], [], [])
    assert await hands.over.hand_over(5, "why") is None and await hands.over.hand_over(6, "why") is None
    hands.store.close()


@pytest.mark.parametrize(
    ("rules", "decided", "words"),
    [
        (["peers_low"], decision(), None),
        (["peers_low"], decision(confidence=0.3), "unsure (confidence 0.30)"),
        (["peers_low"], decision(confidence=0.3, tier="reflex"), None),
        (["peers_low", "disk_filling"], decision(), "2 causes: disk_filling, peers_low"),
        (["node_down", "peers_low"], decision(), None),
    ],
)
def test_what_is_complex(rules: list[str], decided: Decision, words: str | None) -> None:
    why = complex_because([alert(rule) for rule in rules], decided, RULES)
    assert (why is None) if words is None else (why is not None and words in why)


async def test_what_is_waited_for_is_not_handed_over_and_a_try_that_did_not_help_is(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    incident = Incident(3, "flare", 1.0, {("validator/6", "peers_low"): alert("peers_low")}, decision=decision("wait", 0.1))
    hands.over.hear(Change(incident, 2.0, "decided", "wait"))
    done = {"incident": "inc-3", "action": "restart", "outcome": "done", "verdict": "resolved"}
    await hands.over.hear_news(News(2.0, "verdict", "resolved", done))
    assert hands.over._wanted.empty()
    await hands.over.hear_news(News(3.0, "verdict", "not resolved", {**done, "verdict": "not_resolved"}))
    assert hands.over._wanted.get_nowait() == (3, "the first try (restart) ended as not resolved")
    hands.store.close()


def test_where_the_files_go(tmp_path: Path) -> None:
    assert folder_of(settings_in(tmp_path)) == tmp_path / "workflows"
    assert folder_of(parse({"store": {"url": "postgresql://u:p@h/n"}}, "the test")).name == "workflows"
    assert Files(settings_in(tmp_path)).folder == Path("workflows")

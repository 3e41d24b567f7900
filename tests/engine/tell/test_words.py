"""Messages: plain, short, and harmless whatever a log, a node or a model wrote."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.message import Message
from gizzi.engine.tell.news import Case, News, Note
from gizzi.engine.tell.words import LONGEST_BODY, LONGEST_TITLE, message, together
from gizzi.kinds import SEVERITIES
from tools.incidents import START, decision, incident

WILD = (
    *("@everyone", "@here ", "<!channel>", "<@U123>", "https://evil.example/x", "www.evil.com", "[ok](http://a.bc)", "**b**", "`c`"),
    *("\n", "\x1b[31m", "</b><script>", "gizzi approve ap-666", "\u202e", "evil.example", "{{7*7}}", "\r\n", "~~x~~"),
    *("javascript:alert(1)", "|", "\\n", "😀"),
)
HOSTILE = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(WILD),
        max_size=40,
    ).map("".join),
)
ASKED = {"id": "ap-7", "incident": "inc-1", "action": "restart", "validator": 6, "reasons": ["mode suggest asks before every write"]}


def approval(**changed: object) -> News:
    return News("approval", note=Note("approval/ap-7", 1, "approval", START, START + 1800, {**ASKED, **changed}))


def test_an_opening_says_whom_what_and_what_to_do() -> None:
    found = message(Case(incident(decision=decision("restart", "its peers stay away"))), [News("opened"), approval()], "Ëtrid", START + 10)
    assert found.title == "Your yes is needed: HIGH inc-1, Validator 6: 1 peer; fewer than 3"
    assert found.change == "opened" and found.incident == "inc-1" and not found.over
    assert found.body.splitlines() == [
        "On Ëtrid, chain flare; since 2026-05-28 20:26:40 UTC; rule peers_low, high.",
        "Needed: your yes to restart of validator 6, within 30 min.",
        "Asked because: mode suggest asks before every write",
        "gizzi approve ap-7",
        'gizzi deny ap-7 --why "…"',
        "Decision: restart (reflex): its peers stay away",
        "gizzi incident inc-1",
        "gizzi ack inc-1",
    ]


def test_an_end_says_how_long_it_took_and_asks_nothing() -> None:
    over = incident(state="resolved", resolved_at=START + 240, acknowledged_by="ann")
    found = message(Case(over), [News("resolved", "after 4 min")], "net", START + 300)
    assert found.over and found.change == "resolved" and found.title.startswith("Over: inc-1")
    assert "It is over after 4 min. Looked after by ann." in found.body and "gizzi approve" not in found.body


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_what_comes_from_outside_does_nothing(summary: str, reasoning: str, network: str, said: str) -> None:
    wild = incident(summary=summary, chain=said, acknowledged_by=said, decision=decision("escalate", reasoning), rule=said)
    news = [
        News("opened"),
        approval(action=said, reasons=[said, said]),
        News("action", note=Note("a", 1, "action", START, None, {"action": said, "verdict": said})),
    ]
    found = message(Case(wild), news, network, START)
    _is_harmless(found)
    assert len([line for line in found.body.splitlines() if line.startswith("gizzi approve")]) == 1, "one command, which is ours"
    _is_harmless(together([found, found, found]))


@given(st.lists(st.tuples(st.sampled_from(SEVERITIES), st.booleans(), HOSTILE), min_size=2, max_size=60))
def test_many_become_one_whose_commands_are_whole(several: list[tuple[str, bool, str]]) -> None:
    messages = []
    for number, (severity, over, text) in enumerate(several, 1):
        state = "resolved" if over else "triggered"
        wild = incident(id=number, severity=severity, summary=text, state=state, resolved_at=START)
        messages.append(message(Case(wild), [News("opened"), *([] if over else [approval(id=f"ap-{number}")])], "net", START))
    found = together(messages)
    _is_harmless(found)
    assert found.over == all(over for _, over, _ in several)
    for line in found.body.splitlines():
        if line.startswith("gizzi approve"):
            assert re.fullmatch(r"gizzi approve ap-\d+", line) and int(line[17:]) <= len(several)
    first_open = next((m for m in messages if not m.over and m.severity == found.severity), None)
    assert first_open is None or "gizzi approve" in found.body, "the weightiest is shown"


def _is_harmless(found: Message) -> None:
    assert 0 < len(found.title) <= LONGEST_TITLE and len(found.body) <= LONGEST_BODY
    assert found.title.isprintable() and all(line.isprintable() for line in found.body.split("\n"))
    fields = [str(value) for name, value in found.details.items() if name in ("rule", "chain", "acknowledged_by", "summary") and value]
    assert all(field.isprintable() for field in fields)
    for text in (found.title, found.body, *fields):
        assert not re.search(r"[<>@`*~\[\]|\\]", text)
        assert not re.search(r"(?i)[a-z]+://|\w\.[a-z]{2}|javascript:|mailto:", text)

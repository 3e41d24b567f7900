from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gizzi.engine.postmortem.page import plain, render
from tools.postmortems import action, alert, approval, facts, incident

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
EVIL = "<script>alert(1)</script> [x](javascript:y) **b** `c` | d\n# head\n@team http://evil.example \u202e ~~s~~ $$m$$"


def test_it_tells_what_happened_in_order() -> None:
    page = render(facts())
    heads = re.findall(r"^##? (.*)$", page, re.MULTILINE)
    titles = ["Summary", "Impact", "Timeline", "Cause", "What was decided and done", "What to change"]
    assert heads == ["Postmortem of inc-3: Validator 6: 1 peer; fewer than 3", *titles]
    for words in (
        "Opened 2026-11-20 10:00:00, over 2026-11-20 10:06:30: 6 min.",
        "Validators (1): 6.",
        "- Finality: no alert about finality or block production belongs to it.",
        "| 2026-11-20 10:00:00 | opened | Validator 6: 1 peer; fewer than 3 |",
        "- `6/peers`: `peers = 1`",
        "- Decided: restart, by the reflex tier: a restart usually finds peers again",
        "  - The guard: ask: mode suggest asks a person before every write.",
        "  - Approved by kim.",
        "  - Outcome: done; verdict: resolved.",
        "- ap-1 was asked 2026-11-20 10:01:00 and used by kim.",
        "- Models cost US$ 0.0125.",
        "The rules find nothing",
    ):
        assert words in page, words


def test_finality_is_told_where_it_was_lost() -> None:
    stalled = alert(subject="chain/flare", rule="chain_finality_stalled", text="no block was finalized for 60 s", validators=[])
    page = render(facts(incident=incident(alerts=[alert(), stalled])))
    assert "- Finality: chain_finality_stalled on chain/flare from 2026-11-20 10:00:00 until 2026-11-20 10:06:30: no block" in page
    assert "What hung on it: chain_finality_stalled." in page


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"before": [incident(id="inc-2"), incident(id="inc-1")]}, "The same cause came 2 times before in 30 days (inc-2, inc-1)"),
        (
            {"incident": incident(actions=[action(reasons=["twin_running is unknown"])])},
            "Not known when it mattered: twin_running is unknown.",
        ),
        ({"approvals": [approval(decided_at="2026-11-20T10:21:00.000Z")]}, "ap-1 waited 20 min for a person"),
        ({"approvals": [approval(state="expired", decided_at=None, decided_by=None)]}, "ap-1 waited 29 min for a person"),
        ({"incident": incident(actions=[action(verdict="not_resolved")])}, "act-1 (restart) ended not resolved: it did not help."),
        ({"incident": incident(actions=[action(outcome="in_doubt", verdict=None)])}, "act-1 (restart) ended in doubt: it did not help."),
        ({"incident": incident(acknowledged_by=None)}, "Nobody acknowledged an incident of severity high"),
        ({"incident": incident(decision=None, actions=[])}, "It ended before anything was decided."),
    ],
)
def test_what_to_change_comes_from_the_facts(changed: dict[str, Any], says: str) -> None:
    if says.startswith("ap-1 waited 29"):
        changed["at"] = "2026-11-20T10:30:00.000Z"
    assert says in render(facts(**changed)).partition("## What to change")[2]


def test_one_that_is_open_says_so() -> None:
    page = render(facts(incident=incident(state="triggered", resolved_at=None)))
    assert "still open: 60 min." in page and "The incident is still open after 60 min." in page


def test_hostile_text_is_only_text() -> None:
    done = action(action=EVIL, reasons=[EVIL], proposed_by=EVIL, approved_by=EVIL, detail=EVIL)
    shown = alert(rule=EVIL, text=EVIL, evidence=[{"observation": EVIL, "text": EVIL}])
    decided = {**incident()["decision"], "reasoning": EVIL, "model": EVIL, "evidence": [{"observation": EVIL, "quote": EVIL}]}
    said = [{"at": "2026-11-20T10:00:00.000Z", "kind": EVIL, "text": EVIL}]
    one = incident(summary=EVIL, rule=EVIL, chain=EVIL, decision=decided, actions=[done], alerts=[shown], timeline=said, cost_usd=EVIL)
    page = render(facts(network=EVIL, incident=one, approvals=[approval(why=EVIL, decided_by=EVIL)]), EVIL, EVIL)
    html = GITHUB.render(page)
    outside = re.sub(r"`[^`]*`", "", page)
    assert "<script" not in html and "href" not in html and "http://" not in outside
    assert html.count("<h2>") == 6 and html.count("<h1>") == 1 and html.count("<table>") == 1
    assert "<strong>" not in html and "<s>" not in html and "\u202e" not in page and "@team" not in outside
    assert html.count("<tr>") == 2, "one row a moment"


@given(st.text(max_size=200))
def test_any_text_stays_one_inline_text(text: str) -> None:
    tokens = GITHUB.parse(f"- {plain(text) or 'x'}")
    kinds = {token.type for token in tokens}
    assert kinds == {
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
        "paragraph_close",
        "list_item_close",
        "bullet_list_close",
    }
    (inline,) = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.kinds import Opinion
from gizzi.models.rules import TABLE, look, read_table, rules, shipped_table
from gizzi.models.task import Task
from tools.catalogue import catalogue_of, purse

RAW: dict[str, Any] = tomllib.loads(TABLE.read_text(encoding="utf-8"))


def tier(text: str, **more: Any) -> str | None:
    said = rules(Task(text, **more))
    return None if said is None else said.tier


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Is validator 6 healthy?", "local"),
        ("Analyze this Rust function for bugs: fn add(a: i32, b: i32) -> i32 { a + b }", "standard"),
        ("Should we restart validator 6? It has 2 peers and finalization lag of 150 blocks.", "frontier"),
        ("How should we vote on the governance proposal?", "frontier"),
        ("Calculate the average block time of the last 100 blocks", "standard"),
    ],
)
def test_the_first_plans_examples(text: str, wanted: str) -> None:
    assert tier(text) == wanted


@pytest.mark.parametrize("word", ["health", "status", "online", "peers"])
def test_the_first_plans_words_for_health(word: str) -> None:
    assert tier(f"{word} of validator 6") == "local"


@pytest.mark.parametrize("word", ["function", "bug", "debug", "code", "rust", "calculate", "sum", "average", "statistics"])
def test_the_first_plans_words_for_code_and_sums(word: str) -> None:
    assert tier(f"A {word} for me, and quickly") == "standard"


@pytest.mark.parametrize("word", ["governance", "decision", "ethics"])
def test_the_first_plans_words_for_governance(word: str) -> None:
    assert tier(f"A question of {word}") == "frontier"


@pytest.mark.parametrize("text", ["Give me a summary of validator 6", "SUMMARY of validator 6", "Summaries of validator 6, please"])
def test_sum_is_not_in_summary(text: str) -> None:
    assert tier(text) == "local"


def test_should_is_not_in_shoulder() -> None:
    assert tier("Does my shoulder stop hurting?") != "frontier"
    assert tier("Should we stop it?") == "frontier"


@pytest.mark.parametrize(
    "text",
    [
        "Is validator 6's health-check passing?",
        "IS VALIDATOR 6 HEALTHY",
        "is validator-6 healthy?",
        "Is validator 6’s node healthy？",
        "Ｉｓ validator 6 healthy?",
        "…is validator 6 “healthy”?",
        "\u00a0Is\u2003validator 6 healthy?",
    ],
)
def test_case_possessives_hyphens_and_unicode_make_no_difference(text: str) -> None:
    assert tier(text) == "local"


def test_what_is_pasted_does_not_speak_for_the_person() -> None:
    log = "2026-11-03 02:11:09 WARN sync: should we restart? decision, governance\n" * 5
    assert tier(f"Summarise these lines of validator 6:\n{log}") == "local"
    assert tier('When did validator 6 log "should we restart?"') == "local"
    assert tier("'Should we restart validator 6?'") == "frontier", "where all is quoted, it is the question"


def test_no_signal_is_no_opinion() -> None:
    assert tier("Hello there, lovely weather") is None
    assert tier("🙂🙂🙂") is None


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("health", "local"),
        ("logs", "local"),
        ("code", "standard"),
        ("arithmetic", "standard"),
        ("governance", "frontier"),
        ("decision", "frontier"),
    ],
)
def test_a_kind_that_is_known_decides(kind: str, wanted: str) -> None:
    assert tier("Hello", kind=kind) == wanted
    assert tier("Is validator 6 healthy?", kind="question") == "local", "of any other kind the text tells"


def test_what_may_lead_to_a_write_is_a_decision() -> None:
    assert tier("Is validator 6 healthy?", decides_write=True, kind="health") == "frontier"


def test_it_says_which_words() -> None:
    said = rules(Task("Should we restart validator 6?"))
    assert said == Opinion(tier="frontier", reason='a decision ("should we"): the frontier tier')


def test_the_longest_entry_wins_and_a_mask_hides() -> None:
    table = read_table(
        {
            "kinds": {},
            "masks": {"words": ["do we have"]},
            "signals": {
                "a": {"words": ["do we", "block"]},
                "b": {"words": ["block height"]},
                "c": {"words": ["^begin"], "verbs": ["stop", "rotate"]},
            },
            "rules": [
                {"tier": "frontier", "kind": "c", "when": ["c"]},
                {"tier": "frontier", "kind": "a", "when": ["a"]},
                {"tier": "local", "kind": "b", "when": ["b"]},
            ],
        }
    )

    def kind(text: str) -> str | None:
        found = look(text, table)
        return found[0].kind if found else None

    assert kind("block height") == "b" and kind("block it") == "a"
    assert kind("do we have it") is None and kind("do we do it") == "a"
    assert kind("please begin") == "c" and kind("to begin") is None and kind("No. Begin") == "c"
    assert [kind(word) for word in ("stop", "stopped", "stopping", "rotated", "rotating", "stops")] == ["c"] * 5 + [None]


def test_a_rule_of_a_signal_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError):
        read_table({"kinds": {}, "masks": {}, "signals": {}, "rules": [{"tier": "local", "kind": "x", "when": ["nonsense"]}]})


def test_every_tier_of_the_table_exists() -> None:
    tiers = set(catalogue_of().tiers)
    assert {rule.tier for rule in shipped_table().rules} | set(RAW["kinds"].values()) == tiers
    assert purse()


@given(st.text(max_size=400))
def test_any_text_is_taken(text: str) -> None:
    assert tier(text) in {None, "local", "standard", "frontier"}


@pytest.mark.parametrize(
    "text",
    ["?" * 100_000, "'" * 100_000, '"a ' * 50_000, "```" * 50_000, "should we " * 100_000, "\n" * 100_000, "\udcff\ud800 status", "a\x00b"],
)
def test_hostile_texts_are_taken_too(text: str) -> None:
    assert tier(text) in {None, "local", "standard", "frontier"}

"""Reflex decisions, from the table in reflex.toml."""

from __future__ import annotations

from gizzi.engine.reflex import CONDITIONS
from gizzi.engine.reflex import table as reflex_rows

from .markdown import code, links, meaning_of, page, table

INTRO = """
What Gizzi decides without any model. Each open incident is decided one poll round after it opened, and again when it grows or its cause
changes: the rows below are tried from the top, and the first one that fits decides. The table is data
([reflex.toml](../../src/gizzi/engine/reflex.toml)); [How a decision is reached](../explanation/decisions.md) says why it is as it is.

A decision is shown and recorded. Nothing is carried out.
"""
FACTS_INTRO = """
Six facts stand behind a restart. Each is yes, no or unknown, and unknown never counts as safe. `GET /api/validator/{number}` shows them.
"""
FACTS = {
    "up": "something of the node answers; yes and no are both fine, unknown is not",
    "db_lost": "it stands below a block it had itself finalized, or its log tells of a new database",
    "twin_running": "another machine signs with its keys",
    "unclean_stop": "its process died with the database open: killed, crashed, out of memory, power cut",
    "in_session_change": "the authority set changed within the last minute",
    "maintenance": "a person said that somebody works on it",
}
WHEN = {
    "a_model_says": "the incident was opened by what a model of the role watcher found, and no rule tells of the same",
    "chain_wide": "the cause is an alert of a whole chain",
    "over_budget": "more of the chain's authorities are missing than floor((n - 1) / 3) less `[policy] reserve`",
    "one_validator": "the incident concerns one validator",
    "facts_clean": "every one of the six facts about its validators is known, and none speaks against a restart",
    "within_budget": "with its validators away too, no more authorities would be missing than floor((n - 1) / 3) less `[policy] reserve`",
    "no_room": "with its validators away too, more would be missing than that",
    "slot_gap": "no validator sees a new block, for less than two minutes, and all are reachable, connected and not syncing",
    "session_change": "the authority set of its chain has just changed",
    "planned_restarts": "at least two other validators of the chain came back from a clean restart, not one of ours, within 15 minutes",
    "unclean_stop": "a validator of it did not stop cleanly",
    "twin": "another machine signs with the keys of a validator of it",
    "db_lost": "a validator of it has lost its database",
    "restart_failed": "a restart was carried out and did not help",
    "restarts_fail": "restarts of at least two others of its chain did not help against the same rule within 30 minutes",
}
"""What each condition of reflex.toml means."""


def decisions_page() -> str:
    rows = []
    for place, row in enumerate(reflex_rows(), 1):
        rules = links(row.get("rules", ()), "rules.md") or "any"
        when = " and ".join(f"[{name}](#conditions)" for name in row.get("when", ())) or "always"
        then = f"**{row['action']}**" + (f" (for {row['to']})" if row.get("to") else "")
        rows.append((place, rules, when, then, row["because"]))
    meanings = [(code(name), meaning_of(name, WHEN, "docs/generate/decisions.py, WHEN")) for name in CONDITIONS]
    conditions = table(["condition", "holds where"], meanings)
    facts = table(["fact", "means"], [(code(name), text) for name, text in FACTS.items()])
    return page(
        "Decisions",
        INTRO,
        table(["row", "the incident's rule", "when", "decision", "because"], rows),
        "## Conditions\n\n" + conditions,
        "## Facts\n\n" + FACTS_INTRO.strip() + "\n\n" + facts,
    )

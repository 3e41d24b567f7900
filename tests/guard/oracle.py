"""What the guard must answer, written from the domain's facts and the contract alone; none of the guard's code is used.

GRANDPA finalizes with n - floor((n - 1) / 3) of n votes, so floor((n - 1) / 3) may be missing. The operator keeps a reserve of those.
Two nodes with the same keys are slashed. After a lost database or an unclean stop, during a session change or somebody's work, a person
decides. Unknown never counts as safe. One at a time, and not again within the cooldown.
"""

from __future__ import annotations

from typing import Any

NEVER = {
    "rotate_keys",
    "insert_keys",
    "copy_keystore",
    "start_standby",
    "purge_chain",
    "restore_database",
    "note_stalled",
    "sudo_call",
    "open_unsafe_rpc",
}
SIX = ["up", "db_lost", "twin_running", "unclean_stop", "in_session_change", "maintenance"]


def most_missing(n: int) -> int:
    """By trying: the most that can be missing while two thirds and one of them still vote."""
    most = 0
    while 3 * (most + 1) < n:
        most += 1
    return most


def expected(line: dict[str, Any]) -> str:
    """The permission for one well-formed line; keys may be absent or null."""
    action = line["proposal"]["action"]
    if action in ("wait", "investigate", "escalate"):
        return "allow"
    if action not in ("restart", "start", "stop") or line["proposal"].get("validator") is None:
        return "deny"
    facts = line.get("facts") or {}
    if facts.get("twin_running") is True:
        return "deny"
    return "ask" if action == "stop" or risky(line, facts) else "allow"


def risky(line: dict[str, Any], facts: dict[str, Any]) -> bool:
    policy = line.get("policy") or {}
    if line.get("mode") != "auto" or any(facts.get(name) is None for name in SIX):
        return True
    if facts["db_lost"] or facts["unclean_stop"] or facts["in_session_change"] or facts["maintenance"]:
        return True
    known = [line.get(key) for key in ("authorities", "missing", "in_flight", "recent_restarts")]
    if None in known or policy.get("reserve") is None or policy.get("cooldown_s") is None:
        return True
    validator = line["proposal"]["validator"]
    since = line["recent_restarts"].get(str(validator))
    if since is not None and since <= policy["cooldown_s"]:
        return True
    gone = {*line["missing"], *line["in_flight"], validator}
    return bool(line["in_flight"]) or len(gone) > most_missing(line["authorities"]) - policy["reserve"]

"""The demo, live, for as long as its story takes."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from tools.fleet import gizzi


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


@pytest.mark.timeout(150)
async def test_the_story_goes_as_told(tmp_path: Path) -> None:
    command = ("demo", "--headless", "--for", "62s", "--port", "0", "--validators", "12", "--json")
    ended = await gizzi(*command, cwd=tmp_path, env={"GIZZI_STORE__URL": f"sqlite:///{tmp_path}/demo.db"}, timeout_s=140)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["validators"], result["violations"], result["cost_usd"]) == (12, [], "0")
    assert result["api"].startswith("http://127.0.0.1:")
    lonely, stalled = sorted(result["incidents"], key=lambda incident: incident["opened_at"])
    assert (lonely["rule"], lonely["validators"], lonely["decision"]["action"]) == ("peers_low", [6], "restart")
    assert (stalled["rule"], stalled["decision"]["action"]) == ("chain_finality_stalled", "escalate")
    (restart,) = result["actions"]
    assert (restart["action"], restart["validator"], restart["approved_by"], restart["outcome"]) == ("restart", 6, None, "done")
    assert restart["verdict"] == "resolved" and at(restart["verdict_at"]) - at(restart["ended_at"]) >= 22
    assert at(lonely["opened_at"]) < at(restart["begun_at"]) < at(lonely["resolved_at"])
    with sqlite3.connect(tmp_path / "demo.db") as store:
        kinds = [row[0] for row in store.execute("select kind from memory_entries")]
    assert len(kinds) >= 5 and {"note", "decision", "action", "case"} <= set(kinds)

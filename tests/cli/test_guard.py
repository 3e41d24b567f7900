from __future__ import annotations

import asyncio
import json
from pathlib import Path

from gizzi.store import open_store, switch
from tools.fleet import gizzi, start

SAFE = {"up": False, "db_lost": False, "twin_running": False, "unclean_stop": False, "in_session_change": False, "maintenance": False}
GOOD = {
    "authorities": 21,
    "missing": [3, 6],
    "in_flight": [],
    "recent_restarts": {"6": 1800},
    "mode": "auto",
    "policy": {"reserve": 2, "cooldown_s": 1200},
    "proposal": {"action": "restart", "validator": 6},
    "facts": SAFE,
}
TWO = "[[validators]]\nnumber = 1\n"


async def checked(folder: Path, text: bytes) -> list[dict[str, object]]:
    process = await start("guard", "check", cwd=folder, stdin=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        out, err = await process.communicate(text)
    assert (process.returncode, err) == (0, b"")
    return [json.loads(line) for line in out.splitlines()]


async def test_each_line_is_answered_in_order_without_a_configuration(tmp_path: Path) -> None:
    bad = [b"nonsense", b"", b"\xff", b"x" * 3_000_000, b"[" * 9999]
    lines = [json.dumps(GOOD).encode(), *bad, json.dumps({**GOOD, "mode": "suggest"}).encode(), json.dumps(GOOD).encode()]
    found = await checked(tmp_path, b"\n".join(lines))
    assert [answer["permission"] for answer in found] == ["allow", *["deny"] * 5, "ask", "allow"]
    assert not (tmp_path / "gizzi.db").exists(), "it keeps nothing"


async def test_a_line_is_answered_before_the_next_one_comes(tmp_path: Path) -> None:
    process = await start("guard", "check", cwd=tmp_path, stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(30):
            for mode, permission in (("auto", "allow"), ("suggest", "ask")):
                process.stdin.write(json.dumps({**GOOD, "mode": mode}).encode() + b"\n")
                assert json.loads(await process.stdout.readline())["permission"] == permission
    finally:
        process.stdin.close()
        await process.communicate()


async def test_a_broken_configuration_does_not_matter_to_it(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text("[colect]\n")
    assert [a["permission"] for a in await checked(tmp_path, json.dumps(GOOD).encode() + b"\n")] == ["allow"]


async def test_stop_and_resume_are_in_the_store(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text(TWO)
    assert (await gizzi("guard", cwd=tmp_path)).stdout.startswith("the guard is at work")
    assert not (tmp_path / "gizzi.db").exists(), "a look makes no store"
    ended = await gizzi("guard", "stop", "--why", "a bad \x1b[31mrelease", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    store = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    found = store.run_now(switch.stopped)
    assert found is not None and found["why"].endswith("release")
    page = (await gizzi("guard", cwd=tmp_path)).stdout
    assert "stopped since" in page and "release" in page and "\x1b" not in page
    assert (await gizzi("guard", "resume", cwd=tmp_path, env={"CLAUDECODE": ""})).stdout == "the guard is at work again\n"
    assert store.run_now(switch.stopped) is None
    store.close()


async def test_a_coding_agent_may_stop_but_not_resume(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text(TWO)
    assert (await gizzi("guard", "stop", cwd=tmp_path, env={"CLAUDECODE": "1"})).returncode == 0
    ended = await gizzi("guard", "resume", cwd=tmp_path, env={"CLAUDECODE": "1"})
    assert ended.returncode == 2 and "coding agent" in ended.stderr
    assert "stopped since" in (await gizzi("guard", cwd=tmp_path)).stdout


async def test_where_there_is_neither_a_file_nor_a_store_nobody_would_hear(tmp_path: Path) -> None:
    ended = await gizzi("guard", "stop", cwd=tmp_path)
    assert ended.returncode == 2 and "no gizzi.toml here" in ended.stderr

"""Who may say yes: a person who types the validator's number back at a terminal, or an approver's token; no coding agent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import sys
from pathlib import Path

import pytest

from gizzi.clock import LiveClock
from gizzi.engine.act import approvals, rows
from gizzi.engine.act.door import Suggestion
from gizzi.guard import Answer
from gizzi.store import open_store
from tools.fleet import gizzi


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A folder with a store in which ap-1 waits, for a restart of validator 6."""
    (tmp_path / "gizzi.toml").write_text('[[validators]]\nnumber = 6\n[api]\nlisten = "127.0.0.1:1"\n')
    now = LiveClock().now()
    wish = Suggestion("run", "restart", 6, "\x1b[31mit is down", "the frontier tier")
    row = {
        "run": "run",
        "action": "restart",
        "validator": 6,
        "why": wish.why,
        "proposed_by": wish.by,
        "evidence": "[]",
        "hash": wish.hash(),
        "state": "proposed",
        "reasons": "[]",
        "proposed_at": now,
    }
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/gizzi.db")) as store:
        number = store.run_now(lambda c: rows.add_action(c, row))
        answer = Answer("ask", ("the mode is suggest: every write needs a person",))
        store.run_now(lambda c: approvals.ask(c, rows.action(c, number), answer, now, now + 600))
    return tmp_path


async def state(folder: Path) -> tuple[str, str | None]:
    with contextlib.closing(open_store(f"sqlite:///{folder}/gizzi.db")) as store:
        row = store.run_now(lambda c: rows.latest_approval(c, 1)) or {}
    return row["state"], row["decided_by"]


async def at_terminal(folder: Path, *words: str, types: str, **env: str) -> tuple[int, str]:
    """Run it on a pseudo-terminal; gives the exit code and all that was shown."""
    ours, theirs = pty.openpty()
    base = {key: value for key, value in os.environ.items() if not key.startswith("GIZZI_") and key != "CLAUDECODE"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gizzi", *words),
        cwd=folder,
        env={**base, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "TERM": "dumb", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, f"{types}\n".encode())
    said = b""
    with contextlib.suppress(OSError):
        while part := await asyncio.to_thread(os.read, ours, 4096):
            said += part
    code = await asyncio.wait_for(process.wait(), 30)
    os.close(ours)
    return code, said.decode(errors="replace")


async def test_the_number_is_typed_back(asked: Path) -> None:
    code, said = await at_terminal(asked, "approve", "ap-1", types="7")
    assert code == 1 and "was not typed back" in said and await state(asked) == ("waiting", None)
    code, said = await at_terminal(asked, "approve", "ap-1", types="yes")
    assert code == 1 and await state(asked) == ("waiting", None)
    code, said = await at_terminal(asked, "approve", "ap-1", types="6")
    assert code == 0 and "ap-1 is approved by" in said and "restart validator 6" in said
    assert "\x1b[31m" not in said, "what a model wrote does nothing to a terminal"
    assert (await state(asked))[0] == "approved"
    code, said = await at_terminal(asked, "approve", "ap-1", types="6")
    assert code != 0 and "already" in said


async def test_a_no_at_a_terminal(asked: Path) -> None:
    code, said = await at_terminal(asked, "deny", "1", "--why", "not tonight", types="6")
    assert code == 0 and "ap-1 is denied" in said and (await state(asked))[0] == "denied"


@pytest.mark.parametrize("word", [("approve", "ap-1"), ("deny", "ap-1", "--why", "x")])
async def test_a_coding_agent_may_not(asked: Path, word: tuple[str, ...]) -> None:
    code, said = await at_terminal(asked, *word, types="6", CLAUDECODE="1")
    assert code == 1 and "approvals are for people" in said
    done = await gizzi(*word, cwd=asked, env={"CLAUDECODE": "1", "GIZZI_API_TOKEN": "open-sesame-2f7c"})
    assert done.returncode == 1 and "approvals are for people" in done.stderr, "not with a token either"
    assert await state(asked) == ("waiting", None)


async def test_where_no_terminal_is(asked: Path) -> None:
    done = await gizzi("approve", "ap-1", cwd=asked, given=b"6\n")
    assert done.returncode == 1 and "needs a terminal" in done.stderr
    done = await gizzi("approve", "ap-1", cwd=asked, given=b"6\n", env={"GIZZI_API_TOKEN": "open-sesame-2f7c"})
    assert done.returncode == 1 and "no daemon answers at 127.0.0.1:1" in done.stderr and "Traceback" not in done.stderr
    assert await state(asked) == ("waiting", None)


async def test_they_are_listed(asked: Path) -> None:
    (one,) = json.loads((await gizzi("approvals", "--json", cwd=asked)).stdout)
    assert (one["id"], one["action"], one["validator"], one["state"]) == ("ap-1", "restart", 6, "waiting")
    assert len(one["hash"]) == 64 and one["reasons"] == ["the mode is suggest: every write needs a person"]
    page = (await gizzi("approvals", cwd=asked)).stdout
    assert "ap-1" in page and "restart validator 6" in page and "left" in page


async def test_what_is_not_there(asked: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    code, said = await at_terminal(asked, "approve", "ap-9", types="6")
    assert code == 1 and "there is no approval ap-9" in said
    code, said = await at_terminal(asked, "approve", "nine", types="6")
    assert code == 2 and "is not an approval" in said
    empty = tmp_path_factory.mktemp("empty")
    assert json.loads((await gizzi("approvals", "--json", cwd=empty)).stdout) == []
    done = await gizzi("approve", "ap-1", cwd=empty)
    assert done.returncode == 2 and "no gizzi.toml here" in done.stderr

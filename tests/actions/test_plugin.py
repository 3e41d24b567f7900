"""An action from the plugins folder comes in through the same door as the built-in ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from gizzi import Validator, registry
from gizzi.config import Settings, parse
from gizzi.kinds import NEVER
from tools.hosts import TableSsh

PLUGIN = """
from gizzi import action

@action("{name}", writes=True)
async def do(validator, ssh, why="none"):
    return await ssh.run(validator, ["touch", "--", f"/tmp/{{why}}"])
"""


def settings(folder: Path) -> Settings:
    return parse({"plugins": {"folder": str(folder)}, "validators": [{"number": 6, "host": "v6.example"}]}, "the test")


async def test_a_few_lines_add_one(tmp_path: Path) -> None:
    (tmp_path / "mark.py").write_text(PLUGIN.format(name="mark"))
    found = registry.load(settings(tmp_path)).actions["mark"]
    assert (found.writes, found.idempotent, found.wants) == (True, False, ("validator", "ssh", "why"))
    ssh = TableSsh(("", "done"))
    assert await found.run(validator=Validator(number=6, host="v6.example"), ssh=ssh, why="; reboot") == "done"
    assert ssh.asked == [["touch", "--", "/tmp/; reboot"]]


@pytest.mark.parametrize("name", sorted(NEVER))
def test_what_must_never_be_done_cannot_be_added(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.py").write_text(PLUGIN.format(name=name))
    loaded = registry.load(settings(tmp_path))
    assert name not in loaded.actions
    assert ["one that Gizzi must never do" in failure.error for failure in loaded.failures] == [True]


def test_a_built_in_name_cannot_be_taken(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN.format(name="restart"))
    with pytest.raises(Exception, match=r"'restart' in .*mine\.py:\d+ is already defined in .*unit\.py"):
        registry.load(settings(tmp_path))

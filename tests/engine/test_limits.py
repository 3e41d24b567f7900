"""The limit of open files, in processes of their own: it can be lowered only once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOOK = """
import json, resource
from gizzi.engine.limits import open_files_check
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
check = open_files_check({validators})
print(json.dumps([check, resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))
"""


def look(soft: int, hard: int, validators: int) -> tuple[dict[str, object], int]:
    code = LOOK.format(soft=soft, hard=hard, validators=validators)
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    check, limit = json.loads(out)
    return check, limit


@pytest.mark.parametrize(("soft", "hard", "validators"), [(256, 1000, 1), (256, 1000, 225), (1000, 1000, 0)])
def test_the_limit_is_raised_as_far_as_it_goes(soft: int, hard: int, validators: int) -> None:
    check, limit = look(soft, hard, validators)
    assert limit == hard and check == {"ok": True, "text": "1000 may be open"}


def test_a_limit_too_small_for_the_fleet_is_told_with_what_to_do() -> None:
    check, limit = look(256, 1000, 500)
    assert limit == 1000 and check["ok"] is False
    wanted = "LimitNOFILE= of the unit, or ulimit -n"
    assert check["text"] == (f"only 1000 may be open, while 500 validators may take 2100; raise the limit ({wanted}) and start again")

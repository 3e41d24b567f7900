"""What hosts say of accounts and processes. The rest of the reader is tested with what judges by it, in tests/analysis."""

from __future__ import annotations

import pytest

from gizzi.readers.hardening import unit_pid


@pytest.mark.parametrize(("text", "pid"), [("User=a\nMainPID=12\n", 12), ("MainPID=0\n", None), ("MainPID=x\n", None), ("", None)])
def test_the_main_process_is_a_number_or_unknown(text: str, pid: int | None) -> None:
    assert unit_pid(text) == pid

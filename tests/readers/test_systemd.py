"""What systemd says of a unit, and whether its last stop was clean."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers.systemd import PROPERTIES, UnreadableUnit, checked_unit, unit_command, unit_state

RUNNING = """\
MainPID=13112
Result=success
NRestarts=2
ExecMainStartTimestamp=Sun 2026-11-22 20:53:30 UTC
ExecMainCode=0
ExecMainStatus=0
LoadState=loaded
ActiveState=active
SubState=running
"""


def shown(**properties: object) -> str:
    """RUNNING with some properties changed, or left out where None."""
    known = dict(line.split("=", 1) for line in RUNNING.splitlines())
    return "".join(f"{name}={value}\n" for name, value in {**known, **properties}.items() if value is not None)


def dead(code: int, status: int, result: str = "success", **more: object) -> str:
    return shown(ActiveState="failed", SubState="failed", MainPID=0, ExecMainCode=code, ExecMainStatus=status, Result=result, **more)


def test_a_running_unit() -> None:
    unit = unit_state(RUNNING)
    assert (unit.active, unit.sub, unit.pid, unit.restarts) == ("active", "running", 13112, 2)
    assert unit.running is True
    assert unit.unclean_stop is False
    assert unit.started_local == datetime(2026, 11, 22, 20, 53, 30)


@pytest.mark.parametrize(
    ("text", "unclean"),
    [
        (dead(1, 0), False),
        (dead(2, 15), False),
        (dead(2, 2), False),
        (dead(1, 143, "exit-code"), False),
        (dead(1, 130, "exit-code"), False),
        (dead(2, 9, "signal"), True),
        (dead(2, 11, "signal"), True),
        (dead(2, 1), True),  # SIGHUP: systemd calls it clean, but a node does not handle it
        (dead(3, 6, "core-dump"), True),
        (dead(2, 9, "oom-kill"), True),
        (dead(2, 9, "watchdog"), True),
        (dead(1, 0, "timeout"), True),
        (dead(1, 1, "exit-code"), None),  # a panic or a refused configuration: systemd cannot tell
        (dead(0, 0, ExecMainStartTimestamp=""), None),  # not run since the boot
        (dead(2, 9, "signal").replace("=failed", "=activating", 1), True),  # between two attempts
        (shown(ActiveState="deactivating", SubState="stop-sigterm"), None),
        (shown(ActiveState="activating", SubState="start", MainPID=7), False),
        (shown(ActiveState="reloading", SubState="reload"), False),
        (shown(ActiveState="inactive", MainPID=0, ExecMainCode=None, Result=None), None),
    ],
)
def test_clean_and_unclean_stops(text: str, unclean: bool | None) -> None:
    assert unit_state(text).unclean_stop is unclean


def test_between_two_attempts_it_does_not_run() -> None:
    assert unit_state(shown(ActiveState="activating", SubState="auto-restart", MainPID=0)).running is False


def test_a_unit_that_does_not_exist() -> None:
    assert not unit_state(shown(LoadState="not-found", ActiveState="inactive", SubState="dead")).exists


@pytest.mark.parametrize("odd", ["", "-3", "1e9", "9" * 40, "\x00", "12 34"])
def test_a_property_that_is_no_number_is_unknown(odd: str) -> None:
    unit = unit_state(shown(MainPID=odd, NRestarts=odd, ExecMainCode=odd))
    assert (unit.pid, unit.restarts, unit.exit_code) == (None, None, None)


@pytest.mark.parametrize("odd", ["n/a", "Sun 2026-13-45 99:00:00 UTC", "@1795380810", "yesterday"])
def test_a_start_that_is_no_time_is_unknown(odd: str) -> None:
    assert unit_state(shown(ExecMainStartTimestamp=odd)).started_local is None


def test_the_first_of_two_values_counts() -> None:
    assert unit_state(RUNNING + "ActiveState=failed\n").active == "active"


@pytest.mark.parametrize("text", ["", "\n\n", "Failed to connect to bus: No such file or directory", "<html>", "=" * 100])
def test_what_is_no_output_of_show(text: str) -> None:
    with pytest.raises(UnreadableUnit):
        unit_state(text)


def test_the_command_is_a_fixed_list() -> None:
    assert unit_command("systemctl", "flare-node") == ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "flare-node"]
    assert unit_command("systemctl --user", "substrate@val6.service")[:3] == ["systemctl", "--user", "show"]


@pytest.mark.parametrize("name", ["flare-node", "substrate@val6", "node.service", r"dev-disk-by\x2dlabel.device", "a:b_c.d"])
def test_names_that_systemd_allows(name: str) -> None:
    assert checked_unit(name) == name


@pytest.mark.parametrize(
    "name", ["", "-p", "--help", "a b", "a;reboot", "$(reboot)", "*", "node[1]", "nöde", "a\nb", "a/b", "x" * 256, "a'b"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UnreadableUnit, match="correct `unit`"):
        unit_command("systemctl", name)


LINES = st.lists(st.one_of(st.text(), st.tuples(st.sampled_from(PROPERTIES), st.text()).map("=".join))).map("\n".join)


@given(st.one_of(st.text(), LINES))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        unit = unit_state(text)
    except UnreadableUnit:
        return
    assert unit.unclean_stop in (True, False, None)
    assert unit.running in (True, False, None)

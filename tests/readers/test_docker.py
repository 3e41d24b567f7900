from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers import docker, journal
from gizzi.readers.systemd import UnreadableUnit

STATE = {"Status": "running", "OOMKilled": False, "Pid": 42, "ExitCode": 0, "StartedAt": "2026-11-22T20:53:30.123456789Z"}


def inspected(restarts: Any = 0, **changes: Any) -> str:
    return json.dumps({"State": {**STATE, **changes}, "RestartCount": restarts})


def test_a_running_container() -> None:
    state = docker.container_state(inspected(3))
    assert (state.exists, state.running, state.unclean_stop, state.pid, state.restarts) == (True, True, False, 42, 3)
    assert state.started_local is not None and state.started_local.isoformat() == "2026-11-22T20:53:30"


@pytest.mark.parametrize(
    ("changes", "unclean"),
    [
        ({"ExitCode": 0}, False),
        ({"ExitCode": 143}, False),
        ({"ExitCode": 130}, False),
        ({"ExitCode": 137}, True),
        ({"ExitCode": 139}, True),
        ({"ExitCode": 134}, True),
        ({"ExitCode": 137, "OOMKilled": True}, True),
        ({"ExitCode": 0, "OOMKilled": True}, True),
        ({"ExitCode": 1}, None),
        ({"ExitCode": 255}, None),
        ({"ExitCode": "0"}, None),
        ({"ExitCode": None}, None),
        ({"ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"}, None),
        ({"ExitCode": 0, "StartedAt": "yesterday"}, None),
    ],
)
def test_how_a_container_ended(changes: dict[str, Any], unclean: bool | None) -> None:
    state = docker.container_state(inspected(Status="exited", Pid=0, **changes))
    assert (state.running, state.pid, state.unclean_stop) == (False, None, unclean)


@pytest.mark.parametrize(
    ("status", "running"), [("restarting", False), ("paused", True), ("created", False), ("removing", None), ("new", None)]
)
def test_other_states(status: str, running: bool | None) -> None:
    assert docker.container_state(inspected(Status=status, Pid=7 if running else 0)).running is running


@given(
    st.one_of(st.text(max_size=40), st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists, max_leaves=4).map(json.dumps))
)
def test_what_is_no_state_says_so(text: str) -> None:
    with pytest.raises(UnreadableUnit, match="printed no state"):
        docker.container_state(text)


@given(
    st.dictionaries(st.sampled_from([*STATE, "x"]), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)))
)
def test_odd_values_are_unknown(changes: dict[str, Any]) -> None:
    try:
        state = docker.container_state(json.dumps({"State": {**STATE, **changes}, "RestartCount": changes}))
    except UnreadableUnit:
        assert not isinstance(changes.get("Status", "running"), str) or changes["Status"] not in ("running", "exited")
        return
    assert state.restarts is None and (state.pid is None or state.pid > 0)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a;b", "a/b", "é", "a@b", "$x", "a\n", "x" * 256])
def test_what_is_no_name(name: str) -> None:
    for command in (docker.inspect_command, docker.logs_command):
        with pytest.raises(UnreadableUnit, match="not the name of a container"):
            command(name)


def test_its_log_reads_as_a_journal() -> None:
    text = "\n".join(
        [
            "Error: something of docker's own",
            "2026-11-22T20:53:31.25Z 2026-11-22 20:53:31 🔨 Initializing Genesis block/state (state: 0x1)",
            "2026-11-22T20:53:32Z 2026-11-22 20:53:32 💤 Idle (31 peers), best: #5 (0x1), finalized #4 (0x2), more",
            "9999-99-99T99:99:99Z never",
            "2026-11-22T20:53:33Z",
            "",
        ]
    )
    found = list(journal.lines(docker.journal_text(text)))
    assert [(line.at % 100, line.message[:10]) for line in found] == [(11.0, "🔨 Initiali"), (12.0, "💤 Idle (31"[:10]), (13.0, "")]
    assert journal.genesis(docker.journal_text(text, journal.START_GREP)) is True
    assert docker.journal_text(text, journal.EQUIVOCATION_GREP) == ""


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    list(journal.lines(docker.journal_text(text)))

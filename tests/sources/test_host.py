"""The host's own facts: from a table of answers, and from a real systemd behind a real sshd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gizzi import CommandFailed, Settings, SourceError, Validator
from gizzi.fleet.names import OBSERVATIONS
from gizzi.reach.ssh import SshRunner
from gizzi.sources.host import GIVES, host
from tools.hosts import Answer, TableSsh
from tools.sshd import SystemdHost

VALIDATOR = Validator(number=6, host="validator-6.example", unit="flare-node", data_dir="/data")
SETTINGS = Settings.model_validate({"ssh": {"user": "ubuntu"}})
SHOW = """\
MainPID=995
Result=success
NRestarts=2
ExecMainStartTimestamp=Sun 2026-11-22 20:53:30 UTC
ExecMainCode=0
ExecMainStatus=0
LoadState=loaded
ActiveState=active
SubState=running
"""
PROC = (
    "==> /proc/stat <==\ncpu  {busy} 0 0 {idle} 0 0 0 0 0 0\n\n"
    "==> /proc/meminfo <==\nMemTotal: 8000 kB\nMemFree: 1 kB\nMemAvailable: 6000 kB\n"
)
GOOD: dict[str, Answer] = {
    "systemctl": SHOW,
    "df": "1B-blocks Avail\n1000 400\n",
    "head": PROC.format(busy=100, idle=900),
    "stat": "312\n",
    "ls": "0\n1\n2\n",
}


def table(**changes: Answer) -> TableSsh:
    return TableSsh(*((f"{name} ", answer) for name, answer in {**GOOD, **changes}.items()))


async def look(ssh: Any, memory: dict[str, Any] | None = None, validator: Validator = VALIDATOR) -> dict[str, Any]:
    return await host(validator, ssh, SETTINGS, {} if memory is None else memory)


async def test_all_is_well() -> None:
    ssh = table()
    assert await look(ssh) == {
        "unit_active": True,
        "unit_state": "active/running",
        "unit_restarts": 2,
        "unclean_stop": False,
        "fds_open": 312,
        "disk_size_bytes": 1000,
        "disk_free_bytes": 400,
        "memory_size_bytes": 8000 * 1024,
        "memory_available_bytes": 6000 * 1024,
    }
    assert sorted(command[0] for command in ssh.asked) == ["df", "head", "stat", "systemctl"]
    assert not any("sudo" in command for command in ssh.asked)


async def test_the_busy_share_is_that_since_the_last_look() -> None:
    memory: dict[str, Any] = {}
    assert "cpu_ratio" not in await look(table(), memory)
    assert "cpu_ratio" not in await look(table(), memory)
    assert (await look(table(head=PROC.format(busy=400, idle=1600)), memory))["cpu_ratio"] == 0.3
    assert "cpu_ratio" not in await look(table(head=PROC.format(busy=1, idle=9)), memory), "the host was started anew"
    assert (await look(table(head=PROC.format(busy=101, idle=109)), memory))["cpu_ratio"] == 0.5


@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        (
            {"systemctl": CommandFailed("no", 1, "Failed to connect to bus")},
            {"unit_active", "unit_state", "unit_restarts", "unclean_stop", "fds_open"},
        ),
        ({"systemctl": "?"}, {"unit_active", "unit_state", "unit_restarts", "unclean_stop", "fds_open"}),
        ({"df": SourceError("timeout", "a dead network disk")}, {"disk_free_bytes", "disk_size_bytes"}),
        ({"df": "x\n1 2 3\n"}, {"disk_free_bytes", "disk_size_bytes"}),
        ({"head": "cpu  100 0 0 900 0\n"}, {"memory_available_bytes", "memory_size_bytes"}),
        ({"head": CommandFailed("no", 127)}, {"memory_available_bytes", "memory_size_bytes"}),
        ({"stat": "0\n", "ls": CommandFailed("no", 2, "Permission denied")}, {"fds_open"}),
        ({"stat": CommandFailed("gone", 1), "ls": CommandFailed("gone", 2)}, {"fds_open"}),
    ],
)
async def test_a_failing_command_loses_only_its_values(broken: dict[str, Answer], lost: set[str]) -> None:
    assert set(await look(table(**broken))) == set(await look(table())) - lost


async def test_open_files_on_an_older_kernel() -> None:
    assert (await look(table(stat="0\n")))["fds_open"] == 3


@pytest.mark.parametrize("kind", ["refused", "unauthorised", "host_key"])
async def test_a_host_that_cannot_be_reached_fails_as_a_whole(kind: Any) -> None:
    with pytest.raises(SourceError) as raised:
        await look(table(df=SourceError(kind, "closed meanwhile")))
    assert raised.value.kind == kind


async def test_a_host_on_which_nothing_works_fails() -> None:
    failed = CommandFailed("all broken", 127)
    with pytest.raises(SourceError, match="all broken"):
        await look(table(systemctl=failed, df=failed, head=failed))


async def test_without_a_unit_only_the_resources_are_read() -> None:
    ssh = table()
    seen = await look(ssh, validator=VALIDATOR.model_copy(update={"unit": ""}))
    assert {"unit_active", "fds_open", "unclean_stop"}.isdisjoint(seen)
    assert not any("systemctl" in command for command in ssh.asked)


async def test_a_unit_that_cannot_be_one_is_an_error_before_anything_is_sent() -> None:
    ssh = table()
    with pytest.raises(SourceError, match="validator 6: 'a; reboot' is not the name of a systemd unit"):
        await look(ssh, validator=VALIDATOR.model_copy(update={"unit": "a; reboot"}))
    assert ssh.asked == []


async def test_a_unit_that_does_not_exist_is_not_a_unit_that_is_down() -> None:
    seen = await look(table(systemctl=SHOW.replace("LoadState=loaded", "LoadState=not-found")))
    assert seen["unit_state"] == "not-found"
    assert {"unit_active", "unclean_stop"}.isdisjoint(seen)


def test_every_value_has_a_name_and_a_meaning() -> None:
    assert set(GIVES) <= set(OBSERVATIONS)


@pytest.fixture
async def real(free_port: Callable[[], int]) -> AsyncIterator[SystemdHost]:
    server = SystemdHost(free_port())
    server.start()
    yield server
    server.remove()


async def until(look_again: Callable[[], Awaitable[dict[str, Any]]], **wanted: object) -> dict[str, Any]:
    """Look until these values are seen, at most 10 s."""
    seen: dict[str, Any] = {}
    for _ in range(200):
        seen = await look_again()
        if {name: seen.get(name) for name in wanted} == wanted:
            break
        await asyncio.sleep(0.05)
    assert {name: seen.get(name) for name in wanted} == wanted
    return seen


@pytest.mark.real
async def test_a_real_unit_through_its_life(real: SystemdHost) -> None:
    runner = SshRunner(real.settings())
    settings = Settings.model_validate({"ssh": real.settings().model_dump(by_alias=True)})
    always, once = real.validator(6, unit="substrate@val6"), real.validator(7, unit="once@val7")
    memory: dict[str, Any] = {}

    def seen(validator: Validator) -> Callable[[], Awaitable[dict[str, Any]]]:
        return lambda: host(validator, runner, settings, memory)

    async def systemctl(*words: str) -> None:
        await runner.run(always, ["systemctl", "--user", *words])

    assert "unclean_stop" not in await until(seen(always), unit_active=False, unit_state="inactive/dead")

    await systemctl("start", "substrate@val6", "once@val7")
    first = await until(seen(always), unit_active=True, unit_state="active/running", unclean_stop=False, unit_restarts=0)
    assert first["fds_open"] >= 3
    assert 0 < first["disk_free_bytes"] < first["disk_size_bytes"]
    assert 0 < first["memory_available_bytes"] < first["memory_size_bytes"]

    await systemctl("kill", "-s", "KILL", "substrate@val6", "once@val7")
    await until(seen(always), unit_active=True, unit_restarts=1, unclean_stop=False)
    await until(seen(once), unit_active=False, unit_state="failed/failed", unclean_stop=True)

    await systemctl("restart", "once@val7")
    await until(seen(once), unit_active=True, unclean_stop=False)
    assert 0 <= (await until(seen(always), unit_active=True)).get("cpu_ratio", 0) <= 1

    nowhere = await host(real.validator(8, unit="nowhere"), runner, settings, {})
    assert nowhere["unit_state"] == "not-found"
    await runner.close()

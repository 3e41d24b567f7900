"""Actions on real hosts: a real sshd, behind it a real systemd and a real sudo; docker is a program that a test writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import need
from gizzi import CommandFailed, OutcomeUnknown, SourceError, Validator
from gizzi.engine.rights import rights
from gizzi.reach.node import HttpNode
from gizzi.reach.ssh import SshRunner
from gizzi.readers.manager import sudoers_line
from gizzi.sources.host import host
from gizzi.sources.journal import journal
from tools.actions import act, settings_for
from tools.fleet import gizzi
from tools.sshd import SystemdHost, ToolHost

pytestmark = pytest.mark.real
NAMES = frozenset({"substrate_process_start_time_seconds", "substrate_sub_libp2p_peers_count"})


@pytest.fixture
def systemd(free_port: Callable[[], int]) -> Iterator[SystemdHost]:
    server = SystemdHost(free_port())
    server.start()
    yield server
    server.remove()


@pytest.fixture
def tools(free_port: Callable[[], int]) -> Iterator[ToolHost]:
    server = ToolHost(free_port())
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def runners() -> AsyncIterator[Callable[..., SshRunner]]:
    made: list[SshRunner] = []

    def make(settings: Any) -> SshRunner:
        made.append(SshRunner(settings))
        return made[-1]

    yield make
    for runner in made:
        await runner.close()


async def page(node: HttpNode, validator: Validator) -> dict[str, float]:
    """What its metrics page says, waited for at most 10 s."""
    for _ in range(200):
        try:
            return {name: samples[0][1] for name, samples in (await node.metrics(validator, NAMES)).items()}
        except SourceError:
            await asyncio.sleep(0.05)
    raise AssertionError("its metrics page does not come back")


async def test_a_restart_over_ssh_really_happens_and_the_metrics_really_recover(
    systemd: SystemdHost, free_port: Callable[[], int], runners: Any
) -> None:
    port = free_port()
    runner, settings = runners(systemd.settings()), settings_for(systemd.settings())
    validator = systemd.validator(6, unit=f"page@{port}", metrics_url=f"http://127.0.0.1:{port}/metrics", data_dir=str(systemd.home))
    node = HttpNode()
    await act("start", validator, runner, settings)
    before = await page(node, validator)
    first = await act("unit_status", validator, runner, settings)
    assert before["substrate_sub_libp2p_peers_count"] == 21 and "active/running" in first

    systemd.make_ill(str(port))
    assert (await page(node, validator))["substrate_sub_libp2p_peers_count"] == 1
    assert "was carried out" in await act("restart", validator, runner, settings)
    after = await page(node, validator)
    second = await act("unit_status", validator, runner, settings)
    assert after["substrate_sub_libp2p_peers_count"] == 21
    assert after["substrate_process_start_time_seconds"] > before["substrate_process_start_time_seconds"]
    assert pid(first) != pid(second)

    await act("stop", validator, runner, settings)
    with pytest.raises(SourceError):
        await node.metrics(validator, NAMES)
    assert "inactive/dead" in await act("unit_status", validator, runner, settings)
    assert "GB free" in await act("disk_use", validator, runner, settings)
    assert "memory" in await act("resources", validator, runner, settings)
    assert "Page" in await act("logs", validator, runner, settings, lines=5)
    await node.close()


def pid(status: str) -> str:
    return status.partition("process ")[2].partition(",")[0]


async def test_a_unit_that_is_not_there(systemd: SystemdHost, runners: Any) -> None:
    runner, settings = runners(systemd.settings()), settings_for(systemd.settings())
    nowhere = systemd.validator(8, unit="nowhere")
    for verb in ("restart", "start", "stop"):
        with pytest.raises(CommandFailed, match="has no unit nowhere; correct `unit` of validator 8"):
            await act(verb, nowhere, runner, settings)
    assert "has no unit nowhere" in await act("unit_status", nowhere, runner, settings)


async def test_a_changed_host_key_is_refused_with_its_advice(systemd: SystemdHost, runners: Any) -> None:
    systemd.stop()
    systemd.new_host_key()
    systemd.start()
    settings = settings_for(systemd.settings())
    validator = systemd.validator(6, unit="once@val6")
    with pytest.raises(SourceError, match=r"is it another machine.*ssh-keygen -R") as raised:
        await act("restart", validator, runners(systemd.settings()), settings)
    assert raised.value.kind == "host_key" and not isinstance(raised.value, OutcomeUnknown)
    systemd.known_hosts.write_text("")
    with pytest.raises(SourceError, match="check its fingerprint and add it"):
        await act("restart", validator, runners(systemd.settings()), settings)
    systemd.trust()
    assert "carried out" in await act("restart", validator, runners(systemd.settings()), settings)


async def test_a_host_that_is_gone(tools: ToolHost, runners: Any) -> None:
    tools.stop()
    with pytest.raises(SourceError, match="does sshd run there") as raised:
        await act("restart", tools.validator(6, unit="x"), runners(tools.settings()), settings_for(tools.settings()))
    assert not isinstance(raised.value, OutcomeUnknown), "nothing was sent"


async def test_a_connection_lost_under_a_restart_leaves_it_in_doubt(tools: ToolHost, runners: Any) -> None:
    tools.program("sudo", f"touch {tools.folder}/begun; sleep 30")
    tools.folder.chmod(0o777)
    task = asyncio.create_task(act("restart", tools.validator(6, unit="x"), runners(tools.settings()), settings_for(tools.settings())))
    for _ in range(500):
        if (tools.folder / "begun").exists():
            break
        await asyncio.sleep(0.02)
    tools.drop_connections()
    with pytest.raises(OutcomeUnknown, match="was lost while"):
        await task


async def test_output_without_end_and_a_command_without_end(tools: ToolHost, runners: Any) -> None:
    quick = tools.settings(timeout="1s")
    tools.program("journalctl", "exec yes")
    with pytest.raises(OutcomeUnknown, match="wrote more than 1 MB"):
        await act("logs", tools.validator(6, unit="x"), runners(quick), settings_for(quick))
    tools.program("df", "exec sleep 30")
    with pytest.raises(OutcomeUnknown, match="did not end on"):
        await act("disk_use", tools.validator(6, unit="x"), runners(quick), settings_for(quick))


async def test_a_restart_may_take_longer_than_a_look(tools: ToolHost, runners: Any) -> None:
    quick = tools.settings(timeout="1s")
    tools.program("sudo", "sleep 2")
    assert "carried out" in await act("restart", tools.validator(6, unit="x"), runners(quick), settings_for(quick))


async def test_sudo_that_wants_a_password(tools: ToolHost, runners: Any) -> None:
    tools.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    runner, settings = runners(tools.settings()), settings_for(tools.settings(), policy={"mode": "auto"})
    with pytest.raises(CommandFailed, match=r"does not let .* run `systemctl restart flare-node` without a password"):
        await act("restart", tools.validator(6, unit="flare-node"), runner, settings)
    (found,) = await rights(settings, [tools.validator(6, unit="flare-node")], runner)
    assert found["ok"] is False and found["sudoers"] == sudoers_line(tools.user, ["flare-node"])


@pytest.fixture
def sudo(systemd: SystemdHost) -> Iterator[SystemdHost]:
    need("sudo", "visudo")
    yield systemd


async def test_the_line_that_the_doctor_prints_is_what_a_real_sudo_needs(sudo: SystemdHost, runners: Any) -> None:
    ssh = sudo.settings(manager="systemctl")
    runner, settings = runners(ssh), settings_for(ssh, policy={"mode": "auto"})
    validators = [sudo.validator(6, unit="flare@val6"), sudo.validator(7, unit="odd:name.service")]
    (found,) = await rights(settings, validators, runner)
    assert (found["ok"], found["validators"]) == (False, [6, 7])
    for units in (["flare@val6"], ["odd:name.service"]):
        sudo.sudoers(sudoers_line(sudo.user, units))
        (partly,) = await rights(settings, validators, runner)
        assert partly["ok"] is False and "sudo does not let it run" in partly["text"]
    sudo.sudoers(f"{sudo.user} ALL=(ALL) ALL, NOPASSWD: /usr/bin/true")
    (asking,) = await rights(settings, validators, runner)
    assert asking["ok"] is False, "sudo -l allows it, but it would ask for a password"

    sudo.sudoers(found["sudoers"])
    (granted,) = await rights(settings, validators, runner)
    assert (granted["ok"], granted["text"]) == (True, "may restart, start and stop its units")
    with pytest.raises(CommandFailed) as raised:  # sudo lets it through; the namespace has no systemd of root's
        await act("restart", validators[1], runner, settings)
    assert "sudo" not in raised.value.stderr and raised.value.stderr
    with pytest.raises(CommandFailed, match="without a password"):
        await act("restart", sudo.validator(9, unit="another"), runner, settings)


DOCKER = r"""
cd {folder}
case "$1" in
inspect)
    name=; for name; do :; done
    [ "$name" = flare ] || {{ echo "Error: No such container: $name" >&2; exit 1; }}
    cat state;;
restart|start|stop)
    name=; for name; do :; done
    [ "$name" = flare ] || {{ echo "Error response from daemon: No such container: $name" >&2; exit 1; }}
    echo "$@" >> done
    cat "$1ed" > state; echo "$name";;
logs)
    cat log >&2;;
esac
"""
RUNNING = (
    '{"State":{"Status":"running","Running":true,"OOMKilled":false,"Pid":4242,"ExitCode":0,'
    '"StartedAt":"2026-11-22T20:53:30.123456789Z"},"RestartCount":2 }'
)
EXITED = RUNNING.replace('"running"', '"exited"', 1).replace("4242", "0").replace('"ExitCode":0', '"ExitCode":%d')
KEY = "41ef4a31eb7dc1e01f4630604e1908e644d7cdee3f66a60f98d6d59605326f8b"
LOG = f"""\
2026-11-22T20:53:31.000000001Z 2026-11-22 20:53:31 🏷  Local node identity is: 12D3KooW
2026-11-22T20:54:31.5Z 2026-11-22 20:54:31 Detected prevote equivocation in the finality worker: Equivocation {{ round_number: 7, \
identity: Public({KEY} (12VT...)), first: (x
2026-11-22T20:55:31.5Z 2026-11-22 20:55:31 💤 Idle (31 peers)
"""


@pytest.fixture
def docker(tools: ToolHost) -> ToolHost:
    tools.folder.chmod(0o777)
    tools.program("docker", DOCKER.format(folder=tools.folder))
    for name, text in (("state", EXITED % 137), ("restarted", RUNNING), ("started", RUNNING), ("stoped", EXITED % 0), ("log", LOG)):
        (tools.folder / name).write_text(text)
        (tools.folder / name).chmod(0o666)
    return tools


async def test_a_container_through_its_life(docker: ToolHost, runners: Any) -> None:
    ssh = docker.settings(manager="docker")
    runner, settings = runners(ssh), settings_for(ssh)
    flare = docker.validator(6, unit="flare")
    killed = await host(flare, runner, settings, {})
    assert (killed["unit_active"], killed["unit_state"], killed["unclean_stop"]) == (False, "inactive/exited", True)
    await act("restart", flare, runner, settings)
    assert (docker.folder / "done").read_text() == "restart -t 90 flare\n"
    seen = await host(flare, runner, settings, {})
    assert (seen["unit_active"], seen["unit_restarts"], seen["unclean_stop"]) == (True, 2, False)
    assert await act("unit_status", flare, runner, settings) == (
        "flare: active/running, process 4242, started 2026-11-22 20:53:30 by the host's clock, 2 restarts by its manager"
    )
    logged = await journal(flare, runner, settings, {})
    assert logged == {
        "equivocations": 1,
        "equivocation_ids": (f"0x{KEY}",),
        "own_equivocations": 0,
        "peer_abuse_lines": 0,
        "genesis_line": False,
    }
    assert "💤 Idle (31 peers)" in await act("logs", flare, runner, settings)
    await act("stop", flare, runner, settings)
    assert (await host(flare, runner, settings, {}))["unclean_stop"] is False


async def test_a_container_that_is_not_there(docker: ToolHost, runners: Any) -> None:
    ssh = docker.settings(manager="docker")
    runner, settings = runners(ssh), settings_for(ssh)
    gone = docker.validator(6, unit="gone")
    assert (await host(gone, runner, settings, {}))["unit_state"] == "not-found"
    with pytest.raises(SourceError, match="has no container gone"):
        await journal(gone, runner, settings, {})
    with pytest.raises(CommandFailed, match="has no unit gone"):
        await act("restart", gone, runner, settings)
    assert await rights(settings, [gone], runner) == [], "docker needs no sudo"


async def test_a_container_whose_log_is_empty_or_too_long_tells_nothing(docker: ToolHost, runners: Any) -> None:
    ssh = docker.settings(manager="docker")
    runner, settings = runners(ssh), settings_for(ssh)
    (docker.folder / "log").write_text("")
    with pytest.raises(SourceError, match="is empty; does docker keep it"):
        await journal(docker.validator(6, unit="flare"), runner, settings, {})
    (docker.folder / "log").write_text(LOG * 10_000)
    with pytest.raises(SourceError, match="wrote more than 2 MB"):
        await journal(docker.validator(6, unit="flare"), runner, settings, {})


async def test_the_doctor_tells_it(tools: ToolHost, tmp_path: Path) -> None:
    tools.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    ssh = f'user = "{tools.user}"\nport = {tools.port}\nkey_file = "{tools.key_file}"\nknown_hosts = "{tools.known_hosts}"\n'
    validator = '[[validators]]\nnumber = 6\nhost = "127.0.0.1"\nunit = "flare-node"\n'
    (tmp_path / "gizzi.toml").write_text(f'{validator}[ssh]\n{ssh}[policy]\nmode = "auto"\n')
    page = await gizzi("doctor", cwd=tmp_path)
    assert page.returncode == 1 and sudoers_line(tools.user, ["flare-node"]) in page.stdout
    report = json.loads((await gizzi("doctor", "--json", cwd=tmp_path)).stdout)
    assert [(host["host"], host["ok"]) for host in report["rights"]] == [("127.0.0.1", False)]
    assert any("nothing without a password" in line for line in report["broken"])

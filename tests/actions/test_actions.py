"""Actions from a table of answers, and in a simulated fleet."""

from __future__ import annotations

from typing import Any

import pytest

from gizzi import CommandFailed, GizziError, OutcomeUnknown, Settings, SourceError, Validator
from gizzi.config import parse
from gizzi.kinds import NEVER
from tools.actions import BUILT_IN, act
from tools.hosts import TableSsh
from tools.simulated import Lab, fault

VALIDATOR = Validator(number=6, host="validator-6.example", unit="flare-node", data_dir="/data")
MANAGERS = ["systemctl", "systemctl --user", "docker"]


def settings(manager: str = "systemctl") -> Settings:
    return parse({"ssh": {"user": "ubuntu", "manager": manager}}, "the test")


def failed(status: int, stderr: str) -> CommandFailed:
    return CommandFailed(f"it ended with exit status {status}: {stderr}", status, stderr)


async def failure(name: str, error: SourceError, manager: str = "systemctl", **more: Any) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await act(name, VALIDATOR, TableSsh(("", error)), settings(manager), **more)
    assert str(raised.value).isprintable()
    return raised.value


def test_which_there_are_and_which_write() -> None:
    writes = {action.name for action in BUILT_IN if action.writes}
    assert writes == {"restart", "start", "stop", "upgrade"}
    assert {action.name for action in BUILT_IN} - writes == {"unit_status", "logs", "resources", "disk_use", "firewall"}
    assert not any(action.idempotent for action in BUILT_IN if action.writes), "one that was cut off goes to a person"
    assert not {action.name for action in BUILT_IN} & NEVER
    assert all(action.summary.endswith(".") for action in BUILT_IN)


@pytest.mark.parametrize(
    ("manager", "verb", "command"),
    [
        ("systemctl", "restart", ["sudo", "-n", "systemctl", "restart", "flare-node"]),
        ("systemctl --user", "stop", ["systemctl", "--user", "stop", "flare-node"]),
        ("docker", "restart", ["docker", "restart", "-t", "90", "flare-node"]),
        ("docker", "start", ["docker", "start", "flare-node"]),
    ],
)
async def test_exactly_one_command_is_sent(manager: str, verb: str, command: list[str]) -> None:
    ssh = TableSsh(("", ""))
    assert "flare-node" in await act(verb, VALIDATOR, ssh, settings(manager))
    assert ssh.asked == [command]


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("unit", ["", "a; reboot", "-rf", "--help", "$(reboot)", "a b", "*", "a\nb", "é", "x" * 300])
@pytest.mark.parametrize("name", ["restart", "start", "stop", "unit_status", "logs"])
async def test_what_is_no_unit_is_never_sent(manager: str, unit: str, name: str) -> None:
    ssh = TableSsh(("", ""))
    with pytest.raises(SourceError, match="validator 6") as raised:
        await act(name, VALIDATOR.model_copy(update={"unit": unit}), ssh, settings(manager))
    assert ssh.asked == [] and str(raised.value).isprintable()


async def test_without_ssh_it_says_what_to_set() -> None:
    with pytest.raises(SourceError, match=r"\[ssh\] user is not set"):
        await act("restart", VALIDATOR, None, settings())


@pytest.mark.parametrize(
    ("manager", "status", "stderr", "says"),
    [
        ("systemctl", 1, "sudo: a password is required", "does not let ubuntu run `systemctl restart flare-node` without a password"),
        ("systemctl", 1, "Sorry, user ubuntu is not allowed to execute '/usr/bin/systemctl restart x' as root on v6.", "`gizzi doctor`"),
        ("systemctl", 127, "sh: 1: sudo: not found", "has no `sudo`"),
        (
            "systemctl",
            5,
            "Failed to restart flare-node.service: Unit flare-node.service not found.",
            "has no unit flare-node; correct `unit`",
        ),
        ("systemctl --user", 1, "Failed to connect to bus: No medium found", "loginctl enable-linger ubuntu"),
        ("docker", 1, "Error response from daemon: No such container: flare-node", "has no unit flare-node"),
        (
            "docker",
            1,
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "group docker",
        ),
        (
            "docker",
            1,
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "start it there",
        ),
        ("docker", 127, "sh: 1: docker: not found", "is [ssh] manager right?"),
    ],
)
async def test_a_refusal_says_what_to_do(manager: str, status: int, stderr: str, says: str) -> None:
    error = await failure("restart", failed(status, stderr), manager)
    assert isinstance(error, CommandFailed) and error.status == status
    assert says in str(error) and "validator-6.example" in str(error)


async def test_another_failure_keeps_its_own_words() -> None:
    assert "exit status 1: Job failed" in str(await failure("restart", failed(1, "Job failed")))


async def test_what_is_in_doubt_stays_in_doubt() -> None:
    lost = OutcomeUnknown("refused", "the SSH connection to v6:22 was lost while it ran")
    for verb in ("restart", "start", "stop"):
        error = await failure(verb, lost)
        assert isinstance(error, OutcomeUnknown) and "look at the unit before anybody does it again" in str(error)
    endless = OutcomeUnknown("unreadable", "`journalctl` on v6:22 wrote more than 1 MB")
    assert str(await failure("logs", endless)).endswith("wrote more than 1 MB; ask for less, or allow more with [ssh] timeout")


@pytest.mark.parametrize(("kind", "says"), [("refused", "does sshd run there"), ("timeout", "is the host up")])
async def test_what_was_never_sent_says_where_to_look(kind: Any, says: str) -> None:
    error = await failure("restart", SourceError(kind, "no SSH connection to v6:22"))
    assert not isinstance(error, OutcomeUnknown) and error.kind == kind
    assert str(error).startswith("no SSH connection to v6:22; ") and says in str(error)


@pytest.mark.parametrize("lines", [0, -1, 2001, 10**9, True, "200", 20.5, None])
async def test_logs_are_bounded(lines: Any) -> None:
    ssh = TableSsh(("", ""))
    with pytest.raises(SourceError, match="from 1 to 2000"):
        await act("logs", VALIDATOR, ssh, settings(), lines=lines)
    assert ssh.asked == []


@pytest.mark.parametrize("manager", MANAGERS)
async def test_logs_are_harmless(manager: str) -> None:
    ssh = TableSsh(("", "one\x1b[31m red\r\n\n\x07two\u202e\n" + "x" * 9000 + "\n"))
    lines = (await act("logs", VALIDATOR, ssh, settings(manager))).split("\n")
    assert lines[0] == "one [31m red" and len(lines) == 3 and len(lines[2]) == 2000
    assert all(line.isprintable() for line in lines)
    assert any("200" in word for word in ssh.asked[0])


async def test_the_firewall_by_whichever_lists_it() -> None:
    absent = failed(1, "sudo: nft: command not found")
    ssh = TableSsh(("nft", absent), ("iptables-save", "*filter\n:INPUT ACCEPT [0:0]\n"))
    assert await act("firewall", VALIDATOR, ssh, settings()) == "iptables-save:\n*filter\n:INPUT ACCEPT [0:0]"
    nothing = TableSsh(("nft", ""), ("iptables-save", absent), ("ufw", absent))
    assert "shows no firewall rules" in await act("firewall", VALIDATOR, nothing, settings())
    denied = TableSsh(("", failed(1, "sudo: a password is required")))
    with pytest.raises(CommandFailed, match="without a password"):
        await act("firewall", VALIDATOR, denied, settings())


async def test_garbage_is_told_as_garbage() -> None:
    for name in ("disk_use", "resources", "unit_status"):
        with pytest.raises(SourceError) as raised:
            await act(name, VALIDATOR, TableSsh(("", "nonsense\x00")), settings())
        assert raised.value.kind == "unreadable", name


async def test_in_a_simulated_fleet_they_do_what_they_say() -> None:
    lab = Lab(fault("node_down", at_s=10, clears_on="restart")).go_to(60)
    validator, ssh = lab.validators[6], lab.reach.ssh
    assert "inactive/dead" in await act("unit_status", validator, ssh, settings())
    await act("restart", validator, ssh, settings())
    lab.go_to(120)
    assert "active/running" in await act("unit_status", validator, ssh, settings())
    await act("stop", validator, ssh, settings())
    assert not lab.fleet.nodes[6].running
    assert "GB free" in await act("disk_use", validator, ssh, settings())
    assert (await act("logs", validator, ssh, settings(), lines=3)).count("\n") <= 2


UPGRADES = {"command": ["sudo", "-n", "/usr/local/bin/upgrade-node", "--to={version}"]}


def settings_to_upgrade() -> Settings:
    return parse({"ssh": {"user": "ubuntu"}, "upgrade": UPGRADES}, "the test")


async def test_an_upgrade_is_the_operators_command_and_then_a_restart() -> None:
    ssh = TableSsh(("", ""))
    said = await act("upgrade", VALIDATOR, ssh, settings_to_upgrade(), version="1.21.0-rc1+build_2")
    assert ssh.asked == [
        ["sudo", "-n", "/usr/local/bin/upgrade-node", "--to=1.21.0-rc1+build_2"],
        ["sudo", "-n", "systemctl", "restart", "flare-node"],
    ]
    assert said.endswith("was carried out on validator-6.example, and flare-node restarted")


@pytest.mark.parametrize("version", ["", "-rf", "1;ls", "1 2", "../x", "$(reboot)", "1\n", "é", "1" * 65, "{version}", None, 3])
async def test_what_is_no_version_is_never_sent(version: Any) -> None:
    ssh = TableSsh(("", ""))
    with pytest.raises(SourceError, match="is not a version"):
        await act("upgrade", VALIDATOR, ssh, settings_to_upgrade(), version=version)
    assert ssh.asked == []


async def test_an_upgrade_without_a_command_says_what_to_set() -> None:
    with pytest.raises(SourceError, match=r"\[upgrade\] command is not set"):
        await act("upgrade", VALIDATOR, TableSsh(("", "")), settings(), version="1.21.0")


async def test_a_failed_upgrade_restarts_nothing() -> None:
    ssh = TableSsh(("upgrade-node", failed(1, "no such release")), ("", ""))
    with pytest.raises(CommandFailed, match=r"no such release; the node was not restarted"):
        await act("upgrade", VALIDATOR, ssh, settings_to_upgrade(), version="1.21.0")
    assert len(ssh.asked) == 1


@pytest.mark.parametrize("command", [["upgrade-node"], ["{version}"], ["upgrade", "{version}", "{version}"]])
def test_an_upgrade_command_names_the_version_once(command: list[str]) -> None:
    with pytest.raises(GizziError, match="upgrade"):
        parse({"upgrade": {"command": command}}, "the test")


async def test_a_simulated_node_runs_the_new_version_after_its_restart() -> None:
    lab = Lab().go_to(10)
    assert lab.reach.ssh is not None
    at_home = parse({"upgrade": {"command": ["sudo", "-n", "upgrade-node", "{version}"]}}, "the test")
    await act("upgrade", lab.validators[6], lab.reach.ssh, at_home, version="1.21.0")
    lab.go_to(30)
    assert await lab.rpc(6, "system_version") == "1.21.0"
    samples = (await lab.reach.node.metrics(lab.validators[6], frozenset({"substrate_build_info"})))["substrate_build_info"]
    assert samples[0][0]["version"] == "1.21.0"

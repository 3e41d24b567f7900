"""The simulated host answers the very commands of the sources, in a form that their readers take."""

from __future__ import annotations

import pytest

from gizzi.errors import CommandFailed
from gizzi.readers import journal, resources, systemd
from gizzi.sim.chain import mix
from tools.simulated import START_AT, Lab, fault


async def unit(lab: Lab, number: int) -> systemd.UnitState:
    return systemd.unit_state(await lab.run(number, *systemd.unit_command("systemctl", lab.validators[number].unit)))


async def grep(lab: Lab, number: int, command: list[str]) -> str:
    try:
        return await lab.run(number, *command)
    except CommandFailed as error:
        assert error.status == 1 and not error.stderr
        return ""


async def free(lab: Lab, number: int) -> int:
    return resources.disk(await lab.run(number, *resources.disk_command(lab.validators[number].data_dir)))[1]


async def test_a_running_unit() -> None:
    lab = Lab().go_to(100)
    state = await unit(lab, 6)
    assert state.running and state.unclean_stop is False and state.restarts == 0 and state.pid
    assert resources.fds(await lab.run(6, *resources.fds_command(state.pid)))
    assert resources.fds_listed(await lab.run(6, *resources.fds_list_command(state.pid)))
    with pytest.raises(CommandFailed):
        await lab.run(6, *resources.fds_command(state.pid + 1))
    assert await lab.run(6, "systemctl", "is-active", lab.validators[6].unit) == "active\n"


async def test_a_clean_and_an_unclean_end() -> None:
    lab = Lab(fault("node_down", 60, [6]), fault("unclean_stop", 60, [7])).go_to(61)
    clean, killed = await unit(lab, 6), await unit(lab, 7)
    assert clean.running is False and clean.unclean_stop is False and clean.pid is None
    assert killed.running is False and killed.unclean_stop is True and killed.result == "signal"
    assert journal.ended_unclean(await lab.run(6, *journal.end_command("systemctl", lab.validators[6].unit))) is False
    assert journal.ended_unclean(await lab.run(7, *journal.end_command("systemctl", lab.validators[7].unit))) is True
    with pytest.raises(CommandFailed):
        await lab.run(6, "systemctl", "is-active", lab.validators[6].unit)


async def test_resources_are_far_from_any_threshold() -> None:
    lab = Lab().go_to(1000)
    for number in lab.validators:
        before = resources.cpu_times(await lab.run(number, *resources.CPU_AND_MEMORY_COMMAND))
        lab.go_to(1000 + number)
        text = await lab.run(number, *resources.CPU_AND_MEMORY_COMMAND)
        ratio = resources.cpu_ratio(before, resources.cpu_times(text))
        assert ratio is not None and 0.1 < ratio < 0.5
        size, available = resources.memory(text)
        assert available > 0.4 * size
        disk_size, disk_free = resources.disk(await lab.run(number, *resources.disk_command("/var/lib/sim-node")))
        assert disk_free > 0.4 * disk_size


async def test_a_disk_fills_at_the_given_pace_and_is_full_at_the_end() -> None:
    lab = Lab(fault("disk_fill", 60, [6], 6000, bytes_per_s=50_000_000)).go_to(60)
    before = await free(lab, 6)
    assert 4.9e9 < before - await free(lab.go_to(160), 6) < 5.1e9
    assert await free(lab.go_to(6059), 6) == 0 or before > 3e11
    assert await free(lab.go_to(6100), 6) > 0.9 * before


async def test_the_log_of_a_healthy_node() -> None:
    lab = Lab().go_to(7200)
    v = lab.validators[6]
    last = list(journal.lines(await lab.run(6, *journal.readable_command("systemctl", v.unit))))
    idle = journal.idle(last[0].message)
    assert len(last) == 1 and idle is not None and idle.best > idle.finalized and idle.peers > 10
    for command in (journal.equivocations_command("systemctl", v.unit), journal.abuse_command("systemctl", v.unit)):
        assert await grep(lab, 6, command) == ""
    state = await unit(lab, 6)
    assert state.started_local is not None
    assert journal.genesis(await grep(lab, 6, journal.start_command("systemctl", v.unit, state.started_local))) is False


async def test_a_lost_database_shows_in_the_log_of_its_start_only() -> None:
    lab = Lab(fault("db_lost", 60, [6])).go_to(70)

    async def genesis() -> bool | None:
        state = await unit(lab, 6)
        assert state.started_local is not None
        return journal.genesis(await grep(lab, 6, journal.start_command("systemctl", lab.validators[6].unit, state.started_local)))

    assert await genesis() is True
    lab.fleet.restart(6)
    lab.go_to(100)
    assert await genesis() is False


async def test_the_others_log_that_a_twin_equivocates() -> None:
    lab = Lab(fault("twin", 60, [11])).go_to(300)
    command = journal.equivocations_command("systemctl", lab.validators[1].unit)
    seen = journal.equivocations(await grep(lab, 1, command))
    assert seen.count >= 3 and seen.ids == (lab.validators[11].authority_id,) and seen.own == 0
    assert await grep(lab, 11, command) == ""
    lab.fleet.stop(11)
    lab.go_to(300 + 3700)
    assert await grep(lab, 1, command) == "", "only while both vote, and only those of the last hour"


async def test_actions_through_the_shell_less_shell() -> None:
    lab = Lab().go_to(10)
    name = lab.validators[6].unit
    for command in (
        ["sudo", "-n", "systemctl", "stop", name],
        ["systemctl", "--user", "start", name],
        ["sudo", "systemctl", "restart", name],
    ):
        assert await lab.run(6, *command) == ""
    assert not lab.fleet.nodes[6].running
    assert (await unit(lab.go_to(20), 6)).started_local is not None and lab.fleet.nodes[6].started_at == START_AT + 16


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["rm", "-rf", "/"], 127),
        ([], 2),
        (["sudo"], 2),
        (["systemctl", "restart", "other.service"], 5),
        (["systemctl", "enable", "sim-node.service"], 1),
        (["systemctl"], 1),
        (["df", "--output=inodes"], 1),
        (["head", "/etc/passwd"], 1),
        (["journalctl", "--unit=sim-node.service", "--since=yesterdayish"], 1),
    ],
)
async def test_what_a_host_would_refuse(command: list[str], status: int) -> None:
    with pytest.raises(CommandFailed) as error:
        await Lab(validators=1).run(1, *command)
    assert error.value.status == status


async def test_an_unknown_unit() -> None:
    lab = Lab(validators=1)
    assert not systemd.unit_state(await lab.run(1, "systemctl", "show", "other.service")).exists
    assert await lab.run(1, "journalctl", "--unit=other.service") == ""


async def test_output_is_bounded() -> None:
    lab = Lab(validators=1)
    assert lab.reach.ssh is not None
    assert len(await lab.reach.ssh.run(lab.validators[1], ["df"], limit_bytes=5)) == 5


def test_chance_is_spread() -> None:
    drawn = [mix(i) for i in range(4096)]
    assert len(set(drawn)) > 4090 and 400 < sum(value % 8 == 0 for value in drawn) < 624

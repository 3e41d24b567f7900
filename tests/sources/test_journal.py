"""The validator's log: from a table of answers, and from a real journal behind a real sshd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gizzi import CommandFailed, Settings, SourceError, Validator
from gizzi.fleet.names import OBSERVATIONS
from gizzi.reach.ssh import SshRunner
from gizzi.sources.host import host
from gizzi.sources.journal import GIVES, journal
from tools.hosts import Answer, TableSsh
from tools.sshd import SystemdHost

VALIDATOR = Validator(number=6, host="validator-6.example", unit="flare-node")
SETTINGS = Settings.model_validate({"ssh": {"user": "ubuntu"}})
KEY = "41ef4a31eb7dc1e01f4630604e1908e644d7cdee3f66a60f98d6d59605326f8b"
PREVOTE = (
    f"Detected prevote equivocation in the finality worker: Equivocation {{ round_number: 7, identity: Public({KEY} (12VT...)), first: (x"
)
OWN = 'Error reporting prevote equivocation: Safety("Refraining from sending equivocation report for our own equivocation.")'
GENESIS = "🔨 Initializing Genesis block/state (state: 0x4bba…5ae2, header-hash: 0xbbe6…1d84)"
STARTED = "🏷  Local node identity is: 12D3KooW"
BANNED = "Report 12D3KooW: -2147483648 to -2147483643. Reason: Genesis mismatch. Banned, disconnecting."
NOTHING = CommandFailed("no match", 1, "Could not chdir to home directory /home/ubuntu: No such file or directory")


def logged(*messages: str, writer: str = "polkadot") -> str:
    return "".join(f"{1795380810 + index}.5 {writer}[9]: 2026-11-22 20:53:30 {message}\n" for index, message in enumerate(messages))


def shown(**changes: object) -> str:
    properties = {
        "MainPID": 995,
        "Result": "success",
        "ExecMainStartTimestamp": "Sun 2026-11-22 20:53:30 UTC",
        "ExecMainCode": 0,
        "ExecMainStatus": 0,
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
    }
    return "".join(f"{name}={value}\n" for name, value in {**properties, **changes}.items())


def table(
    *,
    unit: Answer = "",
    last: Answer = logged("💤 Idle"),
    equivocations: Answer = NOTHING,
    abuse: Answer = NOTHING,
    start: Answer = logged(STARTED),
    end: Answer = "",
) -> TableSsh:
    return TableSsh(
        ("systemctl show", unit or shown()),
        ("--identifier=systemd", end),
        ("--since=-1h equivocation", equivocations),
        ("--since=-1h disconnecting", abuse),
        ("--until= Genesis", start),
        ("--lines=1", last),
    )


async def look(ssh: Any, memory: dict[str, Any] | None = None, validator: Validator = VALIDATOR) -> dict[str, Any]:
    return await journal(validator, ssh, SETTINGS, {} if memory is None else memory)


async def test_a_quiet_log() -> None:
    ssh = table()
    assert await look(ssh) == {
        "equivocations": 0,
        "equivocation_ids": (),
        "own_equivocations": 0,
        "peer_abuse_lines": 0,
        "genesis_line": False,
    }
    assert {command[0] for command in ssh.asked} == {"systemctl", "journalctl"}
    assert ssh.asked[-1][-3:-1] == ["--since=2026-11-22 20:53:30", "--until=2026-11-22 21:03:30"]


async def test_what_a_log_can_tell() -> None:
    seen = await look(table(equivocations=logged(PREVOTE, OWN, PREVOTE), abuse=logged(BANNED), start=logged(GENESIS, STARTED)))
    assert seen == {
        "equivocations": 2,
        "equivocation_ids": (f"0x{KEY}",),
        "own_equivocations": 1,
        "peer_abuse_lines": 1,
        "genesis_line": True,
    }


async def test_a_log_without_its_beginning_says_nothing_of_the_database() -> None:
    assert "genesis_line" not in await look(table(start=NOTHING))
    assert "genesis_line" not in await look(table(unit=CommandFailed("no bus", 1, "Failed to connect to bus")))


async def test_how_it_started_is_asked_once_a_start() -> None:
    memory: dict[str, Any] = {}
    await look(table(start=NOTHING), memory)
    assert (await look(table(start=logged(GENESIS, STARTED)), memory))["genesis_line"] is True
    assert (await look(table(start=AssertionError()), memory))["genesis_line"] is True  # type: ignore[arg-type]
    again = shown(ExecMainStartTimestamp="Sun 2026-11-22 21:00:00 UTC")
    assert (await look(table(unit=again, start=logged(STARTED)), memory))["genesis_line"] is False


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("", "it is empty"),
        ("-- No entries --\n", "it is empty"),
        (CommandFailed("x", 1, "No journal files were opened due to insufficient permissions."), "No journal files were opened"),
        (CommandFailed("x", 127), "journalctl ended with exit status 127"),
    ],
)
async def test_a_log_that_cannot_be_read_is_not_a_quiet_one(last: Answer, why: str) -> None:
    with pytest.raises(SourceError, match=f"the log of flare-node .* cannot be read: {why}.*systemd-journal") as raised:
        await look(table(last=last))
    assert raised.value.kind == "unreadable"


@pytest.mark.parametrize(
    "failure",
    [
        CommandFailed("x", 1, "Compiled without pattern matching support"),
        CommandFailed("x", 2),
        SourceError("timeout", "x"),
        SourceError("unreadable", "wrote more than 1 MB"),
    ],
)
async def test_equivocations_that_cannot_be_looked_for_are_a_failure(failure: SourceError) -> None:
    with pytest.raises(SourceError) as raised:
        await look(table(equivocations=failure))
    assert raised.value is failure


@pytest.mark.parametrize("failure", [SourceError("timeout", "x"), SourceError("unreadable", "wrote more than 1 MB")])
async def test_peers_who_fill_the_log_do_not_hide_an_equivocation(failure: SourceError) -> None:
    seen = await look(table(abuse=failure, equivocations=logged(PREVOTE)))
    assert seen["equivocations"] == 1
    assert "peer_abuse_lines" not in seen


@pytest.mark.parametrize("kind", ["refused", "unauthorised", "host_key", "timeout"])
async def test_a_host_that_cannot_be_reached(kind: Any) -> None:
    with pytest.raises(SourceError) as raised:
        await look(table(unit=SourceError(kind, "x")))
    assert raised.value.kind == kind


async def test_a_unit_that_does_not_exist() -> None:
    with pytest.raises(SourceError, match=r"validator-6\.example has no unit flare-node; correct `unit` of validator 6"):
        await look(table(unit=shown(LoadState="not-found", ActiveState="inactive", MainPID=0)))


async def test_a_unit_that_cannot_be_one_is_an_error_before_anything_is_sent() -> None:
    ssh = table()
    with pytest.raises(SourceError, match="is not the name of a systemd unit"):
        await look(ssh, validator=VALIDATOR.model_copy(update={"unit": "--vacuum-size=1"}))
    assert ssh.asked == []


GONE = shown(ActiveState="inactive", SubState="dead", MainPID=0, ExecMainStartTimestamp="")


@pytest.mark.parametrize(
    ("unit", "end", "unclean"),
    [
        (GONE, ["Started Node."], True),
        (GONE, ["Started Node.", "flare-node.service: Deactivated successfully.", "Stopped Node."], False),
        (GONE, [], None),
        (shown(), ["Started Node."], None),  # it runs
        (
            shown(ActiveState="failed", MainPID=0, ExecMainCode=2, ExecMainStatus=9, Result="signal"),
            ["Started Node."],
            None,
        ),  # the host source tells
    ],
)
async def test_how_the_run_before_the_boot_ended(unit: str, end: list[str], unclean: bool | None) -> None:
    text = "".join(f"{1795380810 + index}.5 systemd[1]: {message}\n" for index, message in enumerate(end))
    assert (await look(table(unit=unit, end=text))).get("unclean_stop") is unclean


def test_every_value_has_a_name_and_a_meaning() -> None:
    assert set(GIVES) <= set(OBSERVATIONS)


@pytest.fixture
async def real(free_port: Callable[[], int]) -> AsyncIterator[SystemdHost]:
    server = SystemdHost(free_port())
    server.start()
    yield server
    server.remove()


@pytest.mark.real
async def test_a_real_log(real: SystemdHost) -> None:
    runner = SshRunner(real.settings())
    settings = Settings.model_validate({"ssh": real.settings().model_dump(by_alias=True)})
    validator = real.validator(6, unit="substrate@val6")
    memory: dict[str, Any] = {}

    async def until(**wanted: object) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for _ in range(200):
            seen = await journal(validator, runner, settings, memory)
            if {name: seen.get(name) for name in wanted} == wanted:
                break
            await asyncio.sleep(0.05)
        assert {name: seen.get(name) for name in wanted} == wanted
        return seen

    with pytest.raises(SourceError, match="cannot be read: it is empty"):
        await journal(validator, runner, settings, {})
    await runner.run(validator, ["systemctl", "--user", "start", "substrate@val6"])
    await until(genesis_line=True, equivocations=0, own_equivocations=0, peer_abuse_lines=0)

    stamp = "2026-11-22 20:53:30 "
    real.say(
        "val6",
        stamp + PREVOTE,
        f"\x1b[2m{stamp}\x1b[0m{OWN}",
        (stamp + "somebody says: " + PREVOTE).encode() + b" \xff\xfe",
        b"\xf0\x28 not a word " * 20,
        *[stamp + BANNED] * 700,
    )
    seen = await until(equivocations=1, own_equivocations=1, peer_abuse_lines=500)
    assert seen["equivocation_ids"] == (f"0x{KEY}",)

    await asyncio.sleep(1.1)  # journalctl tells starts apart by the second
    await runner.run(validator, ["systemctl", "--user", "restart", "substrate@val6"])
    await until(genesis_line=False)

    await runner.run(validator, ["systemctl", "--user", "stop", "substrate@val6"])
    await until(unclean_stop=False)
    assert "unclean_stop" not in await host(validator, runner, settings, {})
    await runner.close()

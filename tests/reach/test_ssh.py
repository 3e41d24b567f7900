"""Commands over SSH, against a real sshd."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from gizzi.config import Ssh, Validator
from gizzi.errors import CommandFailed, OutcomeUnknown, SourceError
from gizzi.reach.ssh import SshRunner
from tools.sshd import Sshd, account

pytestmark = pytest.mark.real

NAP = f"98765.{os.getpid()}"
"""For sleep: long, and found again among the processes."""

HOSTILE = [
    "; touch {mark}",
    "$(touch {mark})",
    "`touch {mark}`",
    "a\ntouch {mark}\n",
    "' ; touch {mark} ; '",
    '" ; touch {mark} ; "',
    "'\"'\"'; touch {mark} #",
    "&& touch {mark}",
    "| touch {mark}",
    "> {mark}",
    "$IFS${{IFS}}*?[a-z]~",
    "\\",
    "\\'; touch {mark} #",
    "!!",
    "{{touch,{mark}}}",
    "-rf",
    "",
    " ",
    "\t\r\x1b[31m",
    "💔 ünï",
]


@pytest.fixture
def sshd(free_port: Callable[[], int]) -> Iterator[Sshd]:
    server = Sshd(free_port())
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def runner(sshd: Sshd) -> AsyncIterator[SshRunner]:
    runner = SshRunner(sshd.settings())
    yield runner
    await runner.close()


async def failure(runner: SshRunner, validator: Validator, *command: str, limit_bytes: int = 1_000_000) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await runner.run(validator, command, limit_bytes=limit_bytes)
    assert "\n" not in str(raised.value)
    return raised.value


def running(marker: str) -> list[int]:
    """Processes whose arguments hold the marker."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in file.read_bytes().decode(errors="replace"):
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


async def begun(marker: str) -> bool:
    for _ in range(200):
        if running(marker):
            return True
        await asyncio.sleep(0.02)
    return False


async def gone(marker: str) -> bool:
    for _ in range(200):
        if not running(marker):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_command(sshd: Sshd, runner: SshRunner) -> None:
    assert await runner.run(sshd.validator(), ["id", "-un"]) == f"{account()}\n"


async def test_hostile_arguments_stay_arguments(sshd: Sshd, runner: SshRunner, tmp_path: Path) -> None:
    mark = sshd.folder / "mark"
    sshd.folder.chmod(0o777)
    arguments = [text.format(mark=mark) for text in HOSTILE]
    printed = await runner.run(sshd.validator(), ["printf", "%s\\0", *arguments])
    assert printed.split("\0")[:-1] == arguments
    for argument in arguments:
        assert await runner.run(sshd.validator(), ["printf", "%s", argument]) == argument
    assert not mark.exists()


@pytest.mark.parametrize("command", [[], ["echo", "a\0b"], ["echo", "\udcff"]])
async def test_commands_that_cannot_be_sent(sshd: Sshd, runner: SshRunner, command: list[str]) -> None:
    assert (await failure(runner, sshd.validator(), *command)).kind == "internal"


async def test_a_command_that_reads_its_input_ends(sshd: Sshd, runner: SshRunner) -> None:
    assert await runner.run(sshd.validator(), ["cat"]) == ""


async def test_output_that_is_no_text_is_replaced(sshd: Sshd, runner: SshRunner) -> None:
    assert await runner.run(sshd.validator(), ["printf", "a\\377b"]) == "a\ufffdb"


async def test_an_exit_status_and_what_it_said(sshd: Sshd, runner: SshRunner) -> None:
    error = await failure(runner, sshd.validator(), "sh", "-c", "echo out; echo first >&2; printf 'no \\033[1msuch\\007 thing' >&2; exit 7")
    assert isinstance(error, CommandFailed)
    assert (error.kind, error.status, error.stderr) == ("http", 7, "no [1msuch thing")
    assert str(error).endswith("ended with exit status 7: no [1msuch thing")
    assert f"127.0.0.1:{sshd.port}" in str(error)


async def test_a_command_that_does_not_exist(sshd: Sshd, runner: SshRunner) -> None:
    error = await failure(runner, sshd.validator(), "no-such-command")
    assert isinstance(error, CommandFailed)
    assert error.status == 127


async def test_a_command_that_is_killed(sshd: Sshd, runner: SshRunner) -> None:
    error = await failure(runner, sshd.validator(), "sh", "-c", "kill -9 $PPID")
    assert isinstance(error, OutcomeUnknown) and error.kind == "unreadable"
    assert "killed by SIGKILL" in str(error)


async def test_endless_output_is_cut_and_its_command_killed(sshd: Sshd, runner: SshRunner) -> None:
    error = await failure(runner, sshd.validator(), "yes", NAP, limit_bytes=100_000)
    assert isinstance(error, OutcomeUnknown) and error.kind == "unreadable"
    assert "wrote more than 0.1 MB" in str(error)
    assert await gone(NAP)
    assert await runner.run(sshd.validator(), ["echo", "on"]) == "on\n"


async def test_endless_errors_do_not_fill_the_memory(sshd: Sshd, runner: SshRunner) -> None:
    error = await failure(runner, sshd.validator(), "sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' e >&2; exit 3")
    assert isinstance(error, CommandFailed)
    assert error.status == 3
    assert len(error.stderr) <= 200


async def test_much_output_within_the_limit_is_whole(sshd: Sshd, runner: SshRunner) -> None:
    assert len(await runner.run(sshd.validator(), ["head", "-c", "5000000", "/dev/zero"], limit_bytes=6_000_000)) == 5_000_000


async def test_a_hanging_command_is_killed_and_its_neighbours_go_on(sshd: Sshd) -> None:
    runner = SshRunner(sshd.settings(timeout="500ms"))
    hanging = asyncio.create_task(failure(runner, sshd.validator(), "sleep", NAP))
    assert await runner.run(sshd.validator(), ["echo", "on"]) == "on\n"
    error = await hanging
    assert isinstance(error, OutcomeUnknown) and error.kind == "timeout"
    assert f"`sleep {NAP}` did not end" in str(error)
    assert await gone(NAP)
    assert await runner.run(sshd.validator(), ["echo", "on"]) == "on\n"
    await runner.close()


async def test_a_command_may_have_a_time_of_its_own(sshd: Sshd) -> None:
    runner = SshRunner(sshd.settings(timeout="300ms"))
    assert await runner.run(sshd.validator(), ["sh", "-c", "sleep 0.8; echo on"], timeout_s=10) == "on\n"
    with pytest.raises(OutcomeUnknown, match=r"did not end on .* in 0\.1 s"):
        await runner.run(sshd.validator(), ["sleep", "5"], timeout_s=0.1)
    await runner.close()


async def test_both_outputs_together(sshd: Sshd, runner: SshRunner) -> None:
    command = ["sh", "-c", "echo one; sleep 0.1; echo two >&2"]
    assert await runner.run(sshd.validator(), command) == "one\n"
    assert (await runner.run(sshd.validator(), command, with_stderr=True)).endswith("one\ntwo\n")
    with pytest.raises(OutcomeUnknown, match="wrote more than"):
        await runner.run(sshd.validator(), ["sh", "-c", "yes >&2"], with_stderr=True, limit_bytes=100_000)
    with pytest.raises(CommandFailed, match="exit status 3: why"):
        await runner.run(sshd.validator(), ["sh", "-c", "echo why >&2; exit 3"], with_stderr=True)


async def test_what_was_never_sent_is_not_in_doubt(sshd: Sshd, runner: SshRunner) -> None:
    sshd.stop()
    assert type(await failure(runner, sshd.validator(), "echo", "on")) is SourceError


async def test_twenty_commands_at_once_over_one_connection(sshd: Sshd, runner: SshRunner) -> None:
    commands = [["sh", "-c", f"sleep 0.05; echo {number}"] for number in range(20)]
    printed = await asyncio.gather(*(runner.run(sshd.validator(), command) for command in commands))
    assert printed == [f"{number}\n" for number in range(20)]
    assert sshd.log().count("Accepted publickey") == 1


async def test_a_given_up_command_is_killed(sshd: Sshd, runner: SshRunner) -> None:
    task = asyncio.create_task(runner.run(sshd.validator(), ["sleep", NAP]))
    assert await begun(NAP)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(NAP)
    assert await runner.run(sshd.validator(), ["echo", "on"]) == "on\n"


async def test_a_lost_connection_is_made_again(sshd: Sshd, runner: SshRunner) -> None:
    assert await runner.run(sshd.validator(), ["echo", "1"]) == "1\n"
    hanging = asyncio.create_task(failure(runner, sshd.validator(), "sleep", "60"))
    await asyncio.sleep(0.1)
    sshd.drop_connections()
    error = await hanging
    assert isinstance(error, OutcomeUnknown) and error.kind == "refused"
    assert "was lost" in str(error)
    assert await runner.run(sshd.validator(), ["echo", "2"]) == "2\n"
    sshd.drop_connections()
    await asyncio.sleep(0.2)
    assert await runner.run(sshd.validator(), ["echo", "3"]) == "3\n"


async def test_a_host_that_is_down_and_comes_back(sshd: Sshd, runner: SshRunner) -> None:
    assert await runner.run(sshd.validator(), ["echo", "1"]) == "1\n"
    sshd.stop()
    await asyncio.sleep(0.2)
    error = await failure(runner, sshd.validator(), "echo", "2")
    assert error.kind == "refused"
    assert "Connection refused" in str(error)
    sshd.start()
    assert await runner.run(sshd.validator(), ["echo", "3"]) == "3\n"


async def test_a_name_nobody_knows(sshd: Sshd, runner: SshRunner) -> None:
    error = await failure(runner, sshd.validator(host="no-such-host.invalid"), "echo")
    assert error.kind == "refused"
    assert "no-such-host.invalid" in str(error)


async def test_a_validator_without_a_host(runner: SshRunner) -> None:
    assert "no `host`" in str(await failure(runner, Validator(number=9), "echo"))


async def test_a_host_that_accepts_and_never_answers(sshd: Sshd) -> None:
    silent = await asyncio.start_server(lambda reader, writer: asyncio.sleep(60), "127.0.0.1", 0)
    runner = SshRunner(sshd.settings(port=silent.sockets[0].getsockname()[1], timeout="300ms"))
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "timeout"
    assert "no SSH answer" in str(error)
    await runner.close()
    silent.close()


async def test_a_server_that_does_not_speak_ssh(sshd: Sshd) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    runner = SshRunner(sshd.settings(port=server.sockets[0].getsockname()[1], timeout="2s"))
    assert (await failure(runner, sshd.validator(), "echo")).kind == "refused"
    await runner.close()
    server.close()


async def test_an_unknown_host_key(sshd: Sshd, runner: SshRunner) -> None:
    sshd.known_hosts.write_text("")
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "host_key"
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {sshd.known_hosts}" in str(error)
    sshd.trust()
    assert await runner.run(sshd.validator(), ["echo", "trusted"]) == "trusted\n"


async def test_a_missing_known_hosts_file(sshd: Sshd, runner: SshRunner) -> None:
    sshd.known_hosts.unlink()
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "host_key"
    assert "there is no file" in str(error) and "ssh-keyscan" in str(error)


async def test_a_changed_host_key(sshd: Sshd, runner: SshRunner) -> None:
    sshd.stop()
    sshd.new_host_key()
    sshd.start()
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "host_key", error
    assert "is not the one in" in str(error) and "ssh-keygen -R" in str(error)
    assert "Accepted" not in sshd.log()


async def test_a_host_key_of_another_kind_than_the_known_one(sshd: Sshd, runner: SshRunner) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "refused"
    assert f"no host key of the kind that stands in {sshd.known_hosts}" in str(error)


async def test_a_known_hosts_file_that_is_none(sshd: Sshd, runner: SshRunner) -> None:
    sshd.known_hosts.write_bytes(b"\xff\xfe\x00 garbage\n\n# nothing\n@revoked x y z\n")
    assert (await failure(runner, sshd.validator(), "echo")).kind == "host_key"


async def test_a_key_that_the_host_does_not_accept(sshd: Sshd, tmp_path: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    runner = SshRunner(sshd.settings(key_file=str(tmp_path / "other")))
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "unauthorised"
    assert "authorized_keys" in str(error)
    await runner.close()


@pytest.mark.parametrize("kind", ["none", "missing", "passphrase", "garbage", "folder"])
async def test_key_files_that_cannot_be_used(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    if kind == "passphrase":
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(file), "pkcs8-pem", passphrase="secret")
    elif kind == "garbage":
        file.write_bytes(os.urandom(500))
    elif kind == "folder":
        file.mkdir()
    runner = SshRunner(sshd.settings(key_file=None if kind == "none" else str(file)))
    error = await failure(runner, sshd.validator(), "echo")
    assert error.kind == "unauthorised"
    assert "key_file" in str(error)
    await runner.close()


async def test_neither_the_users_keys_nor_an_agent_are_tried(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the configured key counts, whatever lies in the home folder of whoever runs Gizzi."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(sshd.key_file.read_bytes())
    (home / ".ssh" / "config").write_text(f"Host *\n  IdentityFile {sshd.key_file}\n  User nobody\n")
    monkeypatch.setenv("HOME", str(home))
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "other"))
    runner = SshRunner(sshd.settings(key_file=str(tmp_path / "other")))
    assert (await failure(runner, sshd.validator(), "echo")).kind == "unauthorised"
    await runner.close()


async def test_many_who_wait_for_one_host_that_is_down(sshd: Sshd) -> None:
    """They share one attempt and its failure."""
    silent = await asyncio.start_server(lambda reader, writer: asyncio.sleep(60), "127.0.0.1", 0)
    runner = SshRunner(sshd.settings(port=silent.sockets[0].getsockname()[1], timeout="500ms"))
    async with asyncio.timeout(2):
        errors = await asyncio.gather(*(failure(runner, sshd.validator(), "echo") for _ in range(20)))
    assert {error.kind for error in errors} == {"timeout"}
    await runner.close()
    silent.close()


async def test_closing_ends_what_runs(sshd: Sshd) -> None:
    runner = SshRunner(sshd.settings())
    task = asyncio.create_task(failure(runner, sshd.validator(), "sleep", NAP))
    assert await begun(NAP)
    await runner.close()
    assert (await task).kind in ("refused", "unreadable")
    assert await gone(NAP)


def test_the_settings_of_a_fleet_have_no_key_by_default() -> None:
    assert Ssh().key_file is None


async def test_closing_while_a_connection_is_being_made(sshd: Sshd) -> None:
    silent = await asyncio.start_server(lambda reader, writer: asyncio.sleep(60), "127.0.0.1", 0)
    runner = SshRunner(sshd.settings(port=silent.sockets[0].getsockname()[1]))
    task = asyncio.create_task(failure(runner, sshd.validator(), "echo"))
    await asyncio.sleep(0.1)
    await runner.close()
    assert (await task).kind == "refused"
    silent.close()


async def test_a_connection_that_takes_no_command_is_given_up(sshd: Sshd) -> None:
    """A frozen host: logged in, but nothing happens any more. The next command tries a new connection."""
    logins = 0

    class Frozen(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            nonlocal logins
            logins += 1
            return False

        async def session_requested(self) -> bool:
            await asyncio.sleep(60)
            return False

    server = await asyncssh.create_server(Frozen, "127.0.0.1", 0, server_host_keys=[str(sshd.folder / "host")])
    port = server.get_port()
    sshd.known_hosts.write_text(sshd.known_hosts.read_text().replace(str(sshd.port), str(port)))
    runner = SshRunner(sshd.settings(port=port, timeout="300ms"))
    for attempt in (1, 2):
        error = await failure(runner, sshd.validator(), "echo")
        assert (error.kind, logins) == ("timeout", attempt), error
    await runner.close()
    server.close()

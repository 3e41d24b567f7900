"""Commands on a validator's host, over one kept SSH connection per host. Host keys are always checked.

sshd hands the account's shell one line of text. The arguments are quoted for it, so none of them can become shell syntax in a POSIX shell
(sh, dash, bash, zsh); an account with csh or fish has other rules and must not be used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gizzi import config
from gizzi.config import Validator
from gizzi.errors import CommandFailed, OutcomeUnknown, SourceError
from gizzi.reach.ssh_link import Link, Session
from gizzi.readers.text import one_line

if TYPE_CHECKING:
    import asyncssh

OPENING_AT_ONCE = 32
"""Over all hosts: a handshake takes some 10 ms of our processor, and the last must still be in time."""
KEEPALIVE_S = 10.0
KEEPALIVES = 2
"""A host that vanished without a word is known to be gone after 30 s; until then its commands time out."""


class SshRunner:
    """Runs commands as `[ssh]` says, each within `timeout_s`. Close it after use. One event loop only."""

    def __init__(self, settings: config.Ssh) -> None:
        self._settings = settings
        self._links: dict[str, Link] = {}
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)

    async def run(
        self,
        validator: Validator,
        command: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        timeout_s: float | None = None,
        with_stderr: bool = False,
    ) -> str:
        """Standard output of a command on the validator's host (with_stderr: both, as they came), what is no UTF-8 replaced.

        Raises SourceError where it was not sent: refused, timeout, unauthorised, host_key. CommandFailed for another exit status than 0.
        OutcomeUnknown where its end was not seen: timeout, refused (the connection was lost), unreadable (it was killed, or for more than
        `limit_bytes`). A command that was cut off is killed. None is ever run twice. timeout_s: `[ssh] timeout` by default.
        """
        line = _line(command)
        limit_s = self._settings.timeout_s if timeout_s is None else timeout_s
        if not validator.host:
            raise SourceError("refused", f"validator {validator.number} has no `host`; add it to reach it over SSH")
        host = validator.host
        link = self._links.setdefault(host, Link())
        connection = await link.connection(lambda: self._open(host))
        async with link.slots:
            session = Session(limit_bytes, with_stderr=with_stderr)
            link.sessions.add(session)
            try:
                await self._execute(connection, session, line, limit_s)
            except (TimeoutError, asyncio.CancelledError) as error:
                if not session.opened:  # it does not even take a command: begin anew
                    link.drop(connection)
                if isinstance(error, asyncio.CancelledError):
                    raise
                what = f"`{_shown(command)}` did not end on {self._place(host)} in {limit_s:.3g} s"
                raise _sent(session)("timeout", what) from None
            except _errors() as error:
                raise _sent(session)("refused", f"`{_shown(command)}` got no answer from {self._place(host)}: {_reason(error)}") from None
            finally:
                session.stop()
                link.sessions.discard(session)
        return self._output(session, command, host)

    async def close(self) -> None:
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.close() for link in links))

    async def _execute(self, connection: asyncssh.SSHClientConnection, session: Session, line: str, limit_s: float) -> None:
        async with asyncio.timeout(limit_s):
            await connection.create_session(lambda: session, line, encoding=None)  # type: ignore[arg-type, return-value]
            await session.ended

    def _output(self, session: Session, command: Sequence[str], host: str) -> str:
        what, place = f"`{_shown(command)}`", self._place(host)
        if session.overflowed:
            raise OutcomeUnknown("unreadable", f"{what} on {place} wrote more than {session.limit_bytes / 1e6:.3g} MB")
        if session.signal is not None:
            raise OutcomeUnknown("unreadable", f"{what} on {place} was killed by SIG{one_line(session.signal, 20)}")
        if session.status is None:
            raise OutcomeUnknown("refused", f"the SSH connection to {place} was lost while {what} ran")
        if session.status != 0:
            stderr = one_line((bytes(session.stderr).decode(errors="replace").strip().splitlines() or [""])[-1])
            text = f"{what} on {place} ended with exit status {session.status}"
            raise CommandFailed(f"{text}: {stderr}" if stderr else text, session.status, stderr)
        return bytes(session.stdout).decode(errors="replace")

    def _place(self, host: str) -> str:
        return f"{host}:{self._settings.port}"

    async def _open(self, host: str) -> asyncssh.SSHClientConnection:
        import asyncssh

        settings = self._settings
        asyncssh.set_log_level(logging.WARNING)  # else it tells of every command
        async with self._opening:
            known_hosts, key = self._known_hosts(host), self._key()
            try:
                async with asyncio.timeout(settings.timeout_s):
                    return await asyncssh.connect(
                        host,
                        settings.port,
                        username=settings.user or "",
                        client_keys=[key],
                        known_hosts=known_hosts,
                        preferred_auth="publickey",
                        config=None,
                        agent_path=None,
                        gss_host=None,
                        keepalive_interval=KEEPALIVE_S,
                        keepalive_count_max=KEEPALIVES,
                    )
            except TimeoutError:
                raise SourceError("timeout", f"no SSH answer from {self._place(host)} in {settings.timeout_s:.3g} s") from None
            except asyncssh.HostKeyNotVerifiable:
                raise self._bad_host_key(host, known_hosts) from None
            except asyncssh.KeyExchangeFailed as error:
                if "host key" in str(error):
                    raise self._bad_host_key(host, known_hosts) from None
                raise SourceError("unreadable", f"no common SSH ciphers with {self._place(host)}: {_reason(error)}") from None
            except asyncssh.PermissionDenied:
                text = f"{self._place(host)} does not let {settings.user} in with the key {settings.key_file}"
                raise SourceError("unauthorised", f"{text}; add its public key to ~{settings.user}/.ssh/authorized_keys there") from None
            except (asyncssh.ConnectionLost, ConnectionResetError):
                text = f"{self._place(host)} closed the SSH connection at once: it has too many, or no host key of the kind that stands in"
                raise SourceError("refused", f"{text} {settings.known_hosts}") from None
            except _errors() as error:
                raise SourceError("refused", f"no SSH connection to {self._place(host)}: {_reason(error)}") from None

    def _known_hosts(self, host: str) -> asyncssh.SSHKnownHosts:
        """Read anew for every connection, so that a key that was added counts at once."""
        import asyncssh

        file = Path(self._settings.known_hosts).expanduser()
        try:
            return asyncssh.read_known_hosts(str(file))
        except FileNotFoundError:
            text = f"there is no file {file} ([ssh] known_hosts), so {self._place(host)} cannot be trusted"
            raise SourceError("host_key", f"{text}; {self._how_to_add(host)}") from None
        except (OSError, ValueError) as error:
            raise SourceError("host_key", f"{file} ([ssh] known_hosts) cannot be read: {_reason(error)}") from None

    def _key(self) -> asyncssh.SSHKey:
        import asyncssh

        if not self._settings.key_file:
            raise SourceError("unauthorised", "[ssh] key_file is not set; name the private key that validators' hosts accept")
        file = Path(self._settings.key_file).expanduser()
        try:
            return asyncssh.read_private_key(str(file))
        except FileNotFoundError:
            raise SourceError("unauthorised", f"[ssh] key_file: there is no file {file}") from None
        except asyncssh.KeyEncryptionError:
            raise SourceError("unauthorised", f"[ssh] key_file: {file} has a passphrase; use a key without one") from None
        except (OSError, ValueError) as error:
            raise SourceError("unauthorised", f"[ssh] key_file: {file} cannot be read as a private key: {_reason(error)}") from None

    def _bad_host_key(self, host: str, known_hosts: asyncssh.SSHKnownHosts) -> SourceError:
        settings = self._settings
        if not any(known_hosts.match(host, "", settings.port)[:3]):
            text = f"the SSH host key of {self._place(host)} is not in {settings.known_hosts}"
            return SourceError("host_key", f"{text}; {self._how_to_add(host)}")
        name = host if settings.port == 22 else f"[{host}]:{settings.port}"
        text = f"the SSH host key of {self._place(host)} is not the one in {settings.known_hosts}: is it another machine, or set up anew?"
        remove = shlex.join(["ssh-keygen", "-R", name, "-f", str(Path(settings.known_hosts).expanduser())])
        return SourceError("host_key", f"{text} If you know why, run {remove}, then {self._how_to_add(host)}")

    def _how_to_add(self, host: str) -> str:
        scan = shlex.join(["ssh-keyscan", "-p", str(self._settings.port), host])
        return f"check its fingerprint and add it: {scan} >> {shlex.quote(str(Path(self._settings.known_hosts).expanduser()))}"


def _sent(session: Session) -> type[SourceError]:
    """What to raise where no end was seen: without an open session the host never got the command."""
    return OutcomeUnknown if session.opened else SourceError


def _line(command: Sequence[str]) -> str:
    line = shlex.join(command)
    if not line or "\0" in line or any("\ud800" <= letter <= "\udfff" for letter in line):
        raise SourceError("internal", "a command for SSH is empty, or holds a zero byte or half a character")
    return line


def _shown(command: Sequence[str]) -> str:
    return one_line(shlex.join(command), 80)


def _errors() -> tuple[type[Exception], ...]:
    import asyncssh

    return (asyncssh.Error, OSError)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)

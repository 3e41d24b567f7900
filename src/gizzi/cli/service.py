"""`gizzi service install`: the systemd unit that runs the daemon with as few rights as it needs."""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from gizzi.cli.words import settings_of
from gizzi.config import Settings
from gizzi.errors import ConfigError, UsageError
from gizzi.models.merge import catalogue_of
from gizzi.registry import load

UNIT = Path("/etc/systemd/system/gizzi.service")
CONFIG = Path("/etc/gizzi/gizzi.toml")
STATE = Path("/var/lib/gizzi")
_PLAIN = re.compile(r"/[A-Za-z0-9/._+@-]*")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What ProtectHome and PrivateTmp keep from the unit."""

TEXT = """\
# Written by `gizzi service install`. Change it with `systemctl edit gizzi`, which keeps your lines apart from these.
[Unit]
Description=Gizzi watches the validators
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User={user}
ExecStart={program} watch --config {config}
# Its loop tells systemd every few seconds that it turns. One that is stuck is ended, and started again.
WatchdogSec=60
TimeoutAbortSec=10
Restart=on-failure
RestartSec=5
UMask=0077
StateDirectory=gizzi
StateDirectoryMode=0700
Environment=XDG_STATE_HOME=%S
{writes}
# Keys: one file each in /etc/credstore, called as here, readable by root alone. One that is not there is left out.
{credentials}

# It reads, connects and writes its store; nothing else.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def install_service(config: Path | None, *, user: str, only_print: bool) -> int:
    """Write the unit, or print it. Raises ConfigError, UsageError."""
    settings = settings_of(config)
    program = Path(sys.executable).parent / "gizzi"
    file = settings.file or CONFIG
    text = unit_text(program, file, user, store_folder(settings), credentials_of(settings))
    if only_print:
        print(text, end="")
        return 0
    for path in (program, file):
        if any(path.is_relative_to(folder) for folder in _HIDDEN):
            raise ConfigError(f"{path} lies where the unit cannot see it; put it elsewhere, such as /opt/gizzi or /etc/gizzi")
    _write(text)
    for line in _next_steps(settings, file, user):
        print(line)
    return 0


def unit_text(program: Path, config: Path, user: str, store: Path | None, credentials: Iterable[str]) -> str:
    """store: a folder besides its own that it must write to. Raises UsageError for what cannot stand in a unit."""
    if not _ACCOUNT.fullmatch(user):
        raise UsageError(f"--user {user!r}: an account's name is made of small letters, digits, hyphens and underscores")
    if user == "root":
        raise UsageError("--user root: it needs no rights of root; name an account of its own")
    for path in (program, config, *([store] if store else [])):
        if not _PLAIN.fullmatch(str(path)):
            raise UsageError(f"{str(path)!r} cannot stand in a unit: use a whole path of letters, digits and / . _ + @ -")
    writes = f"ReadWritePaths={store}\n" if store else ""
    lines = "\n".join(f"LoadCredential={name}" for name in credentials)
    return TEXT.format(user=user, program=program, config=config, writes=writes, credentials=lines)


def store_folder(settings: Settings) -> Path | None:
    """Where an SQLite store lies, if that is not in the unit's own folder."""
    url = make_url(settings.store.url)
    if not url.drivername.startswith("sqlite") or not url.database or not url.database.startswith("/"):
        return None
    folder = Path(url.database).parent
    return None if folder.is_relative_to(STATE) else folder


def credentials_of(settings: Settings) -> list[str]:
    """The names of all keys that the configuration or the catalogue reads: tokens of the API, then the providers'."""
    providers = catalogue_of(settings, load(settings), datetime.now(UTC).date()).providers.values()
    names = [settings.api.token_env, *(token.token_env for token in settings.api.tokens), *(p.key_env for p in providers)]
    return list(dict.fromkeys(name for name in names if name))


def _write(text: str) -> None:
    if os.geteuid() != 0:
        raise UsageError(f"{UNIT} can be written by root alone; use sudo, or --print")
    try:
        if UNIT.exists() and UNIT.read_text(encoding="utf-8") != text:
            raise UsageError(f"{UNIT} exists and says something else; compare it with --print, and remove it to have it written anew")
        UNIT.write_text(text, encoding="utf-8")
        UNIT.chmod(0o644)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{UNIT} cannot be written: {error}") from None


def _next_steps(settings: Settings, file: Path, user: str) -> list[str]:
    lines = [f"{UNIT} is written. Then:", "  systemctl daemon-reload", "  systemctl enable --now gizzi"]
    missing = []
    if settings.file is None:
        missing.append(f"{file} is not there yet; `gizzi init -o {file}` writes it")
    try:
        pwd.getpwnam(user)
    except KeyError:
        missing.append(f"there is no account {user} yet: useradd --system --home-dir {STATE} --shell /usr/sbin/nologin {user}")
    if folder := store_folder(settings):
        missing.append(
            f'the store lies in {folder}, which {user} must be able to write to; or set [store] url = "sqlite:///{STATE}/gizzi.db"'
        )
    return [*(f"First: {line}" for line in missing), *lines]

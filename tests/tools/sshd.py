"""A real sshd on loopback, and behind one a real systemd with a real journal: a validator's host, as far as Gizzi can see.

Linux only. As root the account `gizzi-test` is made where it is missing (its shell reads no start-up file); otherwise sshd lets the
current user in. `SystemdHost` needs root: it lives in a mount and a PID namespace of its own, and dies with them.
"""

from __future__ import annotations

import contextlib
import getpass
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import asyncssh

from conftest import missing, need
from gizzi.config import Ssh, Validator

ACCOUNT = "gizzi-test"
STARTS_IN_S = 15.0


def account() -> str:
    """The account to log in to."""
    if os.geteuid() != 0:
        return getpass.getuser()
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        (useradd,) = need("useradd")
        subprocess.run([useradd, "-M", "-d", "/nonexistent", "-s", "/bin/dash", "-p", "*", ACCOUNT], check=True)
    return ACCOUNT


class Sshd:
    """One sshd with keys of its own. `settings()` and `validator()` are what Gizzi needs to reach it. Stop it after use."""

    def __init__(self, port: int, *, environment: str = "") -> None:
        (self._binary,) = need("sshd")
        self.port = port
        self.addresses = ["127.0.0.1"]
        self.user = account()
        self.folder = Path(tempfile.mkdtemp(prefix="gizzi-sshd-"))
        self.folder.chmod(0o755)
        self.key_file = self.folder / "id"
        self.known_hosts = self.folder / "known_hosts"
        self._process: subprocess.Popen[bytes] | None = None
        self._keys()
        self._config = self.folder / "sshd_config"
        self._config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nAuthorizedKeysFile {self.folder}/authorized\n"
            f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 300\nPidFile none\n{environment}"
        )

    def _keys(self) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(self.key_file))
        key.write_public_key(str(self.folder / "authorized"))
        (self.folder / "authorized").chmod(0o644)
        self.new_host_key()
        self.trust()

    def new_host_key(self) -> None:
        """As after a reinstallation, or with somebody in between. Counts from the next `start`."""
        host = asyncssh.generate_private_key("ssh-ed25519")
        host.write_private_key(str(self.folder / "host"))
        (self.folder / "host").chmod(0o600)
        host.write_public_key(str(self.folder / "host.pub"))

    def trust(self) -> None:
        """Write the present host key to known_hosts, and nothing else."""
        key = (self.folder / "host.pub").read_text()
        self.known_hosts.write_text("".join(f"[{address}]:{self.port} {key.strip()}\n" for address in self.addresses))

    def listen(self, *addresses: str) -> None:
        """At these addresses of loopback too, each another host to whoever logs in. Counts from the next `start`."""
        self.addresses += addresses
        self._config.write_text("".join(f"ListenAddress {address}\n" for address in addresses) + self._config.read_text())
        self.trust()

    def settings(self, **changes: object) -> Ssh:
        values = {"user": self.user, "port": self.port, "key_file": str(self.key_file), "known_hosts": str(self.known_hosts)}
        return Ssh.model_validate({**values, **changes})

    def validator(self, number: int = 1, **changes: object) -> Validator:
        return Validator.model_validate({"number": number, "host": "127.0.0.1", **changes})

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL)
        self._wait()

    def _command(self) -> list[str]:
        return [self._binary, "-D", "-f", str(self._config), "-E", str(self.folder / "sshd.log")]

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_IN_S
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"sshd did not start: {self.log()[-2000:]}")

    def log(self) -> str:
        file = self.folder / "sshd.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def drop_connections(self) -> None:
        """End every open connection, as a reboot would; the listener stays."""
        assert self._process is not None
        for pid in descendants(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """No listener and no connection any more; `start` brings it back."""
        if self._process is not None:
            self.drop_connections()
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """Its children, theirs, and so on."""
    parent_of: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent_of[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, generation = [], [pid]
    while generation:
        generation = [child for child, parent in parent_of.items() if parent in generation]
        found += generation
    return found


# PID 1 of the namespaces. $1 folder, $2 account, $3 sshd, $4 systemd, $5 systemd-journald, $6... the cgroup folders made for it.
_INIT = r"""
set -e
folder=$1 account=$2 sshd=$3 systemd=$4 journald=$5; shift 5
mount -t tmpfs tmpfs /run/systemd
mkdir -p /run/systemd/system /run/systemd/journal /run/systemd/journald.conf.d /run/log /run/sshd
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nRateLimitIntervalSec=0\n' > /run/systemd/journald.conf.d/test.conf
mount -t tmpfs tmpfs /run/log
mkdir -p /run/log/journal
chgrp systemd-journal /run/log/journal
chmod 2755 /run/log/journal
if [ -d /etc/sudoers.d ]; then mount --bind "$folder/sudoers.d" /etc/sudoers.d; fi
for cgroup; do chown -R "$account" "$cgroup"; done
"$journald" > "$folder/journald.log" 2>&1 &
for i in $(seq 300); do [ -S /run/systemd/journal/stdout ] && break; sleep 0.02; done
(
for cgroup; do echo 0 > "$cgroup/cgroup.procs"; done
exec setpriv --reuid "$account" --regid "$account" --init-groups env -i PATH="$PATH" XDG_RUNTIME_DIR="$folder/run" HOME="$folder/home" \
    "$systemd" --user --log-target=journal > "$folder/systemd.log" 2>&1
) &
for i in $(seq 300); do [ -S "$folder/run/systemd/private" ] && break; sleep 0.02; done
[ -S "$folder/run/systemd/private" ]
"$sshd" -D -f "$folder/sshd_config" -E "$folder/sshd.log" &
wait $!
"""

# A stand-in for a node: writes a node's log, ends cleanly when asked, and says what `SystemdHost.say` tells it to.
_NODE = r"""
name=$1
cd "$HOME"
stamp() { date '+%Y-%m-%d %H:%M:%S'; }
if [ ! -e "db-$name" ]; then
    echo "$(stamp) 🔨 Initializing Genesis block/state (state: 0x4bba…5ae2, header-hash: 0xbbe6…1d84)    "
    : > "db-$name"
fi
echo "$(stamp) 🏷  Local node identity is: 12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x    "
trap 'exit 0' TERM INT
while :; do
    if [ -e "say-$name" ]; then mv "say-$name" "said-$name"; while IFS= read -r line; do printf '%s\n' "$line"; done < "said-$name"; fi
    sleep 0.05 & wait $!
done
"""

# A node with nothing but a metrics page, on the port that is its instance's name. It has one peer while `ill-PORT` is there, and a new
# process begins without it.
_PAGE = r"""
import http.server, os, sys, time
port, started = int(sys.argv[1]), time.time()
ill = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"ill-{port}")
if os.path.exists(ill):
    os.remove(ill)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        peers = 1 if os.path.exists(ill) else 21
        lines = ['substrate_process_start_time_seconds{chain="x"} %s' % started, 'substrate_sub_libp2p_peers_count{chain="x"} %s' % peers]
        body = "".join(line + chr(10) for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()
"""

UNITS = {
    "substrate@.service": "Restart=on-failure\nRestartSec=100ms\n",
    "once@.service": "Restart=no\n",
}
"""Nodes: the first is started again when it dies, the second stays down."""


class ToolHost(Sshd):
    """A host whose PATH begins with programs that a test writes."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.bin = self.folder / "bin"
        self.bin.mkdir(mode=0o755)
        self._config.write_text(f"{self._config.read_text()}SetEnv PATH={self.bin}:/usr/bin:/bin\n")

    def program(self, name: str, text: str) -> None:
        """A program of that name; `text` is its shell script."""
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)


class SystemdHost(Sshd):
    """A host with a service manager (`systemctl --user`) and a journal; UNITS are its units, as in `substrate@val6`."""

    def __init__(self, port: int) -> None:
        if os.geteuid() != 0:
            missing("a systemd of its own behind sshd needs root")
        self._tools = need("unshare", "setpriv", "bash")
        self._systemd, self._journald = Path("/lib/systemd/systemd"), Path("/lib/systemd/systemd-journald")
        if not (self._systemd.exists() and self._journald.exists()):
            missing("not installed here: systemd")
        user = account()
        if user not in grp.getgrnam("systemd-journal").gr_mem:
            subprocess.run([*need("usermod"), "-aG", "systemd-journal", user], check=True)
        super().__init__(port)
        self._config.write_text(f"{self._config.read_text()}SetEnv XDG_RUNTIME_DIR={self.folder}/run HOME={self.folder}/home\n")
        self.home = self.folder / "home"
        self._slices: list[Path] = []
        self._fill()

    def _fill(self) -> None:
        units = self.home / ".config/systemd/user"
        units.mkdir(parents=True)
        (self.folder / "run").mkdir(mode=0o700)
        (self.folder / "sudoers.d").mkdir(mode=0o755)
        (self.home / "node.sh").write_text(_NODE)
        (self.home / "page.py").write_text(_PAGE)
        page = f"ExecStart=/usr/bin/python3 {self.home}/page.py %i\nRestart=no\n"
        (units / "page@.service").write_text(f"[Unit]\nDescription=Page %i\n[Service]\n{page}")
        for name, restart in UNITS.items():
            text = f"[Unit]\nDescription=Node %i\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh {self.home}/node.sh %i\n{restart}"
            (units / name).write_text(text)
        for path in (self.folder / "run", self.home, *self.home.rglob("*")):
            shutil.chown(path, self.user, self.user)

    def settings(self, **changes: object) -> Ssh:
        return super().settings(**{"manager": "systemctl --user", **changes})

    def _command(self) -> list[str]:
        unshare, _, bash = self._tools
        tops = [top for top in map(Path, ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")) if top.is_dir()] or [Path("/sys/fs/cgroup")]
        # Named as a user's manager, so that the journal knows whose unit a line is.
        self._slices = [top / f"{self.folder.name}.slice" for top in tops]
        cgroups = [slice_ / f"user@{pwd.getpwnam(self.user).pw_uid}.service" for slice_ in self._slices]
        for cgroup in cgroups:
            try:
                cgroup.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                missing(f"no control group can be made for a systemd of its own: {error}")
        namespaces = [unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        arguments = [self.folder, self.user, self._binary, self._systemd, self._journald, *cgroups]
        return [*namespaces, bash, "-c", _INIT, "init", *map(str, arguments)]

    def say(self, instance: str, *lines: bytes | str) -> None:
        """Have the node of that instance (`val6`) write these lines to its log."""
        text = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
        temporary = self.home / f"saying-{instance}"
        temporary.write_bytes(text)
        shutil.chown(temporary, self.user, self.user)
        temporary.rename(self.home / f"say-{instance}")

    def make_ill(self, instance: str) -> None:
        """The node of the unit page@ has one peer left, until it is restarted."""
        (self.home / f"ill-{instance}").touch()
        shutil.chown(self.home / f"ill-{instance}", self.user, self.user)

    def sudoers(self, *lines: str) -> None:
        """What sudo on this host obeys, beside its own defaults; nothing outside this host's namespace changes."""
        file = self.folder / "sudoers.d" / "gizzi"
        file.unlink(missing_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))
        file.chmod(0o440)

    def stop(self) -> None:
        """Power off: everything ends at once, and the journal, which lies in memory, is gone."""
        super().stop()
        for slice_ in self._slices:
            remove_cgroup(slice_)


def remove_cgroup(cgroup: Path) -> None:
    """Empty by now, but the kernel may need a moment to see it."""
    deadline = time.monotonic() + 5
    while cgroup.exists() and time.monotonic() < deadline:
        for folder in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
            _try_rmdir(folder)
        _try_rmdir(cgroup)
        time.sleep(0.02)


def _try_rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass

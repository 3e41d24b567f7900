"""A real systemd, as a user's manager, for units that a test writes. Linux and root only: it lives in namespaces of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from conftest import missing, need
from tools.sshd import descendants, remove_cgroup

STARTS_IN_S = 60.0

# PID 1 of the namespaces. $1 folder, $2 systemd, $3... the cgroup folders made for it.
_INIT = r"""
set -e
folder=$1 systemd=$2; shift 2
mount -t tmpfs tmpfs /run/systemd
mkdir -p /run/systemd/system /run/systemd/inaccessible/dir
: > /run/systemd/inaccessible/reg
mkfifo /run/systemd/inaccessible/fifo
mknod /run/systemd/inaccessible/chr c 0 0 || true
for cgroup; do echo 0 > "$cgroup/cgroup.procs"; done
env -i PATH="$PATH" XDG_RUNTIME_DIR="$folder/run" HOME="$folder/home" "$systemd" --user > /dev/null 2>&1 &
wait $!
"""


class UserSystemd:
    """Start it, write units into `units`, command it with `control`. Stop it after use: everything in it ends."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            missing("a systemd of its own needs root")
        self._unshare, self._nsenter, self._bash, self._systemctl = need("unshare", "nsenter", "bash", "systemctl")
        self._systemd = Path("/lib/systemd/systemd")
        if not self._systemd.exists():
            missing("not installed here: systemd")
        self.folder = Path(tempfile.mkdtemp(prefix="gizzi-systemd-"))
        self.units = self.folder / "home" / ".config/systemd/user"
        self.units.mkdir(parents=True)
        (self.folder / "run").mkdir(mode=0o700)
        self._slices: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        tops = [top for top in map(Path, ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")) if top.is_dir()] or [Path("/sys/fs/cgroup")]
        self._slices = [top / f"{self.folder.name}.slice" for top in tops]
        cgroups = [slice_ / "user@0.service" for slice_ in self._slices]
        for cgroup in cgroups:
            try:
                cgroup.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                missing(f"no control group can be made for a systemd of its own: {error}")
        namespaces = [self._unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        arguments = map(str, (self.folder, self._systemd, *cgroups))
        self._process = subprocess.Popen([*namespaces, self._bash, "-c", _INIT, "init", *arguments], stdin=subprocess.DEVNULL)
        give_up_at = time.monotonic() + STARTS_IN_S
        while not (self.folder / "run/systemd/private").exists():
            assert time.monotonic() < give_up_at and self._process.poll() is None, "systemd did not start"
            time.sleep(0.05)

    def control(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`systemctl --user WORDS`, inside."""
        assert self._process is not None
        init = str(descendants(self._process.pid)[0])
        inside = [self._nsenter, "--target", init, "--mount", "--pid", "env", f"XDG_RUNTIME_DIR={self.folder}/run"]
        return subprocess.run([*inside, self._systemctl, "--user", *words], capture_output=True, text=True, timeout=120)

    def shown(self, unit: str, *names: str) -> list[str]:
        """The values of these properties."""
        said = self.control("show", unit, *(f"--property={name}" for name in names)).stdout
        values = dict(line.partition("=")[::2] for line in said.splitlines())
        return [values[name] for name in names]

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for slice_ in self._slices:
            remove_cgroup(slice_)
        shutil.rmtree(self.folder, ignore_errors=True)

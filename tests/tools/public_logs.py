"""Logs that others wrote and judged: fail2ban's test files, each line with the word whether it tells of a failure, from Debian's package.

`python tests/tools/install.py public_logs` fetches them, once, into a cache folder outside the clone (0.5 MB); the package is never
installed. Needs apt-get and dpkg-deb, nothing of ours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.fetched import cache

FILES = ("sshd", "sshd-journal", "pam-generic")
_INSIDE = "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"


@dataclass(frozen=True)
class Line:
    """before: the lines of the same paragraph before it. options: what fail2ban is told for it, such as its mode."""

    text: str
    is_failure: bool
    said: dict[str, Any]
    options: str
    before: tuple[str, ...] = field(default=())

    @property
    def host(self) -> str | None:
        return self.said.get("host") or self.said.get("ip4") or self.said.get("ip6")


def folder() -> Path:
    """Where they lie, or would."""
    return cache("public-logs")


def is_installed() -> bool:
    return all((folder() / name).is_file() for name in FILES)


def install() -> None:
    """Does nothing where they are installed. Raises CalledProcessError where apt-get fails."""
    if is_installed():
        return
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        quiet = {"cwd": scratch, "check": True, "stdout": subprocess.DEVNULL}
        if subprocess.run(["apt-get", "download", "fail2ban"], cwd=scratch, capture_output=True).returncode:
            subprocess.run(["apt-get", "update", "-q"], **quiet)
            subprocess.run(["apt-get", "download", "fail2ban"], **quiet)
        (package,) = Path(scratch).glob("fail2ban_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), "unpacked"], **quiet)
        for name in FILES:
            shutil.copy(Path(scratch) / "unpacked" / _INSIDE / name, place / name)


def lines(name: str) -> Iterator[Line]:
    """Those that are judged, in order."""
    judged: dict[str, Any] | None = None
    options, before = "", list[str]()
    for text in (folder() / name).read_text(errors="replace").splitlines():
        if text.startswith("# filterOptions:"):
            options = text.partition(":")[2].strip()
        elif text.startswith("# failJSON:"):
            judged = json.loads(text.partition(":")[2])
        elif not text.strip():
            before = []
        elif not text.startswith("#"):
            if judged is not None:
                yield Line(text, bool(judged["match"]), judged, options, tuple(before))
            judged = None
            before.append(text)

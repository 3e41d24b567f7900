"""Where tests keep what they take from package registries, once: a cache folder outside the clone. `install.py` fetches it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_QUIET = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")


def cache(name: str) -> Path:
    """Where it lies, or would."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "gizzi-tests" / name


def by_npm(place: Path, *packages: str, then: tuple[str, ...] = ()) -> None:
    """Fetch packages, run a command beside them, and put all of it there at once. No package's own install script is run.

    Raises CalledProcessError where npm or the command fails.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        subprocess.run(["npm", "install", "--prefix", scratch, *_QUIET, *packages], cwd=scratch, check=True)
        if then:
            subprocess.run(then, cwd=scratch, check=True)
        shutil.rmtree(place, ignore_errors=True)
        Path(scratch).rename(place)
        Path(scratch).mkdir()  # for TemporaryDirectory to remove

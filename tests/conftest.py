"""What all tests share: real servers, and free ports on loopback."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable

import pytest
import structlog
from hypothesis import settings

# A busy machine is not a fault, and the same commit gives the same verdict; HYPOTHESIS_PROFILE=search draws anew at every run.
settings.register_profile("gizzi", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gizzi"))

STRICT = os.environ.get("GIZZI_REAL") == "1"
"""Set by .ci/run, which installs every real server first: there a missing one is a failure, not a skip."""

SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/lib/postgresql/15/bin"))


def missing(reason: str) -> None:
    """Skip the test for that reason; under GIZZI_REAL=1 fail it."""
    if STRICT:
        pytest.fail(f"GIZZI_REAL=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def need(*binaries: str) -> tuple[str, ...]:
    """The full paths of programs that a test marked `real` starts. Without one of them the test is skipped (or fails, see `missing`)."""
    paths = tuple(shutil.which(binary, path=SBIN) or "" for binary in binaries)
    absent = [binary for binary, path in zip(binaries, paths, strict=True) if not path]
    if absent:
        missing(f"not installed here: {', '.join(absent)}")
    return paths


@pytest.fixture(autouse=True)
def _logging_as_at_the_start() -> None:
    """A command run inside the test process sets up logging for itself; the next test must not inherit that."""
    structlog.reset_defaults()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Call it for a TCP port on 127.0.0.1 that nothing listens on; each call gives another one."""
    given: set[int] = set()

    def find() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in given:
                given.add(port)
                return port

    return find

"""Stores for tests that run on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from conftest import need
from tools import postgres


def postgres_server() -> Iterator[str]:
    """The URL of a new server, which is stopped at the end."""
    initdb, server = need("initdb", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres.running(initdb, server, port) as url:
        yield url

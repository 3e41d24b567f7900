"""A real PostgreSQL for one test session: its own folder, a free port on loopback, an ordinary account."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; Debian's package brings the account `postgres`."""
    return pwd.getpwnam("postgres") if os.getuid() == 0 else None


@contextlib.contextmanager
def running(initdb: str, postgres: str, port: int) -> Iterator[str]:
    """Yields the URL of a new server, which is stopped at the end."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="gizzi-postgres-"))
    data = folder / "data"
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    server = None
    try:
        subprocess.run([initdb, "-D", data, "-U", "gizzi", "-A", "trust", "--no-sync"], check=True, capture_output=True, cwd=folder, **who)
        arguments = [postgres, "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([*arguments, "-c", "fsync=off"], stdout=log, stderr=log, cwd=folder, **who)
        ready = str(Path(initdb).resolve().with_name("pg_isready"))
        subprocess.run(
            ["sh", "-c", f"for i in $(seq 200); do {ready} -q -h 127.0.0.1 -p {port} && exit 0; sleep 0.05; done; exit 1"], check=True
        )
        yield f"postgresql://gizzi@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            server.terminate()
            server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)

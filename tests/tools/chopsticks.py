"""A real Substrate runtime: Chopsticks executes Asset Hub's on loopback and answers its JSON-RPC (no metrics, no peers, no GRANDPA).

`python tests/tools/install.py chopsticks` fetches it with npm, once, into a cache folder outside the clone (314 MB). Needs Node 20 and the
standard library, nothing of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tools.fetched import by_npm, cache

PACKAGES = ("@acala-network/chopsticks@1.1.0", "@substrate/connect-known-chains@1.10.3")
SPEC = "rococo_v2_2_asset_hub"
"""The one specification among the known chains that holds its runtime and raw genesis, so that nothing is fetched from a network."""
SIGNED = "0xdeadbeef" + "cd" * 60
READY_WITHIN_S = 90.0

_WRITE_SPEC = f"import('@substrate/connect-known-chains').then(k => require('fs').writeFileSync('spec.json', k.{SPEC}))"


def folder() -> Path:
    """Where it lies, or would."""
    return cache("chopsticks")


def is_installed() -> bool:
    return (folder() / "spec.json").is_file() and shutil.which("node") is not None


def install() -> None:
    """Does nothing where it is installed. No package's own install script is run. Raises CalledProcessError where npm fails."""
    if is_installed():
        return
    by_npm(folder(), *PACKAGES, then=("node", "-e", _WRITE_SPEC))


@contextlib.asynccontextmanager
async def running(port: int, log: Path, spec: Path | None = None) -> AsyncIterator[str]:
    """Runs a chain of its own, at block 0 or 1, until the context ends; gives its address. Blocks are made by `dev_newBlock` alone.

    spec: of another chain than Asset Hub. A signature that is `SIGNED` is anybody's.
    """
    place = folder()
    program = place / "node_modules" / "@acala-network" / "chopsticks" / "chopsticks.cjs"
    options = (f"--chain-spec={spec or place / 'spec.json'}", f"--port={port}", "--host=127.0.0.1", "--build-block-mode=Manual")
    options += ("--mock-signature-host",)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            "node", str(program), *options, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        await _until_ready(process, url, log)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + READY_WITHIN_S
    while loop.time() < give_up_at and process.returncode is None:
        with contextlib.suppress(OSError, ValueError):
            if "result" in await asyncio.to_thread(_call, url, "system_health"):
                return
        await asyncio.sleep(0.1)
    raise AssertionError(f"chopsticks did not get ready; its log ends with:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def call(url: str, method: str, *params: Any) -> Any:
    """One call of a method that ours has no use for, such as `dev_newBlock`; raises AssertionError where it fails."""
    answer = await asyncio.to_thread(_call, url, method, *params)
    assert "result" in answer, answer
    return answer["result"]


def _call(url: str, method: str, *params: Any) -> Any:
    return json.loads(raw(url, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()))


def raw(url: str, body: bytes) -> bytes:
    """What it answers to that body."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answered: bytes = answer.read()
    return answered

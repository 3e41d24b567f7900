"""A program run to its end: its input given, its output bounded, and nothing of its process group left behind, whatever ends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE_S = 2.0
"""How long it may take to end after SIGTERM."""
MOST_WORDS_BYTES = 4096
"""How much is kept of the end of its standard error."""


class TooMuchOutput(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class Ended:
    """code: as the process gave it, negative for a signal. words: the end of its standard error."""

    code: int
    output: bytes
    words: str


def located(program: str) -> str | None:
    """Its whole path, by its name or a path of its own; None where it is not here, or may not be run."""
    found = shutil.which(str(Path(program).expanduser()) if program.startswith("~/") else program)
    return str(Path(found).absolute()) if found else None


async def run(command: Sequence[str], *, given: bytes, environment: Mapping[str, str], folder: Path, most_bytes: int) -> Ended:
    """Without a shell, in a session and so a process group of its own. Raises OSError where it cannot be started, and TooMuchOutput."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=dict(environment), start_new_session=True
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        feeding = _feed(process.stdin, given)
        output, words, _ = await asyncio.gather(_all_of(process.stdout, most_bytes), _end_of(process.stderr), feeding)
        return Ended(await process.wait(), output, words)
    finally:
        await _to_its_end(process)


async def _feed(pipe: asyncio.StreamWriter, given: bytes) -> None:
    with suppress(ConnectionError):
        pipe.write(given)
        await pipe.drain()
    pipe.close()


async def _all_of(pipe: asyncio.StreamReader, most_bytes: int) -> bytes:
    found = bytearray()
    while piece := await pipe.read(65536):
        found += piece
        if len(found) > most_bytes:
            raise TooMuchOutput
    return bytes(found)


async def _end_of(pipe: asyncio.StreamReader) -> str:
    found = b""
    while piece := await pipe.read(65536):
        found = (found + piece)[-MOST_WORDS_BYTES:]
    return found.decode("utf-8", "replace")


async def _to_its_end(process: asyncio.subprocess.Process) -> None:
    """End the whole group, also where this task is cancelled meanwhile; the cancellation comes after."""
    ending = asyncio.ensure_future(_end(process))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await asyncio.wait([ending])
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        await _exited(process)
    _signal(process.pid, signal.SIGKILL)
    await _exited(process)


async def _exited(process: asyncio.subprocess.Process) -> None:
    """Within the grace; what left the group may hold its pipes open for longer, and is not waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            await process.wait()


def _signal(group: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)

"""Does what a page of the documentation says, as a newcomer would: writes its files, types its commands, looks for what it promises.

Fenced blocks that count, by the words after the language:

- `file=PATH` is written, `append=PATH` is added to a file, in the folder of the tutorial.
- `console`: each line that begins with `$ ` is typed in a shell; each line below it must be in what it printed, blanks aside, its parts
  between `…` in this order. `exit=N`: the last command ends with N, and not with 0. `until`: the commands are typed again until all that
  is promised is there. `background`: it goes on running; what it promises is waited for. `stop`: what was started by that command is
  ended with Ctrl-C.

Everything else is for the reader alone. Ports that a page names are replaced by free ones, so that pages can run side by side.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import gizzi

SRC = Path(gizzi.__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
PORT = re.compile(r"\b(?:8080|9099|9000)\b")
COMMAND_S, PATIENCE_S = 120, 240
PROGRAMS = {"gizzi": "-P -m gizzi", "pytest": "-P -m pytest -p no:cacheprovider", "python": ""}
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "CLAUDECODE")


@dataclass(frozen=True, slots=True)
class Block:
    """words: those after the fence, the language first. section: the heading above."""

    line: int
    section: str
    words: tuple[str, ...]
    text: str

    def value(self, name: str) -> str | None:
        """Of `name=value` among its words."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def blocks(page: str) -> Iterator[Block]:
    for match in FENCE.finditer(page):
        heads = re.findall(r"^## (.*)$", FENCE.sub("", page[: match.start()]), re.MULTILINE)
        lines = [line.removeprefix(match["indent"]) for line in match["text"].splitlines()]
        words = tuple(match["kind"].split())
        yield Block(page[: match.start()].count("\n") + 1, heads[-1] if heads else "", words, "".join(f"{line}\n" for line in lines))


def typed(block: Block) -> list[tuple[str, list[str]]]:
    """(command, what it promises) of a console block."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def missing(promised: Sequence[str], said: str) -> list[str]:
    """The lines that are not in it."""
    flat = " ".join(said.split())
    return [line for line in promised if not re.search(".*?".join(re.escape(" ".join(part.split())) for part in line.split("…")), flat)]


class Newcomer:
    """Works through one page in an empty folder. Close it: what it started ends."""

    def __init__(self, folder: Path, free_port: Callable[[], int]) -> None:
        self.folder = folder / "tutorial"
        self.folder.mkdir()
        self._ports: dict[str, str] = {}
        self._free_port = free_port
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._bin = folder / "bin"
        self._bin.mkdir()
        for name, words in PROGRAMS.items():
            (self._bin / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
            (self._bin / name).chmod(0o755)
        self._environment = {name: value for name, value in os.environ.items() if name not in KEYS and not name.startswith("GIZZI_")}
        self._environment |= {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(SRC),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",
            "GIZZI_API__LISTEN": f"127.0.0.1:{self._port('8080')}",
        }

    def _port(self, named: str) -> str:
        if named not in self._ports:
            self._ports[named] = str(self._free_port())
        return self._ports[named]

    def _placed(self, text: str) -> str:
        return PORT.sub(lambda found: self._port(found[0]), text)

    def work_through(self, page: str) -> None:
        for block in blocks(page):
            self.do(block)

    def do(self, block: Block) -> None:
        """Fails with the line of the page and what was said."""
        for name, mode in (("file", "w"), ("append", "a")):
            if path := block.value(name):
                file = self.folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open(mode, encoding="utf-8") as written:
                    written.write(self._placed(block.text))
        if block.words[:1] != ("console",):
            return
        commands = typed(block)
        if "background" in block.words:
            self._start(block, *commands[0])
        elif "stop" in block.words:
            self._end(self._running.pop(commands[0][0]))
        else:
            self._type(block, commands)

    def _type(self, block: Block, commands: list[tuple[str, list[str]]]) -> None:
        give_up_at = time.monotonic() + (PATIENCE_S if "until" in block.words else 0)
        while True:
            faults = []
            for command, promised in commands:
                ended = self._run(command)
                said = ended.stdout + ended.stderr
                wanted = int(block.value("exit") or 0) if command == commands[-1][0] else 0
                absent = missing([self._placed(line) for line in promised], said)
                if absent or ended.returncode != wanted:
                    faults.append(f"line {block.line}: `{command}` ended with {ended.returncode}, without {absent}; it said:\n{said}")
            if not faults:
                return
            if time.monotonic() >= give_up_at:
                raise AssertionError("\n".join(faults))
            time.sleep(1)

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-c", self._placed(command)]
        return subprocess.run(
            shell, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL
        )

    def _start(self, block: Block, command: str, promised: list[str]) -> None:
        log = self.folder.parent / f"background-{len(self._running)}-{block.line}"
        with log.open("wb") as output:
            self._running[command] = subprocess.Popen(
                ["bash", "-c", f"exec {self._placed(command)}"],
                cwd=self.folder,
                env=self._environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        give_up_at = time.monotonic() + PATIENCE_S
        while absent := missing(promised, log.read_text(errors="replace")):
            ended = self._running[command].poll()
            assert ended is None and time.monotonic() < give_up_at, f"line {block.line}: `{command}` without {absent}: {log.read_text()}"
            time.sleep(0.1)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        for process in self._running.values():
            self._end(process)

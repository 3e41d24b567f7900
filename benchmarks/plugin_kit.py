"""What a newcomer writes for one plugin of each kind, and how long its commands take: the tutorial, worked through from an empty folder.

lines: not blank, of the plugin itself and of its test; what `gizzi plugin new` writes is not counted. seconds: of all commands of that
part of the tutorial, its test and its first use included; reading and typing are not measured. edited: files of Gizzi's that changed.
"""

from __future__ import annotations

import hashlib
import socket
import tempfile
import time
from pathlib import Path

from _live import ROOT, finish

from tools.tutorial import SRC, Block, Newcomer, blocks

PAGE = ROOT / "docs" / "tutorial-plugin.md"
SECTIONS = {
    "A rule": "rule",
    "A source": "source",
    "An action": "action",
    "A panel": "panel",
    "A notifier": "notifier",
    "A strategy": "strategy",
    "A workflow": "workflow",
    "A task, and a role that has it": "task and role",
    "A model, its provider, and a wire": "wire and model",
}
MOST_LINES = 30
STAND_IN = "parrot_server.py"
"""The server that the tutorial plays with; it is no part of the plugin."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hashes() -> dict[Path, str]:
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in SRC.rglob("*") if file.is_file() and file.suffix != ".pyc"}


def lines(found: list[Block], *, tests: bool) -> int:
    """Not blank, of what the newcomer types into files."""
    files = [(block, block.value("file") or block.value("append")) for block in found]
    mine = [block.text for block, file in files if file and file != STAND_IN and Path(file).name.startswith("test_") == tests]
    return sum(bool(line.strip()) for text in mine for line in text.splitlines())


def main() -> None:
    figures: dict[str, dict[str, float]] = {}
    before = hashes()
    with tempfile.TemporaryDirectory() as folder:
        newcomer = Newcomer(Path(folder), free_port)
        try:
            parts: dict[str, list[Block]] = {}
            for block in blocks(PAGE.read_text(encoding="utf-8")):
                parts.setdefault(block.section, []).append(block)
            for section, found in parts.items():
                began = time.perf_counter()
                for block in found:
                    newcomer.do(block)
                if section in SECTIONS:
                    seconds = round(time.perf_counter() - began, 1)
                    figures[SECTIONS[section]] = {
                        "lines": lines(found, tests=False),
                        "test_lines": lines(found, tests=True),
                        "seconds": seconds,
                    }
        finally:
            newcomer.close()
    after = hashes()
    edited = sum(before.get(file) != after.get(file) for file in before | after)
    ok = edited == 0 and set(figures) == set(SECTIONS.values()) and all(kind["lines"] <= MOST_LINES for kind in figures.values())
    minutes = round(sum(kind["seconds"] for kind in figures.values()) / 60, 2)
    finish({"benchmark": "plugin_kit", "kinds": figures, "minutes": minutes, "edited": edited, "most_lines": MOST_LINES, "ok": ok})


if __name__ == "__main__":
    main()

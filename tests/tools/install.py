"""Fetches or builds what tests marked `real` take from package registries: `python tests/tools/install.py chopsticks llama`, for example.

What is there already is left alone. The standard library is all it needs of Python; each module says what else, and how much it fetches.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

NAMES = ("chopsticks", "claude_code", "llama", "public_logs", "runtimes")


if __name__ == "__main__":
    wanted = sys.argv[1:]
    if not wanted or not set(wanted) <= set(NAMES):
        sys.exit(f"{__doc__}\nIts names: {', '.join(NAMES)}")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    for name in wanted:
        module = import_module(f"tools.{name}")
        module.install()
        print(module.folder())

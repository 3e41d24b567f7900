"""Makes the parts of the documentation that come from the code: the reference and the pictures.

`python docs/build.py` writes them (`make docs`); `python docs/build.py --check` exits with 1 and names those that are stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from generate.commands import commands_page  # noqa: E402
from generate.configuration import configuration_page  # noqa: E402
from generate.decisions import decisions_page  # noqa: E402
from generate.extending import extending_page  # noqa: E402
from generate.markdown import Undocumented  # noqa: E402
from generate.observations import observations_page  # noqa: E402
from generate.pictures import pictures  # noqa: E402
from generate.python_api import python_page  # noqa: E402
from generate.rest import objects_page, rest_page  # noqa: E402
from generate.routing import routing_page  # noqa: E402
from generate.rules import rules_page  # noqa: E402
from generate.scenarios import scenarios_page  # noqa: E402


def generated() -> dict[str, str]:
    """Every generated file, by its path inside docs/, and what it should hold."""
    return {
        "reference/commands.md": commands_page(),
        "reference/configuration.md": configuration_page(),
        "reference/rules.md": rules_page(),
        "reference/observations.md": observations_page(),
        "reference/decisions.md": decisions_page(),
        "reference/rest.md": rest_page(),
        "reference/objects.md": objects_page(),
        "reference/scenarios.md": scenarios_page(),
        "reference/python.md": python_page(),
        "reference/extending.md": extending_page(),
        "explanation/routing.md": routing_page(),
        **pictures(),
    }


def stale() -> list[str]:
    """The files that are missing, or hold something else than they should."""
    found = []
    for name, text in generated().items():
        file = DOCS / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            found.append(name)
    return found


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        old = stale()
        for name in old:
            print(f"docs/{name} is stale; run `make docs`", file=sys.stderr)
        return 1 if old else 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    for name, text in generated().items():
        file = DOCS / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Undocumented as error:
        sys.exit(str(error))

"""The house rules that a test can hold: imports go down only, one reader of the environment, no swallowed exceptions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "gizzi"
FILES = sorted(SRC.rglob("*.py"))

LAYERS: list[set[str]] = [
    {"errors", "clock"},
    {"readers"},
    {"sections"},
    {"config"},
    {"kinds", "store", "procedure"},
    {"kinds", "now", "store"},
    {"marks"},
    {"registry"},
    {"fleet"},
    {"alerts", "guard", "reach", "analysis"},
    {"__init__"},
    {"sources", "actions", "notifiers", "tasks", "workflows", "panels"},
    {"models"},
    {"memory", "roles", "consensus_day"},
    {"engine"},
    {"app"},
    {"sim", "serving", "screen"},
    {"api", "web", "tui", "mcp"},
    {"daemon", "mcp_process", "live_screen"},
    {"cli"},
    {"__main__"},
]
"""From the ground up: a module may import those of lower layers and of its own package."""
FACES = {"cli", "api", "web", "tui", "mcp"}
BROAD_EXCEPT = {"clock.py", "engine/collect.py", "alerts/book.py", "kinds.py", "registry.py", "api/errors.py", "cli/__init__.py"}
"""The collect call, the plugin call, the HTTP handler, and the last line before a person's terminal; clock.py passes on what it catches."""


def part(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if name in names)


def own_imports(tree: ast.AST) -> list[tuple[str, ast.AST]]:
    """(part of gizzi, node) for each import of our own package; `from gizzi import x` counts as x where x is a part."""
    found: list[tuple[str, ast.AST]] = []
    parts = {name for names in LAYERS for name in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [([*alias.name.split("."), "__init__"][1], node) for alias in node.names if alias.name.split(".")[0] == "gizzi"]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gizzi":
            words = node.module.split(".")
            if len(words) > 1:
                found.append((words[1], node))
            else:
                found += [(alias.name if alias.name in parts else "__init__", node) for alias in node.names]
    return found


def type_checking_nodes(tree: ast.AST) -> set[ast.AST]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return {inner for block in blocks for inner in ast.walk(block)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_down_only(path: Path) -> None:
    tree = ast.parse(path.read_text())
    here = part(path)
    for name, node in own_imports(tree):
        if name == here or node in type_checking_nodes(tree):
            continue
        line = getattr(node, "lineno", 0)
        if here in FACES and name in FACES:
            pytest.fail(f"{path}:{line}: the face {here} imports the face {name}; faces share the app, nothing else")
        if path.is_relative_to(SRC / "alerts" / "rules"):
            assert name in {"__init__", "readers"}, f"{path}:{line}: a built-in rule imports gizzi.{name}; plugins may not"
            continue
        if here in {"sources", "actions", "notifiers", "tasks", "workflows", "panels"}:
            assert name in {"__init__", "readers", "analysis"}, f"{path}:{line}: an extension imports gizzi.{name}; plugins may not"
            continue
        assert layer(name) < layer(here), f"{path}:{line}: {here} imports {name}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_only_config_reads_the_environment(path: Path) -> None:
    if path.name == "config.py" and path.parent == SRC:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        words = ast.unparse(node) if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        line = getattr(node, "lineno", 0)
        assert words not in {"os.environ", "os.getenv", "environ", "getenv", "getpass.getuser"}, f"{path}:{line} reads the environment"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_broad_excepts_stand_at_their_three_places(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            names = ast.unparse(node.type) if node.type else "everything"
            broad = node.type is None or names in {"Exception", "BaseException"}
            assert not broad or str(path.relative_to(SRC)) in BROAD_EXCEPT, f"{path}:{node.lineno} catches {names}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_own_modules_are_imported_at_the_top(path: Path) -> None:
    if part(path) == "cli":
        return
    tree = ast.parse(path.read_text())
    top = set(tree.body) | type_checking_nodes(tree)
    for name, node in own_imports(tree):
        assert node in top, f"{path}:{getattr(node, 'lineno', 0)} imports gizzi.{name} inside a function"


@pytest.mark.parametrize(
    "path", [p for p in FILES if part(p) in {"fleet", "alerts", "guard", "analysis"}], ids=lambda p: str(p.relative_to(SRC))
)
def test_the_core_is_pure(path: Path) -> None:
    tree = ast.parse(path.read_text())
    forbidden = {"asyncio", "socket", "time", "random", "os", "subprocess", "aiohttp", "sqlalchemy", "asyncssh", "pathlib"}
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Await | ast.AsyncFunctionDef), f"{path}:{node.lineno} awaits"
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] not in forbidden, f"{path} imports {name}"


def test_no_file_is_two_rooms() -> None:
    long = {str(p.relative_to(SRC)): n for p in FILES if (n := len(p.read_text().splitlines())) > 400}
    assert not long

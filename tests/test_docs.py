"""The documentation says everything that is there, nothing that is not, and its examples work."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import gizzi
from gizzi import registry
from gizzi.cli.commands import program
from gizzi.cli.plugins import KINDS as PLUGIN_KINDS
from gizzi.config import Settings, parse
from gizzi.engine.reflex import CONDITIONS
from gizzi.fleet.names import OBSERVATIONS
from gizzi.sim.faults import KINDS
from gizzi.sim.runner import run_scenario

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import build  # type: ignore[import-not-found]  # noqa: E402
from generate import configuration, markdown, rest, scenarios  # type: ignore[import-not-found]  # noqa: E402
from generate.commands import arguments_of, options_of  # type: ignore[import-not-found]  # noqa: E402
from generate.commands import commands as every_command  # type: ignore[import-not-found]  # noqa: E402

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


# What there is, and the reference


def test_the_generated_parts_are_up_to_date() -> None:
    assert build.stale() == [], "run `make docs`"


def test_every_command_and_option_is_documented() -> None:
    page = reference("commands.md")
    parts = dict(zip(*[iter(re.split(r"^## (.*)$", page, flags=re.MULTILINE)[1:])] * 2, strict=True))
    missing = []
    assert {"gizzi costs", "gizzi costs project"} <= {path for path, _ in every_command()}, "a group that has options too"
    for path, command in every_command():
        text = parts.get(path, "")
        words = [path, *(a.metavar or a.name for a in arguments_of(command)), *(word for o in options_of(command) for word in o.opts)]
        missing += [f"{path}: {word}" for word in words if word not in text]
        silent = [command, *(p for p in command.params if p.name != "help" and not p.hidden)]
        missing += [f"{path} {item.name}: it has no help text" for item in silent if not item.help]
    assert missing == []


def test_every_configuration_key_is_documented() -> None:
    page = reference("configuration.md")
    missing = []
    for section in configuration.sections():
        rows = page.partition(f"## {section.title}\n")[2].partition("\n## ")[0]
        missing += [f"{section.title} {key}" for key, field in section.entries() if f"| `{key}` |" not in rows or not field.description]
    assert missing == []
    known = {section.name for section in configuration.sections()}
    assert {name for name, field in Settings.model_fields.items() if not field.exclude} <= known | {"rules"}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("rules.md", lambda: [f"### {rule.name}\n\n{rule.summary}\n" for rule in _built_in().rules]),
        ("rules.md", lambda: [f"`{limit} = " for rule in _built_in().rules for limit in rule.limits]),
        ("observations.md", lambda: [f"### {source.name}\n\n{source.summary}" for source in _built_in().sources]),
        ("observations.md", lambda: [f'id="{name}"' for name in OBSERVATIONS]),
        ("observations.md", lambda: [f'id="{name}"' for source in _built_in().sources for name in source.gives]),
        ("scenarios.md", lambda: [f'id="{kind}"></a>`{kind}` | {about.meaning}' for kind, about in KINDS.items()]),
        ("scenarios.md", lambda: [f"`{parameter}`" for about in KINDS.values() for parameter in about.parameters]),
        ("scenarios.md", lambda: [f"| `{key}` |" for title in scenarios.TABLES for key in scenarios.keys_of(title)]),
        ("scenarios.md", lambda: [option for option, _ in scenarios.simulator_options()]),
        ("rest.md", lambda: [f"## {method} {path}\n" for method, path, _ in rest.routes()]),
        ("objects.md", lambda: [f"## {name}\n" for name in rest.object_names()]),
        ("decisions.md", lambda: [f"| `{name}` |" for name in CONDITIONS]),
        ("python.md", lambda: [f"## {name}\n" for name in gizzi.__all__]),
        ("extending.md", lambda: [f"## {kind}\n\n```python\n@{kind}(" for kind in PLUGIN_KINDS]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_everything_there_is_is_in_the_reference(page: str, words: Callable[[], list[str]]) -> None:
    text = reference(page)
    found = words()
    assert found
    assert [word for word in found if word not in text] == []


def test_every_rule_says_what_it_means() -> None:
    loaded = _built_in()
    assert [item.where for item in (*loaded.rules, *loaded.sources) if not item.summary] == []


def _built_in() -> registry.Registry:
    return registry.load(Settings.model_validate({"plugins": {"folder": "/nonexistent"}}))


# Examples


@dataclass(frozen=True)
class Block:
    """A fenced block: the page, the line it begins on, the words after the fence, the text without its indentation."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match["kind"].strip() == kind:
                lines = [line.removeprefix(match["indent"]) for line in match["text"].splitlines()]
                yield Block(page, text[: match.start()].count("\n") + 1, kind, "\n".join(lines) + "\n")


def commands() -> list[tuple[Block, str]]:
    """Every `gizzi …` line of the shell examples, and of those with a prompt."""
    lines = [(block, line.partition("  #")[0].strip()) for block in blocks("sh") for line in block.text.splitlines()]
    consoles = [block for words in ("console", "console background", "console until") for block in blocks(words)]
    lines += [(block, line[2:].strip()) for block in consoles for line in block.text.splitlines() if line.startswith("$ ")]
    pieces = [(block, re.sub(r">+ *\S+$", "", piece).strip()) for block, line in lines for piece in re.split(r"&&|\|\|?", line)]
    return [(block, piece) for block, piece in pieces if re.match(r"(\S*/)?gizzi ", piece.removeprefix("sudo -u gizzi "))]


def test_every_command_line_is_one_that_gizzi_takes() -> None:
    found = commands()
    assert len(found) > 20
    for block, line in found:
        words = shlex.split(line.removeprefix("sudo -u gizzi "))[1:]
        try:
            _parse(words)
        except Exception as error:
            pytest.fail(f"{block}: `{line}` is not accepted: {error}")


def _parse(words: list[str]) -> None:
    """Read a command line as the program would, without running it."""
    command: Any = program()
    context = command.make_context("gizzi", list(words))
    while getattr(command, "commands", None) and (left := [*context._protected_args, *context.args]):
        name, command, words = command.resolve_command(context, left)
        context = command.make_context(name, list(words), parent=context)


@pytest.mark.parametrize("block", list(blocks("toml gizzi.toml")), ids=str)
def test_every_configuration_example_loads(block: Block) -> None:
    settings = parse(tomllib.loads(block.text), str(block))
    registry.load(settings.model_copy(update={"plugins": settings.plugins.model_copy(update={"folder": "/nonexistent"})}))


@pytest.mark.parametrize("block", list(blocks("toml scenario.toml")), ids=str)
def test_every_scenario_example_passes(block: Block, tmp_path: Path) -> None:
    (tmp_path / "scenario.toml").write_text(block.text, encoding="utf-8")
    assert run_scenario(tmp_path)["failures"] == []


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("python runnable")}), ids=lambda page: page.stem)
def test_python_examples_run(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The snippets of a page run one after the other in one namespace."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": f"docs_{page.stem}"}
    for block in blocks("python runnable"):
        if block.page == page:
            exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)  # noqa: S102


# Links


LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")


def links(page: Path) -> Iterator[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for match in LINK.finditer(text):
        target = match[1] or match[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    heads = [re.sub(r"[`*]|\]\([^)]*\)|\[(?=[^\]]*\]\()", "", head) for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {markdown.slug(head) for head in heads} | set(re.findall(r'id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        found = file.exists() and file.is_relative_to(ROOT)
        if not found or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen and page.suffix == ".md" and page.is_file():
            seen.add(page)
            todo += [(page.parent / target.partition("#")[0]).resolve() for target in links(page) if target.partition("#")[0]]
    assert set(PAGES) - seen == set()

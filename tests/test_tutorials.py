"""A newcomer who does what the tutorials say sees what they promise. See tools/tutorial.py for how a page is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import need
from gizzi.cli.plugins import KINDS
from tools.tutorial import SRC, Block, Newcomer, blocks, missing, typed

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def newcomer(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Newcomer]:
    person = Newcomer(tmp_path, free_port)
    yield person
    person.close()


@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["tutorial", "tutorial-role", "tutorial-plugin"])
def test_what_it_says_happens(name: str, newcomer: Newcomer) -> None:
    need("bash", "curl")
    before = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(SRC.rglob("*.py")))).digest()
    newcomer.work_through(page(name))
    after = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(SRC.rglob("*.py")))).digest()
    assert before == after, "no file of Gizzi's was edited"


def test_the_plugin_tutorial_has_one_of_each_kind() -> None:
    text = "".join(block.text for block in blocks(page("tutorial-plugin")))
    assert [kind for kind in KINDS if f"@{kind}(" not in text and f"plugin new {kind} " not in text] == []
    assert "tutorial-plugin.md" in page("README") and "tutorial-role.md" in page("README")


def test_a_promise_that_is_not_kept_is_told(newcomer: Newcomer) -> None:
    (newcomer.folder / "there").touch()
    newcomer.do(Block(1, "", ("console",), "$ ls\nthere\n"))
    for words, text, fault in (
        (("console",), "$ ls\nnot there\n", "without \\['not there'\\]"),
        (("console",), "$ ls; exit 3\nthere\n", "ended with 3"),
        (("console", "exit=1"), "$ ls\nthere\n", "ended with 0"),
        (("console", "background"), "$ ls\nnot there\n", "without"),
    ):
        with pytest.raises(AssertionError, match=fault):
            newcomer.do(Block(1, "", words, text))


def test_how_a_page_is_read() -> None:
    (block,) = blocks("# A page\n\n## One\n\n  ```console until exit=2\n  $ a  b\n  x\n\n  $ c\n  ```\n")
    assert (block.line, block.section, block.value("exit")) == (5, "One", "2")
    assert typed(block) == [("a  b", ["x"]), ("c", [])]
    assert missing(["a … c", "c … a", "b   d"], "a\nb\td c") == ["c … a"]

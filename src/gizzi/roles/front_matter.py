"""The head of a Markdown file, between two lines of `---`: the part of YAML that roles need, read strictly.

`key: text`, `key: [a, b]`, a list of `- text` lines or a table of `key: text` lines below a key, quoted text, comments. Anything else of
YAML (anchors, types, nesting, text over several lines) is an error that names the line, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Head = dict[str, "str | list[str] | dict[str, str]"]

LONGEST_BYTES = 64 * 1024
_FENCE = "---"
_PAIR = re.compile(r"([A-Za-z_][\w-]{0,63}):(?:[ \t]+(.*))?")
_NOT_OURS = ("&", "*", "!", "|", ">", "{", "%", "@", "`", "? ")


class BadFrontMatter(ValueError):
    """The text says which line and why."""


def split(text: str) -> tuple[Head, str]:
    """(the head, the body without surrounding blank lines). Raises BadFrontMatter."""
    if len(text.encode("utf-8", "replace")) > LONGEST_BYTES:
        raise BadFrontMatter(f"it is longer than {LONGEST_BYTES // 1024} KB")
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != _FENCE:
        raise BadFrontMatter("line 1: it must begin with a line of ---, followed by keys such as `name: on-call`")
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise BadFrontMatter("the line of --- that ends the keys is missing")
    return _head(lines[1:end]), "\n".join(lines[end + 1 :]).strip()


def _head(lines: list[str]) -> Head:
    head: Head = {}
    open_key = ""
    for number, line in _told(lines):
        indented = line[0] in " \t-"
        if not indented:
            open_key, value = _pair(line, number)
            if open_key in head:
                raise BadFrontMatter(f"line {number}: {open_key} is given twice")
            head[open_key] = _value(value, number)
        elif not open_key or head[open_key] in ("", None) or isinstance(head[open_key], list | dict):
            head[open_key] = _more(head.get(open_key) or None, line.strip(), number)
        else:
            raise BadFrontMatter(f"line {number}: {open_key} already has a value; text goes on one line")
    return head


def _told(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their number in the file."""
    for number, line in enumerate(lines, 2):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.rstrip()


def _pair(line: str, number: int) -> tuple[str, str]:
    match = _PAIR.fullmatch(line)
    if match is None:
        raise BadFrontMatter(f"line {number}: {line[:60]!r} is not `key: value`")
    return match[1], (match[2] or "").strip()


def _value(text: str, number: int) -> str | list[str]:
    if not text.startswith("["):
        return _scalar(text, number)
    if not text.endswith("]"):
        raise BadFrontMatter(f"line {number}: the list that begins with [ does not end with ]")
    return [_scalar(item.strip(), number) for item in text[1:-1].split(",") if item.strip()]


def _more(before: object, line: str, number: int) -> list[str] | dict[str, str]:
    """A line below a key: an item of its list, or a row of its table."""
    if line.startswith("- ") and not isinstance(before, dict):
        return [*(before if isinstance(before, list) else []), _scalar(line[2:].strip(), number)]
    if line.startswith("-") or isinstance(before, list):
        raise BadFrontMatter(f"line {number}: {line[:60]!r} is neither an item `- text` nor of the same kind as the line before")
    key, value = _pair(line, number)
    rows: dict[str, str] = dict(before) if isinstance(before, dict) else {}
    if key in rows:
        raise BadFrontMatter(f"line {number}: {key} is given twice")
    rows[key] = _scalar(value, number)
    return rows


def _scalar(text: str, number: int) -> str:
    if text[:1] in ("'", '"'):
        if len(text) < 2 or text[-1] != text[0] or text[0] in text[1:-1] or "\\" in text:
            raise BadFrontMatter(
                f"line {number}: the quoted text {text[:40]!r} does not end where the line does, or holds quotes of its own"
            )
        return text[1:-1]
    if text.startswith(_NOT_OURS) or ": " in text:
        raise BadFrontMatter(f"line {number}: put quotes around {text[:40]!r}")
    return text.partition(" #")[0].rstrip()

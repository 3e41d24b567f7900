"""Small pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

NOTE = "<!-- Made by `make docs` from the code. Edit the code, not this page. -->\n"


class Undocumented(Exception):
    """Something is in the code, and nothing says what it means."""


def meaning_of(name: str, texts: Mapping[str, str], where: str) -> str:
    """Its text in a table of hand-written ones. Raises Undocumented, which says where to add it."""
    if name not in texts:
        raise Undocumented(f"nothing says what {name} means; add it to {where}")
    return texts[name]


def page(title: str, *parts: str) -> str:
    """A generated page: its title, then its parts with an empty line between them."""
    return NOTE + "\n" + join(f"# {title}", *parts) + "\n"


def join(*parts: str) -> str:
    """Those that are not empty, with an empty line between them."""
    return "\n\n".join(part.strip() for part in parts if part.strip())


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, or nothing where there are no rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines])


def cell(value: object) -> str:
    """What may stand in a table's cell: one line, its pipes escaped, and what looks like HTML too, apart from our own anchors."""
    parts = " ".join(str(value).split()).replace("|", "\\|").split("`")
    parts[::2] = [part if part.startswith("<a id=") else part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def code(value: object) -> str:
    return f"`{value}`"


def codes(values: Iterable[object]) -> str:
    return ", ".join(map(code, values))


def links(names: Iterable[str], file: str = "") -> str:
    """Names as links to the headings of the same name in a page."""
    return ", ".join(f"[`{name}`]({file}#{slug(name)})" for name in names)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def sentence(text: str) -> str:
    """With a capital letter first and a full stop at the end."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".") if text else ""


def number(value: object) -> str:
    """As a person writes it in gizzi.toml: 40 for 40.0, 10000 for 10_000."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def written(duration_s: float) -> str:
    """A duration as gizzi.toml takes it: 5s, 2m, 1h."""
    for unit, length_s in (("h", 3600), ("m", 60)):
        if duration_s >= length_s and duration_s % length_s == 0:
            return f"{duration_s / length_s:g}{unit}"
    return f"{duration_s:g}s"

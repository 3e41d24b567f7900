"""Text from outside, made fit for one line of a message."""

from __future__ import annotations


def one_line(text: str, limit: int = 200) -> str:
    """The beginning of `text` with everything unprintable (control characters, line ends, lone surrogates) as a space, blanks joined."""
    shown = text[: limit * 2]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else " " for c in shown)
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit and len(text) <= limit * 2 else shown[: limit - 1].rstrip() + "…"

"""Text from outside, made fit for one line of a message."""

from __future__ import annotations

import re

_LOOKALIKES = str.maketrans({"<": "‹", ">": "›", "@": "＠", "`": "'", "*": "∗", "~": "∼", "|": "¦", "[": "(", "]": ")", "\\": "∖"})
_LINK = re.compile(r"(?i)(?<=\w)(:)(?=//)|(?<=[\w-])(\.)(?=[^\W\d_]{2})|(mailto|tel|data|javascript)(:)")


def one_line(text: str, limit: int = 200) -> str:
    """The beginning of `text` with everything unprintable (control characters, line ends, lone surrogates) as a space, blanks joined."""
    shown = text[: limit * 2]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else " " for c in shown)
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit and len(text) <= limit * 2 else shown[: limit - 1].rstrip() + "…"


def harmless(text: str, limit: int = 200) -> str:
    """One line that no channel takes for a link, a call of somebody's name, or markup: for messages to people.

    Characters that mean something there are replaced by others that look alike, and the dots and colons of addresses are put in
    parentheses, `evil(.)example`. So what a log says can be read, and does nothing.
    """
    shown = one_line(text, limit).translate(_LOOKALIKES)
    return _LINK.sub(lambda found: f"{found[3] or ''}({found[1] or found[2] or found[4]})", shown)

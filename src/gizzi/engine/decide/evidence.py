"""What was observed while an incident was thought about, by observation id: what citations are checked against."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_TEXTS = 500
"""Of one observation: the alert's, the status's, each line of a log."""


class Evidence:
    """An id may have several texts (as the alert saw it, as it is now); a quote must occur in one of them."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}

    def add(self, observation: str, text: str) -> None:
        texts = self._texts.setdefault(observation, [])
        flat = _flat(text)
        if flat not in texts and len(texts) < MOST_TEXTS:
            texts.append(flat)

    def holds(self, observation: str, quote: str) -> bool:
        """Whether these words, whole, stand in what was observed under that id. Only blanks may differ; "1" is not in "12" or "1.5"."""
        wanted = _flat(quote)
        return bool(wanted) and any(_occurs(wanted, text) for text in self._texts.get(observation, ()))

    def __contains__(self, observation: object) -> bool:
        return observation in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def texts(self, observation: str) -> tuple[str, ...]:
        return tuple(self._texts.get(observation, ()))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _occurs(quote: str, text: str) -> bool:
    """Neither end of the quote may cut a word or a number in two."""
    if quote not in text:
        return False
    before = r"(?<!\w)(?<!\d\.)" if quote[0].isalnum() or quote[0] == "_" else ""
    after = r"(?!\w)(?!\.\d)" if quote[-1].isalnum() or quote[-1] == "_" else ""
    return re.search(before + re.escape(quote) + after, text) is not None

"""The fleet as a grid, drawn once however many look: a thousand cells would hold up the loop for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from gizzi.web.shown import SIGN, line, number

LARGE, MEDIUM = 30, 150
"""Up to how many validators are drawn so."""
Status = Mapping[str, Any]


class Grid:
    """Remembers what it drew last."""

    def __init__(self) -> None:
        self._of: Sequence[Status] = ()
        self._drawn: list[dict[str, Any]] = []

    def drawn(self, statuses: Sequence[Status]) -> list[dict[str, Any]]:
        """By chain, each in order of number: {"chain", "list"}."""
        if statuses is not self._of:
            cell = _large if len(statuses) <= LARGE else _small
            size = "large" if len(statuses) <= LARGE else "medium" if len(statuses) <= MEDIUM else "small"
            chains: dict[str, list[str]] = {}
            for status in statuses:
                chains.setdefault(status["chain"], []).append(cell(status))
            whole = {chain: Markup(f'<ul class="fleet {size}">{"".join(cells)}</ul>') for chain, cells in chains.items()}
            self._drawn = [{"chain": chain, "list": drawn} for chain, drawn in whole.items()]
            self._of = statuses
        return self._drawn


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    """Escaped, so it may stand in a page and in an attribute."""
    return str(escape(line(name, 40)))


def _sign(health: str) -> str:
    return f'<i class="sign" aria-hidden="true">{SIGN[health]}</i>'


def _small(status: Status) -> str:
    """A number; its name and health for who points at it or listens."""
    one, health = status["number"], status["health"]
    told = f"{one} {_name(status['name'])}: {health}"
    sign = "" if health == "healthy" else _sign(health)
    link = f'<a id="v{one}" class="{health}" href="/validators/{one}" title="{told}" aria-label="{told}">'
    return f"<li>{link}<b>{one}</b>{sign}</a></li>"


def _peers(many: int | None) -> str:
    return f"{number(many)} peer{'' if many == 1 else 's'}"


def _large(status: Status) -> str:
    one, health = status["number"], status["health"]
    facts = f"{number(status['block_height'])} · lag {number(status['finalization_lag'])} · {_peers(status['peers'])}"
    if status["block_height"] is None and status["peers"] is None:
        facts = "nothing is seen of it"
    return (
        f'<li><a id="v{one}" class="{health}" href="/validators/{one}"><b>{one}</b>{_sign(health)}'
        f'<span class="name">{_name(status["name"])}</span><span class="visually-hidden">{health}</span>'
        f'<span class="facts">{escape(facts)}</span></a></li>'
    )

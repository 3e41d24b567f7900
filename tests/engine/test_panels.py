"""Panels: what they may return, and that one which fails, hangs or is hostile harms nothing but its own place."""

from __future__ import annotations

import asyncio
import json
import math
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.app import App, open_app
from gizzi.engine import panels
from gizzi.engine.panel_value import MOST_COLUMNS, MOST_POINTS, MOST_ROWS, PanelFault, value_of
from tools.fleet import served, settings_of

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner),
)


@given(ANYTHING | st.lists(st.tuples(st.floats(), st.floats())) | st.lists(st.dictionaries(st.text(), ANYTHING)))
def test_whatever_is_returned_is_json_of_one_of_four_kinds_or_a_fault(drawn: Any) -> None:
    try:
        kind, value = value_of(drawn)
    except PanelFault as fault:
        assert str(fault).isprintable()
        return
    assert kind in ("number", "text", "table", "series")
    json.dumps(value, allow_nan=False)
    texts = [value] if kind == "text" else [c for row in value["rows"] for c in row if isinstance(c, str)] if kind == "table" else []
    assert all(line.isprintable() for text in texts for line in text.split("\n"))


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        (3, ("number", 3)),
        (Decimal("0.5"), ("number", 0.5)),
        (None, ("text", "nothing is known")),
        ("a\x1b[2Jb\nc", ("text", "a (2Jb\nc".replace("(", "["))),
        ([{"a": 1, "b": "\x07x"}, {"a": None}], ("table", {"columns": ["a", "b"], "rows": [[1, "x"], ["", ""]]})),
        ([(1.0, 2), (2, 3.5)], ("series", [[1.0, 2], [2.0, 3.5]])),
        ([], ("table", {"columns": [], "rows": []})),
    ],
)
def test_the_four_kinds(drawn: Any, shown: Any) -> None:
    assert value_of(drawn) == shown


@pytest.mark.parametrize("drawn", [math.nan, True, object(), [1, 2], {"a": 1}, [(1, math.inf)], b"x"])
def test_what_is_none_of_them_is_told(drawn: Any) -> None:
    with pytest.raises(PanelFault, match="it returned"):
        value_of(drawn)


def test_large_ones_are_cut() -> None:
    table = value_of([{str(n): "x" * 9999 for n in range(99)}] * 999)[1]
    assert (len(table["columns"]), len(table["rows"])) == (MOST_COLUMNS, MOST_ROWS) and max(len(c) for c in table["rows"][0]) == 200
    assert len(value_of([(n, n) for n in range(9999)])[1]) == MOST_POINTS


async def look(app: App, name: str) -> dict[str, Any]:
    return next(panel for panel in await app.panels.shown() if panel["name"] == name)


async def test_the_built_in_ones_come_through_the_same_door() -> None:
    async with served(4) as server, open_app(settings_of(server, budget={"day_usd": 7})) as app:
        await app.look()
        await app.panels.shown()
        shown = {panel["name"]: panel for panel in await app.panels.shown()}
        assert {name: panel["error"] for name, panel in shown.items()} == dict.fromkeys(shown)
        assert shown["quorum"]["value"] == {
            "columns": ["chain", "authorities", "missing", "may be missing", "restarts left"],
            "rows": [["testnet", 4, 0, 1, 0]],
        }
        assert shown["spend"]["value"]["rows"][0] == ["today", "$0.00", "$7.00", "$7.00"]
        assert shown["memory"]["value"].startswith("0 entries, each as it was written")
        assert shown["actions_today"]["value"]["rows"] == []


PLUGIN = """
    import time
    from gizzi import panel
    calls = []

    @panel("slow")
    def slow():
        calls.append(1)
        time.sleep(30)

    @panel("broken")
    async def broken(fleet):
        raise KeyError("no\\x1b[2J")

    @panel("liar")
    def liar(store):
        return [object()]

    class Evil:
        def __str__(self): raise OSError("evil")

    @panel("evil")
    def evil():
        return [{"a": Evil()}]

    @panel("count")
    def count(fleet):
        return len(fleet.validators)
"""


async def test_one_that_fails_or_hangs_harms_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "EVERY_S", 0.0)
    (tmp_path / "p.py").write_text("\n".join(line[4:] for line in PLUGIN.splitlines()))
    async with served(4) as server, open_app(settings_of(server, plugins={"folder": str(tmp_path)})) as app:
        began = time.monotonic()
        for _ in range(3):
            shown = {panel["name"]: panel for panel in await app.panels.shown()}
        assert time.monotonic() - began < 10
        assert shown["count"]["value"] == 4 and shown["count"]["error"] is None
        assert shown["broken"]["error"] == "KeyError: 'no\\x1b[2J'" and shown["broken"]["kind"] is None
        assert shown["liar"]["error"].startswith("it returned a list")
        assert shown["evil"]["error"] == "OSError: evil"
        assert (shown["slow"]["kind"], shown["slow"]["error"]) == (None, None)
        assert app.registry.panels["slow"].draw.__globals__["calls"] == [1], "it is not called again while it runs"
        monkeypatch.setattr(panels, "PATIENCE_S", 0.1)
        await asyncio.sleep(0.2)
        assert (await look(app, "slow"))["error"].startswith("it has not answered for")

"""Panels of a plugin on the overview: as its author sees them in a browser, and whatever a hostile one returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.engine.panel_value import value_of
from gizzi.web.panels import panel
from tools import axe
from tools.browsing import chrome, site
from tools.fleet import until

PLUGIN = '''
from gizzi import panel

EVIL = "<img src=x onerror=window.hacked=1></td><script>window.hacked=1</script>" + "w" * 100_000


@panel("rewards")
def rewards(fleet):
    """What each validator earned."""
    return [{"validator": v["number"], "earned": 1.5 * v["number"], "note": "era 1,402"} for v in fleet.validators]


@panel("queue")
def queue():
    """Transactions that wait."""
    return 1234.5


@panel("era_points")
def era_points(clock):
    """Points of the last days."""
    return [(clock.now() - 86400 * n, 100.0 + n) for n in range(5)]


@panel("evil_table")
def evil_table():
    return [{EVIL: EVIL, "\\u202eb": "\\x1b[2J\\x00\\u2066"}] * 500


@panel("evil_number")
def evil_number():
    return -1.7e308


@panel("evil_series")
def evil_series():
    return [(1e300, 1.0), (-1e300, 1e308), (3.0, -1e308), (5.0, 7.0), (4.0, 8.0)]


@panel("evil_text")
def evil_text():
    return EVIL


@panel("evil_raise")
def evil_raise():
    raise ValueError(EVIL)


@panel("evil_kind")
def evil_kind():
    return object()
'''


@pytest.mark.real
@pytest.mark.timeout(400)
async def test_a_plugins_panels_in_a_browser(chromium: str, tmp_path: Path) -> None:
    if axe.script() is None:
        pytest.skip("axe-core cannot be fetched from npm")
    (tmp_path / "mine.py").write_text(PLUGIN, encoding="utf-8")
    async with site(plugins={"folder": str(tmp_path)}) as one, chrome(chromium) as browser:
        await until(lambda: all(status["health"] == "healthy" for status in one.app.watch.statuses()))
        for width in (390, 1280):
            page = await browser.page(width)
            await page.goto(one.url)
            rewards = await shown(page, "rewards")
            assert rewards.splitlines()[1].split() == ["validator", "earned", "note"]
            assert "".join(rewards.splitlines()[-1].split()) == "46era1,402", "validator 4 earned 6"
            assert "1,234.5" in await shown(page, "queue")
            assert await page.locator(".panel", has_text="era points").locator("polyline").count() == 1, "one line through all its days"
            for word in ("evil table", "evil number", "evil series", "evil text", "evil raise", "evil kind"):
                assert len(await shown(page, word)) < 200_000
            assert "-1.7e+308" in await shown(page, "evil number")
            assert "it returned a object" in await shown(page, "evil kind")
            assert await page.evaluate("window.hacked") is None
            assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
            assert await axe.serious(page) == []


async def shown(page: Any, title: str) -> str:
    """What stands in the panel of that title."""
    return str(await page.locator(".panel").filter(has=page.locator("h3", has_text=title)).first.inner_text())


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False)), max_size=20))
def test_any_series_is_drawn_or_said_not_to_be(series: list[tuple[float, float]]) -> None:
    kind, value = value_of(series or [(1.0, 2.0)])
    drawn = str(panel({"kind": kind, "value": value, "title": "<b>"})["drawn"])
    assert "<b>" not in drawn and "nan" not in drawn and "inf" not in drawn and len(drawn) < 5000

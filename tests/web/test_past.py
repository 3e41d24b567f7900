"""A validator's page over two hours, a day and a month, and what breaks next."""

from __future__ import annotations

import re

import aiohttp
import pytest

from gizzi.web.chart import MOST, thinned
from tools.browsing import site
from tools.fleet import until
from tools.remembered import keep_hours


def shows(number: int, at: float) -> dict[str, float]:
    free = 4e11 - (1e10 * at / 3600 if number == 2 else 0)
    return {"block_height": 1000 + at // 6, "finalization_lag": 2, "peers": 33 + at // 60 % 4, "disk_free_bytes": free}


async def test_pages_begin_with_what_was_kept_and_say_what_breaks_next() -> None:
    async with site(rules={"disk_filling": {"enabled": False}}) as one, aiohttp.ClientSession() as http:
        await until(lambda: all(v["peers"] is not None for v in one.app.live.statuses()))

        async def page(path: str) -> str:
            async with http.get(one.url + path) as answer:
                assert answer.status == 200
                return await answer.text()

        assert "Not known yet: forecasts are made every hour" in await page("/validators/2")
        assert "Next to break" not in await page("/")
        keep_hours(one.app.store, [1, 2, 3, 4], one.app.clock.now(), 30, shows)
        await one.app.foresight.look()
        day, month, strange = (
            await page("/validators/2?span=day"),
            await page("/validators/2?span=month"),
            await page("/validators/2?span=x"),
        )
        assert all("Disk free, in GB" in shown and "<polyline" in shown for shown in (day, month))
        assert "Disk free" not in strange and 'href="?span=day#past-title"' in strange
        assert re.search(r'id="forecast-disk">.*validator 2 has a full disk in about', day)
        assert "validator 2 has a full disk in about" in await page("/")
        assert "does not come so far" in await page("/validators/1")


@pytest.mark.parametrize("count", [0, 1, MOST, MOST + 1, 5000])
def test_few_points_stand_for_many_and_no_dip_is_lost(count: int) -> None:
    points: list[tuple[float, float | None]] = [(float(at), None if at % 7 == 0 else 30.0) for at in range(count)]
    if count > 100:
        points[99] = (99.0, 1.0)
    shown = thinned(points, min)
    assert len(shown) <= MOST and (count > MOST or [at for at, _ in shown] == [at for at, _ in points])
    assert count <= 100 or min(value for _, value in shown if value is not None) == 1.0

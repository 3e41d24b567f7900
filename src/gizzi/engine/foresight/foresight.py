"""Every hour: a forecast of each validator, each chain and the spend, and a look at what became of earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gizzi.analysis.forecast import Outlook, What, coming, outlook
from gizzi.clock import beside, iso
from gizzi.engine.foresight import rows
from gizzi.engine.foresight.rows import Record
from gizzi.engine.foresight.series import COLUMNS, of_chain, of_number, of_spend, of_validator, quarters, this_month
from gizzi.engine.past.block import MINUTES, QUARTERS
from gizzi.engine.past.rows import stretch
from gizzi.errors import StoreError

if TYPE_CHECKING:
    from gizzi.engine.watch import Watch

FIRST_AFTER_S = 60.0
EVERY_S = 3600.0
EARLY_S = 1200.0
"""How often in its first hour, in which there first is something to say."""
SIMULATED_FIRST_S, SIMULATED_EVERY_S = 3600.0, 6 * 3600.0
"""Simulated time, of which each second counts, looks less often."""
SOON_S = 7 * 86400.0
"""What breaks within this time is told where there is little room."""
DAY_S, FORTNIGHT_S, SPEND_S = 86400.0, 14 * 86400.0, 30 * 86400.0
RULES: dict[What, tuple[str, str]] = {"peers": ("peers_low", "below"), "lag": ("finality_lagging", "high_above")}
"""Whose limit it is that a forecast is made against."""


class Foresight:
    """latest: what was foretold last, by subject."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.latest: dict[str, list[Outlook]] = {}

    async def keep(self) -> None:
        """Without end. What an earlier process foretold stands until the first look."""
        began_at = self._watch.clock.now()
        with suppress(StoreError):
            self._show(await self._watch.store.run(lambda c: rows.latest(c, began_at)))
            self._hand_over(self._watch.fleet.histories)
            self._watch.record = await self._watch.store.run(rows.records)
        await self._watch.clock.sleep(FIRST_AFTER_S if self._watch.live else SIMULATED_FIRST_S)
        while True:
            with suppress(StoreError):  # the watch tells of a store that fails
                await self.look()
            every_s = EARLY_S if self._watch.clock.now() - began_at < EVERY_S else EVERY_S
            await self._watch.clock.sleep(every_s if self._watch.live else SIMULATED_EVERY_S)

    async def look(self) -> None:
        """Make every forecast anew. Raises StoreError."""
        now, store, limits = self._watch.clock.now(), self._watch.store, self._limits()
        lags: dict[str, list[dict[float, float]]] = {}
        for validator in self._watch.validators:
            found, lag = await self._validator(validator.number, limits, now)
            lags.setdefault(validator.chain, []).append(lag)
            self._show(found)
            self._hand_over([validator.number])
        series = [await beside(partial(of_chain, chain, of, limits.get("finality"))) for chain, of in lags.items()]
        calls = await store.run(lambda c: rows.spent(c, now - SPEND_S))
        if calls:
            series.append(of_spend(calls, now, float(self._watch.settings.budget.month_usd)))
        others = await beside(lambda: [outlook(one) for one in series])
        others = [this_month(one, now) if one.what == "spend" else one for one in others]
        self._show(others)

        def write(connection: Any) -> None:
            for one in series:
                rows.settle(connection, one.subject, one.what, one.points, now)
            rows.note(connection, others, now)
            rows.keep(connection, others, now)
            rows.forget(connection, now)

        await store.run(write)
        self._watch.record = await store.run(rows.records)

    async def _validator(self, number: int, limits: Mapping[What, float], now: float) -> tuple[list[Outlook], dict[float, float]]:
        """Its forecasts, and its finality lag by quarters of an hour."""
        store = self._watch.store
        day = await store.run(lambda c: stretch(c, number, MINUTES, now - DAY_S, now))
        long = await store.run(lambda c: stretch(c, number, QUARTERS, now - FORTNIGHT_S, now))
        has_long = any(value is not None for value in long.columns[COLUMNS["disk"]][: -int(1.5 * DAY_S / QUARTERS.step_s)])
        shown, daily = await beside(lambda: of_validator(number, day, long if has_long else None, limits))
        lag = await beside(lambda: quarters(day, COLUMNS["lag"]))

        def write(connection: Any) -> None:
            for what, column in COLUMNS.items():
                rows.settle(connection, of_number(number), what, day.points(column), now)
            rows.note(connection, daily.values(), now)
            rows.keep(connection, shown, now)

        await store.run(write)
        return shown, lag

    def _show(self, found: Sequence[Outlook]) -> None:
        """To faces."""
        for one in found:
            self.latest[one.subject] = [other for other in self.latest.get(one.subject, ()) if other.what != one.what] + [one]

    def _hand_over(self, numbers: Iterable[int]) -> None:
        """To rules."""
        for number in numbers:
            if number in self._watch.fleet.histories:
                self._watch.fleet.histories[number].outlooks = {one.what: one for one in self.latest.get(of_number(number), ())}

    def _limits(self) -> dict[What, float]:
        limits: dict[What, float] = {}
        for what, (name, key) in RULES.items():
            if name in self._watch.registry.rules:
                limits[what] = float(self._watch.registry.rules[name].limits[key])
        return limits

    def of(self, subject: str) -> list[dict[str, Any]]:
        """As every face shows them."""
        return [forecast_json(found, self._watch.record.get(found.what)) for found in self.latest.get(subject, ())]

    def everything(self) -> list[dict[str, Any]]:
        """What surely comes first, the next first; then the rest."""
        everything = [found for of in self.latest.values() for found in of]
        first = coming(everything, self._watch.clock.now(), float("inf"))
        rest = [found for found in everything if found not in first]
        return [forecast_json(found, self._watch.record.get(found.what)) for found in (*first, *rest)]

    def soon(self) -> list[Outlook]:
        """What surely breaks within a week, the next first."""
        return coming((found for of in self.latest.values() for found in of), self._watch.clock.now(), SOON_S)


def forecast_json(found: Outlook, record: Record | None) -> dict[str, Any]:
    """The forecast as every face shows it."""

    def moment(after_s: float | None) -> str | None:
        return None if after_s is None or found.at is None else iso(found.at + after_s)

    return {
        "subject": found.subject,
        "what": found.what,
        "limit": found.limit,
        "now": found.now,
        "per_day": found.per_day,
        "at": iso(found.at),
        "likely_at": moment(found.likely_s),
        "soonest_at": moment(found.soonest_s),
        "latest_at": moment(found.latest_s),
        "until": moment(found.reach_s),
        "end": None if found.end is None else {"low": found.end.low, "likely": found.end.likely, "high": found.end.high},
        "sure": found.sure,
        "past_error": found.past_error,
        "tests": found.tests,
        "record": None if record is None else {"tests": record.tests, "held": record.held, "error": record.error},
        "unknown": found.unknown,
        "text": found.text(),
    }

"""What models cost: reserved before a call, settled after it, never forgotten.

A reservation counts at its estimate until it is settled. Where its process died it still counts; after `LOST_AFTER_S` it is settled at its
estimate, marked as estimated. Should its process live and settle it after all, the difference is written as `late`. Checking the budget and
reserving are one transaction that runs alone, so that several processes together never reserve more than there is.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection

from gizzi.clock import Clock
from gizzi.config import Budget
from gizzi.errors import ConfigError, StoreError
from gizzi.models import ledger_rows as rows
from gizzi.models.budget import ZERO, BudgetLeft, Spent, is_amount, left_of, shown_usd
from gizzi.models.task import Tier, Usage
from gizzi.readers.text import one_line
from gizzi.store import Store
from gizzi.store.ledger_schema import alone

T = TypeVar("T")
LOOK_EVERY_S = 5.0
"""How often what was lost is looked for."""
MOST_OWED = 1000
"""So many settlements that could not be written are kept to be written later; older ones end as lost, at their estimate."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """estimate_usd: None where the price is not known."""

    id: str
    at: float
    day: str
    model: str
    tier: Tier
    role: str | None
    kind: str | None
    critical: bool
    estimate_usd: Decimal | None


class Ledger:
    """One for each process and store. Its methods are safe to cancel: what they began is carried out."""

    def __init__(self, store: Store, budget: Budget, clock: Clock) -> None:
        self._store = store
        self._budget = budget
        self._clock = clock
        self._looked_at: float | None = None
        self._owed: dict[str, Callable[[Connection], None]] = {}
        self._running: set[asyncio.Future[Any]] = set()

    async def reserve(
        self, *, model: str, tier: Tier, role: str | None, kind: str | None, estimate_usd: Decimal | None, critical: bool
    ) -> Reservation:
        """Raises BudgetMet, StoreError where it cannot be written, ConfigError where no price gives such an estimate: then do not call."""
        if estimate_usd is not None and not is_amount(estimate_usd):
            raise ConfigError(f"the price of {model} makes a call cost {estimate_usd:g} US$, which cannot be; correct its price")
        now = self._clock.now()
        made = Reservation(_new_id(now), now, day_of(now), model, tier, role, kind, critical, estimate_usd)

        def check(spent: Spent) -> None:
            left_of(self._budget, spent).check(estimate_usd, tier=tier, role=role, critical=critical)

        def work(connection: Connection) -> None:
            rows.reserve(connection, check, **_fields(made), at=now, usd=estimate_usd)

        writing = self._begin(self._write(work, now))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._begin(self._undo(writing, made))
            raise
        except StoreError as error:
            raise StoreError(f"{model} was not asked, for its cost could not be written to the ledger: {error}") from None
        return made

    async def settle(self, reservation: Reservation, usage: Usage, cost_usd: Decimal | None, outcome: str) -> None:
        """Write what it cost. cost_usd: None where the price is not known. outcome: in a word or a line. Settling again changes nothing.

        A cost that cannot be one (negative, not a number) is settled at the estimate, marked as estimated. Raises StoreError where the
        store cannot be written; it counts at its estimate then, and is written with the next call that can be.
        """
        possible = cost_usd is None or is_amount(cost_usd)
        cost = cost_usd if possible else reservation.estimate_usd
        counted = cost if cost is not None else reservation.estimate_usd
        ending = rows.Ending(self._clock.now(), cost, counted, usage, usage.estimated or not possible, outcome)
        await self._close(reservation, ending)

    async def release(self, reservation: Reservation, why: str) -> None:
        """Nothing was sent, so nothing was spent. Raises StoreError, as `settle` does."""
        await self._close(reservation, rows.Ending(self._clock.now(), ZERO, ZERO, Usage(), False, f"{rows.RELEASED}: {why}"))

    async def left(self, now: float | None = None) -> BudgetLeft:
        """What is left at that time, in epoch seconds; now where none is given."""
        at = self._clock.now() if now is None else now
        spent = await self._store.run(lambda connection: rows.spent(connection, day_of(at)))
        return left_of(self._budget, spent)

    async def tidy(self) -> None:
        """Settle what was lost and write what is owed. Reservations and settlements do it too, for what was lost every `LOOK_EVERY_S`."""
        self._looked_at = None
        await asyncio.shield(self._begin(self._write(lambda _: None, self._clock.now())))

    async def finish(self) -> None:
        """Wait for what cancelled calls have begun; before the event loop ends."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _close(self, reservation: Reservation, ending: rows.Ending) -> None:
        def closing(connection: Connection) -> None:
            rows.close(connection, ending, reservation.estimate_usd, _fields(reservation))

        async def write() -> None:
            try:
                await self._write(closing, ending.at)
            except StoreError as error:
                self._owed[reservation.id] = closing
                if len(self._owed) > MOST_OWED:
                    del self._owed[next(iter(self._owed))]
                estimate = "" if reservation.estimate_usd is None else f" of {shown_usd(reservation.estimate_usd)}"
                counts = f"it counts at its estimate{estimate} until the store can be written again"
                raise StoreError(f"the cost of a call to {reservation.model} could not be written, {counts}: {error}") from None

        await asyncio.shield(self._begin(write()))

    async def _undo(self, writing: asyncio.Future[None], made: Reservation) -> None:
        """Nobody waits for the reservation any more: take it back if it was made."""
        await asyncio.wait([writing])
        if writing.exception() is None:
            await self.release(made, "cancelled before it was sent")

    async def _write(self, work: Callable[[Connection], T], now: float) -> T:
        owed = dict(self._owed)
        look = self._looked_at is None or not 0 <= now - self._looked_at < LOOK_EVERY_S

        def alone_at_it(connection: Connection) -> T:
            alone(connection)
            for closing in owed.values():
                closing(connection)
            done = work(connection)
            if look:
                rows.settle_lost(connection, now)
            return done

        result = await self._store.run(alone_at_it)
        if look:
            self._looked_at = now
        for reservation in owed:
            self._owed.pop(reservation, None)
        return result

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        running = asyncio.ensure_future(work)
        self._running.add(running)
        running.add_done_callback(self._ended)
        return running

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()


def day_of(at: float) -> str:
    """The UTC day, such as 2026-11-22, of a time in epoch seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _new_id(now: float) -> str:
    """32 hexadecimal digits, 80 bits of them by chance. Later ones sort later, so that a database adds them side by side."""
    return f"{int(now * 1000) % 2**48:012x}{secrets.token_hex(10)}"


def _fields(reservation: Reservation) -> dict[str, Any]:
    return {
        "reservation": reservation.id,
        "day": reservation.day,
        "model": one_line(reservation.model, 256),
        "tier": reservation.tier,
        "role": one_line(reservation.role or "", 128),
        "kind": one_line(reservation.kind or "", 64),
        "critical": reservation.critical,
    }

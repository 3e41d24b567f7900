"""What a role's task may look at. Everything here only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from gizzi.analysis.forecast import Outlook
from gizzi.clock import Clock
from gizzi.config import Chain, Settings, Validator
from gizzi.engine.foresight.rows import latest
from gizzi.engine.foresight.series import MODELS, of_number
from gizzi.engine.past.block import Stretch
from gizzi.engine.past.past import tier_of
from gizzi.engine.past.rows import stretch
from gizzi.errors import SourceError
from gizzi.fleet.observation import text
from gizzi.fleet.view import ChainView, ValidatorView
from gizzi.memory.memory import Memory
from gizzi.reach import Reach
from gizzi.store import Store
from gizzi.store.ledger_schema import spent_days

LONGEST_OUTPUT_BYTES = 4_000_000


@dataclass
class Scene:
    """One role's view of the fleet. validators: those that the role looks after, or the one that was named.

    options: what the person gave on the command line. memory: None where there is none.
    """

    settings: Settings
    validators: Sequence[Validator]
    fleet: Any
    reach: Reach
    store: Store
    clock: Clock
    memory: Memory | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return self.clock.now()

    def view(self, validator: Validator) -> ValidatorView:
        """What is known of it now; what was not seen is None."""
        view: ValidatorView = self.fleet.view(validator.number, self.now)
        return view

    def chain(self, chain_id: str) -> ChainView:
        """The whole chain, validators of other roles included."""
        view: ChainView = self.fleet.chain_view(chain_id, self.now)
        return view

    def chains(self) -> list[Chain]:
        return [self.settings.chain(name) for name in dict.fromkeys(v.chain for v in self.validators)]

    def evidence(self, validator: Validator, *names: str) -> tuple[tuple[str, str], ...]:
        """(observation id, its text) of those that are known."""
        view = self.view(validator)
        known = [(name, getattr(view, name)) for name in names]
        return tuple((f"{validator.number}/{name}", text(name, value)) for name, value in known if value is not None)

    async def run(self, validator: Validator, command: Sequence[str]) -> str:
        """Standard output of a read-only command on its host. Raises SourceError."""
        if self.reach.ssh is None:
            raise SourceError("refused", "no account for SSH is configured: set [ssh] user")
        return await self.reach.ssh.run(validator, list(command), limit_bytes=LONGEST_OUTPUT_BYTES)

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        """One JSON-RPC call to its node. Raises SourceError."""
        return await self.reach.node.rpc(validator, method, *params)

    async def past(self, validator: Validator, span_s: float) -> Stretch:
        """What was kept of it over the last so many seconds, up to a month; `points("peers")` of it are (epoch seconds, value)."""
        return await self.store.run(lambda c: stretch(c, validator.number, tier_of(span_s), self.now - span_s, self.now))

    async def foreseen(self) -> list[Outlook]:
        """The latest forecasts of these validators, their chains and the spend, as the watch made them; empty where it made none lately."""
        everything = await self.store.run(lambda c: latest(c, self.now))
        mine = {MODELS, *(of_number(v.number) for v in self.validators), *(f"chain {chain.id}" for chain in self.chains())}
        return [found for found in everything if found.subject in mine]

    async def models_usd(self, days: int) -> Decimal:
        """What models have cost in the last so many days, today included; where a cost is not known, its estimate."""
        first = datetime.fromtimestamp(self.now - (days - 1) * 86_400, UTC).date().isoformat()
        query = select(spent_days.c.usd).where(spent_days.c.day >= first)
        return await self.store.run(lambda connection: sum((Decimal(usd) for usd in connection.execute(query).scalars()), Decimal(0)))

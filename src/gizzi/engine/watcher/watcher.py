"""Shows a model what the role watcher saw, opens what it finds, closes what it no longer finds, and keeps count of who was right."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from itertools import islice

import structlog
from sqlalchemy import Connection

from gizzi.alerts import by_model
from gizzi.alerts.alert import Alert
from gizzi.alerts.external import Said, is_model
from gizzi.clock import within
from gizzi.engine.decide.mind import DecisionTier, Mind, NoReply, Question
from gizzi.engine.roles.report import Report
from gizzi.engine.watch import Watch
from gizzi.engine.watcher import rows
from gizzi.engine.watcher.answer import RULES, Found, findings_of
from gizzi.engine.watcher.bounds import LOOK_BACK_S, admitted
from gizzi.engine.watcher.outcome import outcome
from gizzi.engine.watcher.page import Page, pages
from gizzi.errors import StoreError
from gizzi.roles.load import Role

log = structlog.get_logger("gizzi.watcher")

SETTLE_EVERY_S = 30.0
LONGEST_OPEN_S = 6 * 3600.0
ASK_S = 60.0
MOST_PAGES = 20
"""In one look."""


class Watcher:
    """`look` is given the role's report; `keep` runs beside the loop. Nothing it opens is ever acted on: see `reflex.toml`."""

    def __init__(self, watch: Watch, role: Role, mind: Mind) -> None:
        self._watch = watch
        self._role = role
        self._mind = mind
        self._one = asyncio.Lock()

    async def look(self, report: Report) -> None:
        """Ask about what it saw. Where no model of its tier answers, nothing is opened and nothing closed. Raises StoreError."""
        if report.role != self._role.name:
            return
        nonce = secrets.token_hex(6)
        shown: set[int] = set()
        found: dict[tuple[str, str], Said] = {}
        asked_about = self._watch.fleet.validators.keys() - self._told_of()
        for page in islice(pages(report.items, asked_about, nonce), MOST_PAGES):
            answer = await self._ask(page, nonce)
            if answer is None:
                break
            shown |= set(page.validators)
            said = [self._said(one, model) for one, model in answer]
            found |= {(one.subject, one.rule): one for one in said}
        async with self._one:
            await self._take_up(found, shown)

    def _tier(self) -> DecisionTier:
        return "local" if self._role.tier == "auto" else self._role.tier

    def _told_of(self) -> set[int]:
        """Validators of which a rule, or another system, says what is wrong."""
        return {n for alert in self._watch.book.firing() if not is_model(alert.rule) for n in alert.validators}

    async def _ask(self, page: Page, nonce: str) -> list[tuple[Found, str]] | None:
        """Its findings, and the model that says so; None where nothing that can be read was said."""
        tier = self._tier()
        if not self._mind.reaches(tier):
            return None
        prompt = page.text(nonce)
        question = Question(self._role.name, tier, f"{self._role.persona}\n{RULES}", prompt, "", "low", limit_s=ASK_S, form="findings")
        try:
            reply = await within(ASK_S + 1.0, self._mind.think(question))
        except (NoReply, TimeoutError) as failure:
            log.info("watcher_not_answered", tier=tier, why=str(failure) or f"no answer in {ASK_S:.0f} s")
            return None
        found = findings_of(reply.text, page.evidence, page.validators)
        if found is None:
            log.info("watcher_not_understood", model=reply.model, validators=page.validators)
            return None
        return [(one, reply.model) for one in found]

    def _said(self, found: Found, model: str) -> Said:
        validator = self._watch.fleet.validators[found.validator]
        return by_model.finding(
            validator,
            found.observation,
            severity=found.severity,
            text=found.text,
            shown=found.shown,
            role=self._role.name,
            model=model,
            now=self._watch.clock.now(),
        )

    def _firing(self) -> list[Alert]:
        return [alert for alert in self._watch.book.firing() if is_model(alert.rule)]

    async def _take_up(self, found: dict[tuple[str, str], Said], shown: set[int]) -> None:
        """Open what may be opened, say again what stands, end what was looked for and is not found."""
        now = self._watch.clock.now()
        firing = {alert.key: alert for alert in self._firing()}
        ended = [by_model.over(a, now) for a in firing.values() if set(a.validators) <= shown and a.key not in found]
        await self._hear(ended)
        again = [said for key, said in found.items() if key in firing]
        told = self._told_of()
        fresh = [said for key, said in found.items() if key not in firing and not told.intersection(said.validators)]
        earlier = await self._watch.store.run(lambda c: rows.earlier(c, now - LOOK_BACK_S)) if fresh else []
        opened = admitted(fresh, earlier, now)
        if opened or ended:
            log.info("watcher_looked", opened=len(opened), ended=len(ended), held_back=len(fresh) - len(opened))
        await self._hear([*again, *opened])

    async def _hear(self, said: Iterable[Said]) -> None:
        heard = list(said)
        if heard:
            await self._watch.hear(heard)

    async def keep(self) -> None:
        """Without end: see what became of what was opened. While the store fails, later."""
        while True:
            await self._watch.clock.sleep(SETTLE_EVERY_S)
            try:
                await self.settle()
            except StoreError as error:
                log.error("watcher_not_settled", error=str(error))

    async def settle(self) -> None:
        """Write down who was right, and close what needs nobody any more. Raises StoreError."""
        now = self._watch.clock.now()

        def work(connection: Connection) -> set[int]:
            waiting = rows.undecided(connection)
            own = rows.own_incidents(connection, min(one.opened_at for one in waiting)) if waiting else []
            for one in waiting:
                known = outcome(one, own, now)
                if known is not None:
                    rows.decide(connection, one.incident, known, now)
            return rows.to_close(connection)

        done = await self._watch.store.run(work)
        async with self._one:
            over = [a for a in self._firing() if a.incident in done or now - a.since > LONGEST_OPEN_S]
            await self._hear([by_model.over(alert, now) for alert in over])

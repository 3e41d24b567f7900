"""What is told and to be told, in the store. Each method is one transaction and raises StoreError."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from gizzi.alerts.message import Message
from gizzi.engine import records
from gizzi.engine.tell.news import Case, IncidentNow, Note, Told
from gizzi.store import Store, schema
from gizzi.store.tell_schema import notes, outbox, told

AT_ONCE = 50
"""Messages of one channel that are taken at once."""
NO_INCIDENT = 0
"""In notes that belong to none: what a person asked for."""
RECENT_S = 600.0
"""What opened and ended within this time before the start, and was never told, is told still."""


@dataclass(frozen=True, slots=True)
class Known:
    """An incident with what people know of it. version: of its row, 0 where there is none."""

    case: Case
    version: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way. tries: how often it was tried before."""

    id: int
    message: Message
    tries: int
    at: float


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be put into the outbox."""

    incident: int
    channel: str
    label: str
    message: Message


class Outbox:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def unfinished(self, now: float) -> dict[int, float]:
        """Incidents about which something may have to be told, and since when they are open: those that are, and those whose end, or
        whose whole story, nobody has heard."""

        def work(connection: Connection) -> dict[int, float]:
            table = schema.incidents
            rows = connection.execute(
                select(table.c.id, table.c.opened_at)
                .outerjoin(told, told.c.incident == table.c.id)
                .where(or_(table.c.state != "resolved", table.c.resolved_at >= now - RECENT_S, ~told.c.state.contains('"over": true')))
            )
            return {row.id: row.opened_at for row in rows}

        return await self._store.run(work)

    async def with_news(self) -> set[int]:
        """Incidents with notes that nobody has been told."""
        rows = await self._store.run(lambda c: list(c.execute(select(notes.c.incident).where(notes.c.said.is_(False)).distinct())))
        return {row.incident for row in rows}

    async def known(self, incidents: Sequence[int]) -> list[Known]:
        def work(connection: Connection) -> list[Known]:
            rows = _by(connection, schema.incidents, schema.incidents.c.id, incidents)
            alerts = _by(connection, schema.alerts, schema.alerts.c.incident, incidents)
            states = {row["incident"]: row for row in _by(connection, told, told.c.incident, incidents)}
            found = [_note(row) for row in _by(connection, notes, notes.c.incident, incidents)]
            return [
                _known(
                    row,
                    [a for a in alerts if a["incident"] == row["id"]],
                    states.get(row["id"]),
                    [n for n in found if n.incident == row["id"]],
                )
                for row in rows
            ]

        return await self._store.run(work)

    async def add_note(self, note: Note, beside: Callable[[Connection], object] = lambda connection: None) -> None:
        """The same note again does nothing. beside: what is written in the same transaction, each time."""

        def work(connection: Connection) -> None:
            beside(connection)
            if connection.execute(select(notes.c.key).where(notes.c.key == note.key)).first() is None:
                row = {"key": note.key, "incident": note.incident, "kind": note.kind, "at": note.at, "expires_at": note.expires_at}
                connection.execute(insert(notes).values(**row, detail=json.dumps(note.detail, default=str), said=False))

        await self._store.run(work)

    async def end_notes(self, keys: Sequence[str], now: float) -> None:
        """They are not to be told any more."""
        await self._store.run(lambda c: c.execute(update(notes).where(notes.c.key.in_(keys)).values(expires_at=now, said=True)))

    async def loose_notes(self) -> list[Note]:
        """Notes of no incident that nobody has been told."""
        wanted = select(notes).where(and_(notes.c.incident == NO_INCIDENT, notes.c.said.is_(False))).order_by(notes.c.at)
        rows = await self._store.run(lambda c: list(c.execute(wanted)))
        return [_note(dict(row._mapping)) for row in rows]

    async def tell_note(self, note: Note, letters: Sequence[Letter], now: float) -> bool:
        """Put the letters into the outbox; False where another process has been quicker."""

        def work(connection: Connection) -> bool:
            unsaid = and_(notes.c.key == note.key, notes.c.said.is_(False))
            if connection.execute(update(notes).where(unsaid).values(said=True)).rowcount == 0:
                return False
            if letters:
                connection.execute(insert(outbox), [_row(letter, now) for letter in letters])
            return True

        return await self._store.run(work)

    async def tell(self, known: Known, now_told: Told, letters: Sequence[Letter], now: float) -> bool:
        """Put the letters into the outbox, and note that people know; all or nothing. False where another process has been quicker."""
        incident = known.case.incident.id

        def work(connection: Connection) -> bool:
            text = now_told.as_text()
            if known.version == 0:
                if connection.execute(select(told.c.incident).where(told.c.incident == incident)).first() is not None:
                    return False
                connection.execute(insert(told).values(incident=incident, version=1, state=text))
            else:
                same = and_(told.c.incident == incident, told.c.version == known.version)
                changed = connection.execute(update(told).where(same).values(version=known.version + 1, state=text))
                if changed.rowcount == 0:
                    return False
            keys = [note.key for note in known.case.notes if not note.said]
            if keys:
                connection.execute(update(notes).where(notes.c.key.in_(keys)).values(said=True))
            if letters:
                connection.execute(insert(outbox), [_row(letter, now) for letter in letters])
            return True

        return await self._store.run(work)

    async def claim(self, channel: str, now: float, until: float) -> tuple[str, list[Parcel]]:
        """Take what is due for a channel, oldest first, for oneself until that time.

        What a dead process had taken comes by itself, as that had it: it may have been sent, and is to be the same message again.
        """
        claim = uuid.uuid4().hex
        due = and_(outbox.c.channel == channel, outbox.c.state.in_(("waiting", "claimed")), outbox.c.due_at <= now)

        def work(connection: Connection) -> list[Parcel]:
            columns = (outbox.c.id, outbox.c.state, outbox.c.claim)
            rows = list(connection.execute(select(*columns).where(due).order_by(outbox.c.id).limit(AT_ONCE)))
            dead = next((row.claim for row in rows if row.state == "claimed"), None)
            ids = [row.id for row in rows if dead is None or (row.state == "claimed" and row.claim == dead)]
            if not ids:
                return []
            connection.execute(update(outbox).where(and_(outbox.c.id.in_(ids), due)).values(state="claimed", claim=claim, due_at=until))
            mine = connection.execute(select(outbox).where(outbox.c.claim == claim).order_by(outbox.c.id))
            return [Parcel(row.id, Message(**json.loads(row.message)), row.tries, row.at) for row in mine]

        return claim, await self._store.run(work)

    async def sent(self, claim: str, ids: Sequence[int], now: float) -> None:
        mine = and_(outbox.c.claim == claim, outbox.c.id.in_(ids))
        await self._store.run(
            lambda c: c.execute(
                update(outbox)
                .where(and_(mine, outbox.c.state == "claimed"))
                .values(state="sent", sent_at=now, error=None, tries=outbox.c.tries + 1)
            )
        )

    async def failed(self, claim: str, ids: Sequence[int], lost: Sequence[int], error: str, due_at: float) -> None:
        """These could not be sent; what is not given up waits until then, and with it whatever else was claimed."""

        def work(connection: Connection) -> None:
            mine, tried = outbox.c.claim == claim, {"error": error, "tries": outbox.c.tries + 1}
            connection.execute(update(outbox).where(and_(mine, outbox.c.id.in_(ids))).values(**tried))
            connection.execute(update(outbox).where(and_(mine, outbox.c.id.in_(lost))).values(state="lost"))
            connection.execute(update(outbox).where(and_(mine, outbox.c.state == "claimed")).values(state="waiting", due_at=due_at))

        await self._store.run(work)

    async def due(self) -> dict[str, float]:
        """By channel, when its next message is due."""
        waiting = select(outbox.c.channel, func.min(outbox.c.due_at).label("at")).where(outbox.c.state.in_(("waiting", "claimed")))
        rows = await self._store.run(lambda c: list(c.execute(waiting.group_by(outbox.c.channel))))
        return {row.channel: row.at for row in rows}

    async def drop(self, channel: str) -> list[str]:
        """Give up what waits for a channel that is configured no more; returns the messages' titles."""
        waiting = and_(outbox.c.channel == channel, outbox.c.state.in_(("waiting", "claimed")))

        def work(connection: Connection) -> list[str]:
            rows = list(connection.execute(select(outbox.c.message).where(waiting)))
            connection.execute(update(outbox).where(waiting).values(state="lost", error="the channel is not configured any more"))
            return [json.loads(row.message)["title"] for row in rows]

        return await self._store.run(work)

    async def troubles(self, since: float) -> dict[str, dict[str, Any]]:
        """By channel, what has not gone out: `waiting` that failed at least once, `lost` since then, the latest `error`."""
        stuck = and_(outbox.c.state.in_(("waiting", "claimed")), outbox.c.error.is_not(None))
        lost = and_(outbox.c.state == "lost", outbox.c.at >= since)
        rows = await self._store.run(lambda c: list(c.execute(select(outbox).where(or_(stuck, lost)).order_by(outbox.c.id).limit(10_000))))
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            one = found.setdefault(row.channel, {"label": row.label, "waiting": 0, "lost": 0, "error": ""})
            one["lost" if row.state == "lost" else "waiting"] += 1
            one["error"] = row.error
        return found


def _by(connection: Connection, table: Any, column: Any, values: Sequence[int]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table).where(column.in_(values)))]


def _known(row: dict[str, Any], alerts: list[dict[str, Any]], state: Mapping[str, Any] | None, found: Sequence[Note]) -> Known:
    alerts = sorted(alerts, key=lambda alert: alert["since"])
    names = ("id", "rule", "severity", "chain", "state", "summary", "opened_at", "resolved_at", "acknowledged_by", "merged_into")
    incident = IncidentNow(
        **{name: row[name] for name in names},
        validators=tuple(json.loads(row["validators"])),
        decision=records.decision_of(row["decision"]),
        alerts=tuple(records.alert_of(alert) for alert in alerts),
    )
    before = Told.of_text(state["state"]) if state is not None else None
    return Known(Case(incident, before, tuple(found)), state["version"] if state is not None else 0)


def _note(row: Mapping[str, Any]) -> Note:
    return Note(row["key"], row["incident"], row["kind"], row["at"], row["expires_at"], json.loads(row["detail"]), row["said"])


def _row(letter: Letter, now: float) -> dict[str, Any]:
    return {
        "incident": letter.incident,
        "channel": letter.channel,
        "label": letter.label,
        "at": now,
        "message": json.dumps({**letter.message.as_json(), "id": uuid.uuid4().hex}),
        "state": "waiting",
        "due_at": now,
        "tries": 0,
    }

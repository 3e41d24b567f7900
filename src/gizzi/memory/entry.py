"""One entry of the memory, and the row it becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gizzi.clock import iso
from gizzi.readers.text import one_line

Status = Literal["PENDING", "IN_PROGRESS", "RESOLVED", "ESCALATED", "COMPLETED"]
Priority = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
STATUSES: tuple[Status, ...] = get_args(Status)
PRIORITIES: tuple[Priority, ...] = get_args(Priority)

LONGEST = {"author": 64, "kind": 32, "event": 1000, "action": 500}
LONGEST_BODY = 32_000
LONGEST_TAG = 64
MOST_TAGS = 32
MOST_VALIDATORS = 10_000
LATEST_S = 253_402_300_800.0
"""The year 10000, where dates end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered. Texts are made printable and cut to their limits; only the body keeps its lines.

    at: epoch seconds, kept to the millisecond. author: a role, or a person's account; it signs. kind: "case", "note", "report",
    "decision" or another word. incident: its number. Raises ValueError for an unknown status or priority, or a time that is none.
    """

    at: float
    author: str
    kind: str
    event: str
    action: str = ""
    status: Status = "COMPLETED"
    priority: Priority = "LOW"
    tags: tuple[str, ...] = ()
    validators: tuple[int, ...] = ()
    incident: int | None = None
    body: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES or self.priority not in PRIORITIES:
            raise ValueError(f"{self.status!r} and {self.priority!r}: a status is one of {STATUSES}, a priority one of {PRIORITIES}")
        if not 0 <= self.at < LATEST_S:
            raise ValueError(f"{self.at!r} is not a time in epoch seconds")
        clean: dict[str, Any] = {name: one_line(getattr(self, name), limit) for name, limit in LONGEST.items()}
        clean["author"] = clean["author"] or "unknown"
        clean["at"] = round(self.at * 1000) / 1000
        tags = dict.fromkeys(one_line(tag, LONGEST_TAG) for tag in self.tags)
        clean["tags"] = tuple(tag for tag in tags if tag)[:MOST_TAGS]
        clean["validators"] = tuple(sorted(set(self.validators)))[:MOST_VALIDATORS]
        clean["body"] = _printable(self.body)
        for name, value in clean.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry as it lies in the store."""

    number: int
    entry: Entry
    hash: str

    def as_json(self) -> dict[str, Any]:
        entry = self.entry
        return {
            "number": self.number,
            "at": iso(entry.at),
            "author": entry.author,
            "kind": entry.kind,
            "event": entry.event,
            "action": entry.action,
            "status": entry.status,
            "priority": entry.priority,
            "tags": list(entry.tags),
            "validators": list(entry.validators),
            "incident": None if entry.incident is None else f"inc-{entry.incident}",
            "body": entry.body,
            "hash": self.hash,
        }


def columns_of(entry: Entry) -> dict[str, Any]:
    """The entry's own columns, as they are stored and hashed."""
    return {
        "at_ms": round(entry.at * 1000),
        "author": entry.author,
        "kind": entry.kind,
        "event": entry.event,
        "action": entry.action,
        "status": entry.status,
        "priority": entry.priority,
        "tags": json.dumps(entry.tags, ensure_ascii=False),
        "validators": json.dumps(entry.validators),
        "incident": entry.incident,
        "body": entry.body,
    }


def stored_of(row: Mapping[str, Any]) -> Stored:
    """A row of memory_entries. One that somebody has spoilt is shown as far as it can be: `verify` is what tells."""
    status, priority = str(row["status"]), str(row["priority"])
    at_ms = row["at_ms"] if isinstance(row["at_ms"], int) and 0 <= row["at_ms"] < LATEST_S * 1000 else 0
    entry = Entry(
        at=at_ms / 1000,
        author=str(row["author"]),
        kind=str(row["kind"]),
        event=str(row["event"]),
        action=str(row["action"]),
        status=next((known for known in STATUSES if known == status), "PENDING"),
        priority=next((known for known in PRIORITIES if known == priority), "LOW"),
        tags=tuple(tag for tag in _list(row["tags"]) if isinstance(tag, str)),
        validators=tuple(number for number in _list(row["validators"]) if type(number) is int),
        incident=row["incident"] if type(row["incident"]) is int else None,
        body=str(row["body"]),
    )
    return Stored(row["number"], entry, str(row["hash"]))


def _list(text: object) -> list[Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def _printable(text: str) -> str:
    shown = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text[:LONGEST_BODY])
    return shown if len(text) <= LONGEST_BODY else shown[:-1] + "…"

"""What a channel is given to pass on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gizzi.kinds import Severity

MessageChange = Literal["opened", "changed", "acknowledged", "resolved", "reminder", "escalated", "several", "test"]


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text in which nothing that came from outside is a link, a mention or markup.

    title: one line, at most 200 characters: severity, incident, whom and what. body: at most 3,000 characters in lines. incident: such as
    inc-3, None where it is about several or none. over: whether the incident is resolved. at: ISO 8601. details: the incident's fields.
    id: the same whenever this message comes again, by which a receiver knows a repeat; empty where none can come.
    """

    title: str
    body: str
    severity: Severity
    incident: str | None
    change: MessageChange
    over: bool
    at: str
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

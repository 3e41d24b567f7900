"""Who has a token, and whose it is."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr
from starlette.datastructures import Headers

from gizzi.config import Settings

OPERATOR = "operator"
"""Who the token of [api] token_env belongs to."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. role: a viewer reads and asks; a reporter also posts alerts; an approver also writes and says yes."""

    name: str
    role: Literal["viewer", "reporter", "approver"]
    token: SecretStr


def people_of(settings: Settings) -> list[Person]:
    """Everybody whose token is configured and has a value."""
    named = [(OPERATOR, "approver", settings.api.token_env), *((t.name, t.role, t.token_env) for t in settings.api.tokens)]
    return [Person(name, role, secret) for name, role, where in named if (secret := settings.secret(where)) is not None]


class Tokens:
    def __init__(self, people: Sequence[Person]) -> None:
        self._people = [(person.token.get_secret_value().strip().encode(), person) for person in people]

    def __bool__(self) -> bool:
        return bool(self._people)

    def owner(self, word: bytes) -> Person | None:
        """Whose token it is. Every token is compared, so that the time taken tells nothing."""
        found = [person for token, person in self._people if hmac.compare_digest(word, token)]
        return found[0] if found else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own: localhost, 127.0.0.0/8, ::1."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(headers: Headers) -> str:
    """The Host header without its port; "" where it is missing or doubled."""
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return ""
    name, colon, port = hosts[0].rpartition(":")
    return name if colon and port.isdigit() else hosts[0]

"""Everything Gizzi raises on purpose.

GizziError                 a plain line for a person; exit code 1
├── ConfigError            gizzi.toml, a scenario or a plugin is wrong; names the file and the key; exit code 2
├── UsageError             a command was called with words it cannot take; exit code 2
├── NotFound               no such validator, incident, rule …
├── StoreError             the database is locked, full, read-only or from a newer version
│   └── StoreTaken         another Gizzi watches with it
├── AlreadyOver            what was to be changed has ended, or somebody has answered it
├── InDoubt                an action was under way when its process ended; nobody knows whether it happened, and it is not repeated
├── BudgetMet              too little money is left for a call to a model; names the budget and what is left
└── SourceError            a validator could not be read; carries the kind of failure, which rules look at
    ├── CommandFailed      a command on its host ended with another exit status than 0
    └── OutcomeUnknown     a command was sent to its host, and nobody saw it end: it may have been carried out
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

FailureKind = Literal["refused", "timeout", "unreadable", "unauthorised", "http", "rpc", "host_key", "internal"]
"""Why a source failed.

refused: no connection (refused, reset, no route, unknown name). timeout: connected, but no answer in time.
unreadable: an answer that is not what it should be. unauthorised: 401, 403 or SSH permission denied. http: another HTTP status.
rpc: a well-formed JSON-RPC error. host_key: the SSH host key is unknown or changed. internal: a bug in the source itself.
"""


class GizziError(Exception):
    """The message is complete for the person who reads it: what happened, to what, and what to do next."""

    exit_code = 1


class ConfigError(GizziError):
    exit_code = 2


class UsageError(GizziError):
    exit_code = 2


class NotFound(GizziError):
    pass


class StoreError(GizziError):
    pass


class StoreTaken(StoreError):
    pass


class AlreadyOver(GizziError):
    pass


class InDoubt(GizziError):
    pass


class BudgetMet(GizziError):
    """A cheaper tier may still answer. budget: such as "day" or "day of the frontier tier". left_usd: left of it for such a call."""

    def __init__(self, message: str, budget: str, left_usd: Decimal) -> None:
        super().__init__(message)
        self.budget = budget
        self.left_usd = left_usd


class SourceError(GizziError):
    """Raised by a source or by what it reads through; becomes an observation of failure, never the end of the loop."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind


class OutcomeUnknown(SourceError):
    """What was sent is in doubt. Whatever else a command raises: it was never sent, or it ended and said that it failed."""


class CommandFailed(SourceError):
    """status: the exit status. stderr: the last line it wrote there, printable, at most 200 characters, from a host and so untrusted."""

    def __init__(self, message: str, status: int, stderr: str = "") -> None:
        super().__init__("http", message)
        self.status = status
        self.stderr = stderr

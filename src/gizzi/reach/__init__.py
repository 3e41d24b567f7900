"""How a validator is reached. Sources read through these; the simulator has its own, so that the same sources run in simulated time."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gizzi.config import Validator

Samples = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]
"""Samples of a metrics page by name: labels and value."""


class Node(Protocol):
    def metrics(self, validator: Validator, names: frozenset[str]) -> Coroutine[Any, Any, Samples]:
        """The wanted samples of its metrics page. Raises SourceError."""
        ...

    def rpc(self, validator: Validator, method: str, *params: Any) -> Coroutine[Any, Any, Any]:
        """The result of one JSON-RPC call. Raises SourceError; an RPC error has the kind "rpc" and the code in its message."""
        ...

    def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Coroutine[Any, Any, Sequence[Any]]:
        """What several quick JSON-RPC calls gave that are made in one request: for each its result, or the SourceError it failed with.

        A call is a method and its parameters. Raises SourceError where the node does not answer at all, or takes no batches: each call can
        then still be made alone.
        """
        ...


class Ssh(Protocol):
    async def run(
        self,
        validator: Validator,
        command: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        timeout_s: float | None = None,
        with_stderr: bool = False,
    ) -> str:
        """Standard output of a command on its host, with_stderr also what it wrote there; the arguments passed as they are, never through
        a shell.

        Raises SourceError: refused, timeout, unauthorised, host_key; CommandFailed where the command failed; OutcomeUnknown where it was
        sent and its end was not seen. timeout_s: None is `[ssh] timeout`.
        """
        ...


class Http(Protocol):
    async def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of an HTTP answer. Raises SourceError."""
        ...

    async def get(self, url: str) -> bytes:
        """The body of an HTTP answer, at most 50 MB. Raises SourceError."""
        ...

    async def post_json(self, url: str, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Send JSON, once. Raises SourceError where the answer is not one of success (200 to 299)."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    node: Node
    ssh: Ssh | None
    http: Http

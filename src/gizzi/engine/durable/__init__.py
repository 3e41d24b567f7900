"""Runs that survive: a workflow's finished steps are kept, and after a crash it goes on with the next one.

Live, DBOS keeps them (`dbos_runs`); in simulated time they live in memory (`memory_runs`). A step may run again where the process died in
it: whatever must not happen twice is guarded by rows of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol


class Run(Protocol):
    """One execution of a workflow, as the workflow sees it."""

    id: str

    async def step(self, name: str, function: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        """Call it once and keep what it returns, which must be plain data. Given again after a crash instead of being called again."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait; a wait that a crash interrupted goes on to its first end."""
        ...


Procedure = Callable[..., Awaitable[Any]]
"""A workflow's function: the run first, then what it is started with, as plain data."""


class Runs(Protocol):
    is_shared: bool
    """Whether other processes take up what this one starts."""

    def register(self, name: str, procedure: Procedure) -> None:
        """Make a workflow known, before `open`."""
        ...

    async def open(self) -> None:
        """Begin, and take up what an earlier process left. Raises GizziError."""
        ...

    async def start(self, name: str, run_id: str, given: Mapping[str, Any]) -> None:
        """Start a run in the background. A run of that id is started once, however often this is called."""
        ...

    async def goes_on(self, run_id: str) -> bool:
        """Whether the run is under way or will be taken up. False where it has ended, however, or was never started."""
        ...

    async def result(self, run_id: str) -> Any:
        """Wait for its end. Raises what ended it."""
        ...

    async def close(self) -> None:
        """Stop working; what is unfinished is taken up by the next `open`."""
        ...

"""What a workflow is given to work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Run(Protocol):
    """One execution of a workflow: its first parameter, `run`. `run.id` is its name, such as rolling-upgrade-5f3a.

    Whatever a workflow does goes through it, and what came of that is kept: after a crash the workflow begins again from the top, and each
    of these calls that had ended gives at once what it gave before. So it must come to the same calls in the same order; anything that may
    differ (a look, the time, a random number) belongs into a step.
    """

    @property
    def id(self) -> str: ...

    async def step(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        """Call a function, async or plain, once, and keep what it returns, which must be plain data (JSON). Where the process dies in it,
        it is called again. In it, `look` and `sleep` may be used, `act` and other steps may not.
        """
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait. A wait that a crash interrupted goes on to its first end."""
        ...

    async def look(self, validator: int) -> Mapping[str, Any] | None:
        """What is known of a validator and its chain now: at, chain, facts, authorities, missing, rejoined (it votes and follows the
        chain), health, alerts, version and version_at (when it said so), session_changed_at. None where there is no such validator.
        """
        ...

    async def act(self, action: str, validator: int, why: str, **given: str) -> Mapping[str, Any]:
        """Propose an action, wait until the guard or a person allows it, have it carried out once, and look at its effect. given: what the
        action asks for besides, such as a version; an approval is bound to it.

        Returns the action: outcome is None where it was not carried out (detail says why), else done, failed or in_doubt; verdict is
        resolved, not_resolved, worse or unknown.
        """
        ...

    async def say(self, text: str) -> None:
        """Tell whoever follows the run what is going on: one line. In a step: what it waits for, the same words once."""
        ...

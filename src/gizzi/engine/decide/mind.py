"""Who is asked: a mind takes one question and gives one reply, or says why there is none. Nothing here loads a model's library."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

from gizzi.errors import GizziError
from gizzi.kinds import Severity
from gizzi.models.hard import estimate_tokens

DecisionTier = Literal["local", "standard", "frontier"]
Tool = Callable[..., Awaitable[str]]
"""An async function that only reads. Its name, docstring and annotations are what a model sees of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """instructions: who the role is and how to answer, the same for every incident. prompt: this incident. incident: such as "inc-3".

    limit_s: how long the whole answer may take, look-ups included. form: what is asked for: a decision; a brief one, of action, reasoning,
    confidence and evidence only; or the watcher's findings.
    """

    role: str
    tier: DecisionTier
    instructions: str
    prompt: str
    incident: str
    severity: Severity
    tools: tuple[Tool, ...] = ()
    limit_s: float = 60.0
    form: Literal["decision", "brief", "findings"] = "decision"


@dataclass(frozen=True, slots=True)
class Reply:
    """text: what the model said, a JSON object if it did as asked; nothing of it has been checked. route: how the model was chosen."""

    text: str
    tier: DecisionTier
    model: str
    cost_usd: Decimal = Decimal(0)
    tokens_in: int = 0
    tokens_out: int = 0
    route: Mapping[str, Any] | None = None


class NoReply(GizziError):
    """No model could be reached, or none answered in time or in the form asked for. cost_usd: what was spent all the same."""

    def __init__(self, why: str, cost_usd: Decimal = Decimal(0)) -> None:
        super().__init__(why)
        self.cost_usd = cost_usd


class Mind(Protocol):
    def reaches(self, tier: DecisionTier) -> bool:
        """Whether it is worth asking this tier at all. Costs nothing; True does not promise an answer."""
        ...

    async def think(self, question: Question) -> Reply:
        """Raises NoReply."""
        ...


class Said(Protocol):
    """What a scripted model of that tier says; a scenario's [[replies]] are such."""

    @property
    def tier(self) -> DecisionTier: ...
    @property
    def text(self) -> str: ...


class ScriptedMind:
    """Each tier's replies in order. Where a tier's are used up, or it had none, no model of it is reachable."""

    def __init__(self, replies: Iterable[Said] = ()) -> None:
        self._left: dict[str, deque[str]] = defaultdict(deque)
        for reply in replies:
            self._left[reply.tier].append(reply.text)
        self.asked: list[Question] = []

    def reaches(self, tier: DecisionTier) -> bool:
        return bool(self._left.get(tier))

    async def think(self, question: Question) -> Reply:
        if not self.reaches(question.tier):
            raise NoReply(f"no model of the {question.tier} tier is reachable")
        self.asked.append(question)
        text = self._left[question.tier].popleft()
        tokens_in = estimate_tokens(question.instructions) + estimate_tokens(question.prompt)
        return Reply(text, question.tier, f"scripted/{question.tier}", Decimal(0), tokens_in, estimate_tokens(text))

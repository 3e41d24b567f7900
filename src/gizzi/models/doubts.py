"""Why a cheap answer does not hold: live facts contradict it, it says so itself, or what was learned of such answers speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gizzi.config import Settings
from gizzi.models.facts import admits_ignorance, contradiction
from gizzi.models.learned_choice import unlikely
from gizzi.models.model import Model
from gizzi.models.outcomes import Outcomes
from gizzi.models.task import Answer, Task


def doubt_of(
    settings: Settings, outcomes: Outcomes, task: Task, statuses: Sequence[Mapping[str, Any]], best: Model, answer: Answer
) -> str | None:
    """None where it holds. best: the model that is asked last. What facts contradict is kept as a bad answer, to learn from."""
    found = contradiction(task.text, answer.response, statuses)
    if found is not None:
        outcomes.note(task, answer.model, answer.response, good=False, said_by="facts")
        return f"live facts contradict it: {found}"
    if admits_ignorance(answer.response):
        return "it says itself that it does not know"
    return unlikely(settings, task.text, answer.response, answer.model, best)

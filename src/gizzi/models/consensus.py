"""Several models asked the same: side by side, and what they say together.

Each provider has one vote, that of its best model: two models of one family are wrong together. Only a word that more than half of the
votes share, of two votes or more, is a consensus; anything else is for a person, with the votes shown.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gizzi.models import prompts
from gizzi.models.door import NoAnswer
from gizzi.models.router import Router, answer_of, nobody
from gizzi.models.task import TIERS, Answer, Route

WORDS = ("YES", "NO", "RESTART", "WAIT", "INVESTIGATE", "ESCALATE", "UNSURE")
_FIRST_WORD = re.compile(r"[^A-Za-z]*(" + "|".join(WORDS) + r")\b", re.IGNORECASE)
MOST_MODELS = 12


@dataclass(frozen=True, slots=True)
class Vote:
    """word: None where the answer does not begin with one."""

    model: str
    provider: str
    word: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """failures: why each model that did not answer did not. word: what the votes agree on; None where a person has to read them."""

    answers: tuple[Answer, ...]
    failures: Mapping[str, str]
    votes: tuple[Vote, ...]
    word: str | None
    summary: str

    def as_json(self) -> dict[str, Any]:
        votes = [{"model": vote.model, "provider": vote.provider, "vote": vote.word} for vote in self.votes]
        consensus = {"verdict": self.word, "summary": self.summary, "votes": votes}
        failures = [{"model": model, "why": why} for model, why in self.failures.items()]
        return {"answers": [answer.as_json() for answer in self.answers], "failures": failures, "consensus": consensus}


async def compare(router: Router, text: str, *, critical: bool = False, limit_s: float = 120.0) -> Comparison:
    """Ask every model that may answer, at once. Raises GizziError where none could."""
    task = router.task(text, critical=critical, limit_s=limit_s)
    names = (await router.reachable_models(task))[:MOST_MODELS]
    if not names:
        raise nobody((await router.route(task)).reason, True)
    statuses = await router.statuses() if prompts.about_fleet(task.text) else ()
    call = router.call_for(task, statuses, f"{prompts.ABOUT} {prompts.VOTE}")

    async def one(name: str) -> Answer | NoAnswer:
        route = Route(router.catalogue.models[name].tier, (name,), "compare", "every reachable model is asked")
        try:
            return answer_of(await router.door.call(task, route, call), call)
        except NoAnswer as failure:
            return failure

    found = await asyncio.gather(*(one(name) for name in names))
    answers = tuple(answer for answer in found if isinstance(answer, Answer))
    failures = {model: why for failure in found if isinstance(failure, NoAnswer) for model, why in failure.failures.items()}
    if not answers:
        raise nobody("; ".join(failures.values()), True)
    votes = votes_of(answers)
    word, summary = count(votes)
    return Comparison(answers, failures, votes, word, summary)


def votes_of(answers: Sequence[Answer]) -> tuple[Vote, ...]:
    """One for each provider: its answer of the highest tier."""
    best: dict[str, Answer] = {}
    for answer in answers:
        provider = answer.model.partition("/")[0]
        if provider not in best or TIERS.index(answer.tier) > TIERS.index(best[provider].tier):
            best[provider] = answer
    return tuple(Vote(answer.model, provider, word_of(answer.response)) for provider, answer in best.items())


def word_of(response: str) -> str | None:
    match = _FIRST_WORD.match(response[:200])
    return match.group(1).upper() if match else None


def count(votes: Sequence[Vote]) -> tuple[str | None, str]:
    """The word that more than half of the votes share, and what to say of it."""
    said = Counter(vote.word for vote in votes if vote.word is not None)
    shown = ", ".join(f"{vote.model}: {vote.word or 'no clear word'}" for vote in votes)
    if len(votes) < 2:
        return None, f"one provider answered, which is no consensus ({shown})"
    word, most = said.most_common(1)[0] if said else ("", 0)
    if most * 2 > len(votes) and most >= 2 and word != "UNSURE":
        agreed = "all" if most == len(votes) else f"{most} of {len(votes)}"
        return word, f"{agreed} providers say {word} ({shown})"
    return None, f"they do not agree; a person decides ({shown})"

"""What several models say together. Pure.

Each provider has one vote, that of its best model: two models of one family are wrong together. Only a word that more than half of the
votes share, of two votes or more, is a consensus; anything else is for a person, with the votes shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gizzi.models.task import TIERS, Answer

WORDS = ("YES", "NO", "RESTART", "WAIT", "INVESTIGATE", "ESCALATE", "UNSURE")
_FIRST_WORD = re.compile(r"[^A-Za-z]*(" + "|".join(WORDS) + r")\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Vote:
    """word: None where the answer does not begin with one."""

    model: str
    provider: str
    word: str | None


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

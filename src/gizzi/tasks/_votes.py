"""Missed votes of a chain's validators, from what was kept of their counters."""

from __future__ import annotations

from collections.abc import Mapping

from gizzi import ReportItem, Scene, Validator, duration_text
from gizzi.analysis.votes import Cast, Votes, cast_of, votes_of

DAY_S = 86_400.0
KINDS: Mapping[str, str] = {"prevotes_total": "prevotes", "precommits_total": "precommits", "approvals_produced_total": "approvals"}
SOME, MANY = 0.1, 0.5
"""Shares of the usual votes: who missed so many is told, with medium and high severity."""


class Missed:
    """By kind of vote and validator; empty where too little was kept."""

    def __init__(self, votes: Mapping[str, Mapping[int, Votes]]) -> None:
        self._votes = votes

    def evidence(self, validator: Validator) -> tuple[tuple[str, str], ...]:
        return tuple((f"{validator.number}/{name}", _text(KINDS[name], of[validator.number])) for name, of in self._mine(validator))

    def items(self, validators: list[Validator], about: str) -> list[ReportItem]:
        """Who missed more than the others, and that the rest did not."""
        if not any(self._votes.values()):
            words = "missed votes are not known: they need an hour of what `gizzi watch` keeps, of three validators of the set at least"
            return [ReportItem(words, "low", about)]
        found = []
        for validator in validators:
            mine = [(name, of[validator.number]) for name, of in self._mine(validator)]
            worst = max((votes.share for _, votes in mine), default=0.0)
            if worst >= SOME:
                texts = "; ".join(_text(KINDS[name], votes) for name, votes in mine if votes.share >= SOME)
                found.append(
                    ReportItem(texts, "high" if worst >= MANY else "medium", f"validator {validator.number}", self.evidence(validator))
                )
        rest = len(validators) - len(found)
        text = f"{rest} of {len(validators)} validators missed less than {SOME:.0%} of the votes that the set's median cast"
        return [*found, ReportItem(text, "low", about)]

    def _mine(self, validator: Validator) -> list[tuple[str, Mapping[int, Votes]]]:
        return [(name, of) for name, of in self._votes.items() if validator.number in of]


def _text(kind: str, votes: Votes) -> str:
    span = duration_text(votes.span_s)
    return f"{votes.cast:.0f} {kind} in {span}, the set's median cast {votes.usual:.0f}: {votes.missed:.0f} missed ({votes.share:.0%})"


async def missed_votes(scene: Scene, chain: str) -> Missed:
    """Of the chain's authorities that are watched, over the last day."""
    everybody = scene.settings.validators or scene.validators
    voters = [validator for validator in everybody if validator.chain == chain and validator.authority]
    cast: dict[str, dict[int, Cast | None]] = {name: {} for name in KINDS}
    for validator in voters:
        past = await scene.past(validator, DAY_S)  # 0.5 MB at most, so one at a time
        for name, of in cast.items():
            of[validator.number] = cast_of(past.points(name))
    return Missed({name: votes_of(of) for name, of in cast.items()})

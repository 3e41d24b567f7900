"""The strategy `learned`, and what a trained router thinks of an answer. `gizzi learn train` writes what is read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gizzi.config import Settings
from gizzi.errors import ConfigError
from gizzi.kinds import Opinion
from gizzi.marks import strategy
from gizzi.models import learned_file
from gizzi.models.learned import Curve, Head, LearnedRouter, Look
from gizzi.models.model import Model
from gizzi.models.strategies import decided_by_words
from gizzi.models.task import TIERS, Task


def router_file(settings: Settings) -> Path:
    """Of the router that reads prompts."""
    return Path(settings.routing.learned)


def answers_file(settings: Settings) -> Path:
    """Of the router that reads an answer too, and says how likely it is right."""
    file = router_file(settings)
    return file.with_name(f"{file.stem}.answers{file.suffix}")


@dataclass(frozen=True, slots=True)
class Trained:
    """A router, and for each tier that its outcomes say something of what to expect of a model of that tier without outcomes of its own."""

    router: LearnedRouter
    priors: Mapping[str, Head]

    def head(self, model: Model) -> Head | None:
        own = self.router.heads.get(model.id)
        return own if own is not None and own.labels else self.priors.get(model.tier)

    def curve(self, weak: Model, strong: Model) -> Curve | None:
        """What was measured between the two, or between two models for which their tiers' priors stand."""
        for (low, high), measured in self.router.curves.items():
            if self._stands_for(low, weak) and self._stands_for(high, strong):
                return measured
        return None

    def _stands_for(self, name: str, model: Model) -> bool:
        if model.id in self.router.heads:
            return name == model.id
        head = self.router.heads.get(name)
        return head is not None and head.tier == model.tier


def trained(file: Path) -> Trained | None:
    """None where there is none yet. Read again only once the file has changed. Raises ConfigError where it is damaged."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return _read(file, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=4)
def _read(file: Path, changed_ns: int, size: int) -> Trained:
    return with_priors(learned_file.load(file))


def with_priors(router: LearnedRouter) -> Trained:
    return Trained(router, {tier: router.prior(tier) for tier in {head.tier for head in router.heads.values() if head.labels}})


@strategy("learned")
def learned(task: Task, candidates: Sequence[Model], settings: Settings) -> Opinion | None:
    """The cheapest model that keeps `[routing] quality` of the best one's right answers, by what was learned from outcomes."""
    decision = decided_by_words(task)
    if decision is not None:
        return decision
    try:
        known = trained(router_file(settings))
    except ConfigError as error:
        return Opinion(reason=str(error))
    if known is None:
        return Opinion(reason="no router has been trained yet; `gizzi learn train` does it")
    return choose_learned(known, task.text, candidates, settings.routing.quality)


def choose_learned(known: Trained, prompt: str, candidates: Sequence[Model], quality: float) -> Opinion:
    """candidates: the cheapest tier first. Only models that outcomes say something of are compared: their own, or their tier's."""
    heads = {model.id: head for model in candidates if (head := known.head(model)) is not None}
    compared = [model for model in candidates if model.id in heads]
    if len({model.tier for model in compared}) < 2:
        return Opinion(reason="outcomes of one tier only are known, so there is nothing to compare with")
    top = max(TIERS.index(model.tier) for model in compared)
    strong = next(model for model in compared if TIERS.index(model.tier) == top)
    seen = known.router.see(prompt)
    best = heads[strong.id].look(seen)
    for model in compared:
        look = heads[model.id].look(seen)
        if TIERS.index(model.tier) < top and _keeps(known.curve(model, strong), look, best, quality):
            return Opinion((model,), reason=f"{model.id} answers such rightly with {look.right:.0%}, {strong.id} with {best.right:.0%}")
    return Opinion((strong,), reason=f"no cheaper model keeps {quality:.0%} of what {strong.id} answers rightly")


def _keeps(measured: Curve | None, look: Look, best: Look, quality: float) -> bool:
    """By the threshold that keeps the quality over all prompts, where one was measured between the two; else prompt by prompt."""
    if measured is None:
        return look.right >= quality * best.right
    return best.rank - look.rank < measured.by_quality(quality)


def unlikely(settings: Settings, prompt: str, response: str, model: str, best: Model) -> str | None:
    """Why a model's answer is too likely wrong; None where it is not, or where nothing was learned of that model's answers.

    best: the model that would be asked last; what it may be expected to get right of such prompts sets the bar.
    """
    try:
        reader, router = trained(answers_file(settings)), trained(router_file(settings))
    except ConfigError:
        return None
    if reader is None or router is None or model == best.id or model not in reader.router.heads or (head := router.head(best)) is None:
        return None
    right = reader.router.head(model).look(reader.router.see(prompt, response)).right
    bar = settings.routing.quality * head.look(router.router.see(prompt)).right
    return None if right >= bar else f"such an answer is right with {right:.0%}, less than the {bar:.0%} to be kept"

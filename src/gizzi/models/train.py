"""Train a learned router from outcomes: who was asked what, and whether the answer was right. Needs scikit-learn.

A shared head is fitted to all models' outcomes, then each model's head as the shared one plus a small correction: two models are wrong for
much the same reasons, and what sets them apart has to be learned from few labels. How far either may move, and the calibration, are
chosen on the training outcomes alone, by predictions for prompts left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gizzi.errors import GizziError, UsageError
from gizzi.models.features import BLOCKS, BUCKETS, SHAPE, Features, extract
from gizzi.models.learned import Curve, Head, LearnedRouter, Seen, curve, make_head, probability, standardise

FOLDS = 5
SHARED_STRENGTHS = (0.05, 0.1, 0.2, 0.4)
OWN_STRENGTHS = (0.025, 0.05, 0.1, 0.2)
"""Inverse regularisation of the shared head and of a model's correction, from which training chooses."""
PRIOR_OUTCOMES = 20.0
"""How many outcomes the prior counts for in a model's scale, bias and calibration."""
PRIOR_POINTS = 32
FREE = 10.0
"""Enlarges the shared head's prediction, so that regularisation hardly holds back how much of it a model takes over."""
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """answer: what the cheaper model had said, for a router that reads it before it decides."""

    prompt: str
    model: str
    right: bool
    answer: str | None = None


class _Line(NamedTuple):
    """A logit that is linear in the columns of a matrix."""

    weights: Any
    bias: float

    def logits(self, x: Any) -> Any:
        return x @ self.weights + self.bias

    def scaled(self, slope: float, shift: float) -> _Line:
        return _Line(self.weights * slope, self.bias * slope + shift)


class _Table(NamedTuple):
    """Outcomes as arrays. x, fold: one row for each distinct prompt (and answer). row, model, right: one entry for each outcome."""

    x: Any
    fold: Any
    row: Any
    model: Any
    right: Any


def train(outcomes: Sequence[Outcome], tiers: Mapping[str, str], *, seed: int = 0, reads_answer: bool = False) -> LearnedRouter:
    """tiers: the tier of each model that occurs in the outcomes. The same outcomes and seed give the same router.

    Raises UsageError where there are too few outcomes to learn from, and GizziError without scikit-learn.
    """
    _need_scikit_learn()
    names = list(dict.fromkeys(outcome.model for outcome in outcomes))
    _check(outcomes, names, tiers)
    texts = list(dict.fromkeys((outcome.prompt, outcome.answer if reads_answer else None) for outcome in outcomes))
    found = [extract(*text) for text in texts]
    centre, spread = _standard(found)
    table = _table(outcomes, texts, [standardise(features, centre, spread) for features in found], names, seed)
    strength, held_out = _choose_shared(table)
    (shared,) = _fit(table.x[table.row], table.right, [strength])
    lines, logits = _fit_heads(table, shared, held_out, len(names))
    counts = [int((table.model == number).sum()) for number in range(len(names))]
    heads = {name: _head(line, tiers[name], count) for name, line, count in zip(names, lines, counts, strict=True)}
    router = LearnedRouter(centre, spread, _head(shared, "", len(outcomes)), heads, reads_answer=reads_answer)
    return replace(router, curves=_curves(names, logits))


def add_model(router: LearnedRouter, model: str, tier: str, outcomes: Sequence[Outcome], *, seed: int = 0) -> LearnedRouter:
    """The router with a head for one more model (or a new one for a model it knows), learned from that model's outcomes on top of its
    tier's prior. No other head changes."""
    _need_scikit_learn()
    _check(outcomes, [model], {model: tier})
    others = replace(router, heads={name: head for name, head in router.heads.items() if name != model})
    base = _line(others.prior(tier))
    texts = list(dict.fromkeys((outcome.prompt, outcome.answer if router.reads_answer else None) for outcome in outcomes))
    table = _table(outcomes, texts, [router.see(*text) for text in texts], [model], seed)
    (line,), _ = _fit_heads(table, base, [base] * FOLDS, 1)
    kept = {pair: measured for pair, measured in router.curves.items() if model not in pair}
    return replace(router, heads={**others.heads, model: _head(line, tier, len(outcomes))}, curves=kept)


def _need_scikit_learn() -> None:
    try:
        importlib.import_module("sklearn")
    except ImportError:
        raise GizziError("training a router needs scikit-learn, which is not installed: pip install 'gizzi[learn]'") from None


def _check(outcomes: Sequence[Outcome], names: Sequence[str], tiers: Mapping[str, str]) -> None:
    for name in names:
        if name not in tiers:
            raise UsageError(f"the outcomes name the model {name!r}, of which no tier is given")
        mine = [outcome.right for outcome in outcomes if outcome.model == name]
        if len(mine) < FEWEST or len(set(mine)) < 2:
            raise UsageError(
                f"{name} has {len(mine)} outcomes, {sum(mine)} of them right; a router learns from {FEWEST} or more, both right and wrong"
            )
    if not names:
        raise UsageError("there are no outcomes to train a router from")


def _standard(found: Sequence[Features]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each figure; a figure that never varies gets 1."""
    import numpy

    figures = numpy.array([features.shape for features in found])
    spread = figures.std(axis=0)
    spread[spread < 1e-6] = 1.0
    return tuple(figures.mean(axis=0).tolist()), tuple(spread.tolist())


def _table(
    outcomes: Sequence[Outcome], texts: Sequence[tuple[str, str | None]], seen: Sequence[Seen], names: Sequence[str], seed: int
) -> _Table:
    """Prompts are dealt to the folds at random, and those that are alike to the same one."""
    import numpy

    places = {text: place for place, text in enumerate(texts)}
    answered = any(answer is not None for _, answer in texts)
    prompts = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in texts))}
    dealt = numpy.random.default_rng(seed).permutation(len(prompts)) % FOLDS
    return _Table(
        x=_common(_matrix(seen)),
        fold=dealt[[prompts[prompt] for prompt, _ in texts]],
        row=numpy.array([places[outcome.prompt, outcome.answer if answered else None] for outcome in outcomes]),
        model=numpy.array([names.index(outcome.model) for outcome in outcomes]),
        right=numpy.array([int(outcome.right) for outcome in outcomes]),
    )


def _matrix(seen: Sequence[Seen]) -> Any:
    """One row a prompt: the buckets of each block, then the shape."""
    from scipy.sparse import csr_matrix

    columns: list[int] = []
    values: list[float] = []
    ends = [0]
    width = len(BLOCKS) * BUCKETS
    for look in seen:
        for block, (buckets, scale) in enumerate(zip(look.buckets, look.scales, strict=True)):
            columns += [block * BUCKETS + bucket for bucket in sorted(buckets)]
            values += [scale] * len(buckets)
        columns += range(width, width + len(SHAPE))
        values += look.shape
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), shape=(len(seen), width + len(SHAPE)))


def _common(x: Any) -> Any:
    """Without what occurs in one prompt only, which says nothing about others."""
    import numpy
    from scipy.sparse import diags

    return (x @ diags((numpy.diff(x.tocsc().indptr) > 1).astype(float))).tocsr()


def _fit(x: Any, right: Any, strengths: Sequence[float], weights: Any = None) -> list[_Line]:
    """One line for each strength, each beginning where the one before it ended."""
    import numpy
    from sklearn.linear_model import LogisticRegression

    columns = numpy.flatnonzero(abs(x).sum(axis=0))
    used = x[:, columns]
    model = LogisticRegression(warm_start=True, max_iter=1000, tol=1e-4)
    lines = []
    for strength in strengths:
        model.set_params(C=strength).fit(used, right, sample_weight=weights)
        line = numpy.zeros(x.shape[1])
        line[columns] = model.coef_[0]
        lines.append(_Line(line, float(model.intercept_[0])))
    return lines


def _choose_shared(table: _Table) -> tuple[float, list[_Line]]:
    """The strength that predicts left-out prompts best, and the lines that predict them, one for each fold."""
    fold = table.fold[table.row]
    losses = [0.0] * len(SHARED_STRENGTHS)
    paths = []
    for number in range(FOLDS):
        kept, out = fold != number, fold == number
        paths.append(_fit(table.x[table.row[kept]], table.right[kept], SHARED_STRENGTHS))
        for place, line in enumerate(paths[-1]):
            losses[place] += _log_loss(line.logits(table.x[table.row[out]]), table.right[out])
    best = losses.index(min(losses))
    return SHARED_STRENGTHS[best], [path[best] for path in paths]


def _fit_heads(table: _Table, base: _Line, held_out: Sequence[_Line], models: int) -> tuple[list[_Line], Any]:
    """Each model's line on top of the base, calibrated; and the calibrated logits of every prompt by lines that did not learn from it.

    held_out: for each fold a base that did not learn from its prompts.
    """
    tried = _predictions(table, held_out, models)
    losses = [_log_loss(logits[table.row, table.model], table.right) for logits in tried]
    best = losses.index(min(losses))
    logits = tried[best]
    lines = []
    for number in range(models):
        mine = table.model == number
        slope, shift = _calibration(logits[table.row[mine], number], table.right[mine])
        logits[:, number] = logits[:, number] * slope + shift
        (line,) = _on_top(table.x[table.row[mine]], base, table.right[mine], [OWN_STRENGTHS[best]])
        lines.append(line.scaled(slope, shift))
    return lines, logits


def _predictions(table: _Table, held_out: Sequence[_Line], models: int) -> list[Any]:
    """For each of OWN_STRENGTHS: for each prompt and model the logit by a line that did not learn from the prompt."""
    import numpy

    tried = [numpy.zeros((table.x.shape[0], models)) for _ in OWN_STRENGTHS]
    fold = table.fold[table.row]
    for number, base in enumerate(held_out):
        out = table.fold == number
        for model in range(models):
            kept = (fold != number) & (table.model == model)
            path = _on_top(table.x[table.row[kept]], base, table.right[kept], OWN_STRENGTHS)
            for logits, line in zip(tried, path, strict=True):
                logits[out, model] = line.logits(table.x[out])
    return tried


def _on_top(x: Any, base: _Line, right: Any, strengths: Sequence[float]) -> list[_Line]:
    """For each strength: scale * base + correction + bias, where the base's own predictions count as PRIOR_OUTCOMES further outcomes."""
    import numpy
    from scipy.sparse import csr_matrix, hstack, vstack

    logits = base.logits(x)
    points, prior, weights = _prior(logits)
    own = hstack([csr_matrix(FREE * logits[:, None]), x])
    imagined = hstack([csr_matrix(FREE * points[:, None]), csr_matrix((len(points), x.shape[1]))])
    path = _fit(vstack([own, imagined]).tocsr(), numpy.r_[right, prior], strengths, numpy.r_[numpy.ones(len(right)), weights])
    scales = [FREE * float(line.weights[0]) for line in path]
    return [
        _Line(scale * base.weights + line.weights[1:], scale * base.bias + line.bias) for scale, line in zip(scales, path, strict=True)
    ]


def _prior(logits: Any) -> tuple[Any, Any, Any]:
    """Imagined outcomes that say "these logits are true", together as much as PRIOR_OUTCOMES: their logits, outcomes and weights."""
    import numpy

    points = numpy.quantile(logits, numpy.linspace(0, 1, PRIOR_POINTS))
    right = 1 / (1 + numpy.exp(-points))
    outcomes = numpy.r_[numpy.ones(PRIOR_POINTS, dtype=int), numpy.zeros(PRIOR_POINTS, dtype=int)]
    return numpy.r_[points, points], outcomes, numpy.r_[right, 1 - right] * (PRIOR_OUTCOMES / PRIOR_POINTS)


def _calibration(logits: Any, right: Any) -> tuple[float, float]:
    """Platt's slope and shift of logits, for prompts that no line learned from, held towards 1 and 0 by the prior."""
    import numpy
    from scipy.sparse import csr_matrix

    points, prior, weights = _prior(logits)
    column = csr_matrix(FREE * numpy.r_[logits, points][:, None])
    (line,) = _fit(column, numpy.r_[right, prior], [1.0], numpy.r_[numpy.ones(len(right)), weights])
    return max(0.05, FREE * float(line.weights[0])), line.bias


def _log_loss(logits: Any, right: Any) -> float:
    import numpy

    return float(numpy.logaddexp(0, numpy.where(right == 1, -logits, logits)).sum())


def _head(line: _Line, tier: str, labels: int) -> Head:
    split = len(BLOCKS) * BUCKETS
    return make_head(tier, labels, line.bias, line.weights[split:].tolist(), line.weights[:split].reshape(len(BLOCKS), BUCKETS).tolist())


def _line(head: Head) -> _Line:
    import numpy

    return _Line(numpy.concatenate([*(numpy.array(block) * head.step for block in head.buckets), numpy.array(head.shape)]), head.bias)


def _curves(names: Sequence[str], logits: Any) -> dict[tuple[str, str], Curve]:
    """For each pair of models, the better one last."""
    right = [[probability(logit) for logit in logits[:, number].tolist()] for number in range(len(names))]
    found = {}
    for weak, low in zip(names, right, strict=True):
        for strong, high in zip(names, right, strict=True):
            if sum(low) < sum(high):
                found[weak, strong] = curve(low, high)
    return found

"""Train a learned router from outcomes: who was asked what, and whether the answer was right. Needs scikit-learn.

A shared head is fitted to all models' outcomes, then each model's head as the shared one plus a small correction: two models are wrong for
much the same reasons, and what sets them apart has to be learned from few labels. How far either may move, and the calibration, are
chosen on the training outcomes alone, by predictions for prompts left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gizzi.errors import UsageError
from gizzi.models.features import BLOCKS, BUCKETS, SHAPE, Features, extract
from gizzi.models.learned import Curve, Head, LearnedRouter, Look, Seen, curve, make_head, probability, standardise

FOLDS = 5
SHARED_STRENGTHS = (0.1, 0.2, 0.4, 0.8)
OWN_STRENGTHS = (0.05, 0.1, 0.2)
"""Inverse regularisation of the shared head and of a model's correction, from which training chooses."""
PRIOR_OUTCOMES = 20.0
"""How many outcomes the prior counts for in a model's scale, bias and calibration."""
PRIOR_POINTS = 32
FREE = 3.0
"""Enlarges the base's prediction as a column, so that regularisation hardly holds back how much of it a model takes over."""
FEWEST = 20
"""Different prompts, of each model."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """prompt: its text, or where that is not kept its features, the answer's among them. answer: what had been said when the router
    decides, for one that reads it: the cheaper model's answer, or this model's own."""

    prompt: str | Features
    model: str
    right: bool
    answer: str | None = None


class _Line(NamedTuple):
    """A logit that is linear in the columns of a matrix."""

    weights: Any
    bias: float

    def logits(self, x: Any) -> Any:
        return x @ self.weights + self.bias


class _Table(NamedTuple):
    """Outcomes as arrays. x, fold: one row for each distinct prompt (and answer). row, model, right: one entry for each outcome."""

    x: Any
    fold: Any
    row: Any
    model: Any
    right: Any


def train(outcomes: Sequence[Outcome], tiers: Mapping[str, str], *, seed: int = 0, reads_answer: bool = False) -> LearnedRouter:
    """tiers: the tier of each model that occurs in the outcomes. The same outcomes and seed give the same router.

    Raises UsageError where there are too few outcomes to learn from, and without scikit-learn.
    """
    names = list(dict.fromkeys(outcome.model for outcome in outcomes))
    _check(outcomes, names, tiers)
    outcomes = _of_what_is_read(outcomes, reads_answer)
    with _scikit_learn():
        return _train(outcomes, names, tiers, seed, reads_answer)


def _train(outcomes: Sequence[Outcome], names: Sequence[str], tiers: Mapping[str, str], seed: int, reads_answer: bool) -> LearnedRouter:
    texts = list(dict.fromkeys((outcome.prompt, outcome.answer) for outcome in outcomes))
    found = [_features(*text) for text in texts]
    centre, spread = _standard(found)
    table = _table(outcomes, texts, [standardise(features, centre, spread) for features in found], names, seed)
    paths = [_fit_shared(table.x[table.row[kept]], table.right[kept], SHARED_STRENGTHS) for kept in _without_each_fold(table)]
    tried = [logits for lines in zip(*paths, strict=True) for logits in _held_out(table, lines, len(names))]
    best, calibrations = _best(table, tried)
    strength, own_strength = SHARED_STRENGTHS[best // len(OWN_STRENGTHS)], OWN_STRENGTHS[best % len(OWN_STRENGTHS)]
    (shared,) = _fit_shared(table.x[table.row], table.right, [strength])
    heads = {}
    for number, name in enumerate(names):
        mine = table.model == number
        (line,) = _on_top(table.x[table.row[mine]], shared, table.right[mine], [own_strength])
        heads[name] = _head(line, tiers[name], int(mine.sum()), *calibrations[number])
    return LearnedRouter(centre, spread, heads, _curves(names, tried[best], calibrations), reads_answer)


def add_model(router: LearnedRouter, model: str, tier: str, outcomes: Sequence[Outcome], *, seed: int = 0) -> LearnedRouter:
    """The router with a head for one more model (or a new one for a model it knows), learned from that model's outcomes on top of its
    tier's prior. No other head changes. Raises as `train` does."""
    _check(outcomes, [model], {model: tier})
    outcomes = _of_what_is_read([outcome for outcome in outcomes if outcome.model == model], router.reads_answer)
    texts = list(dict.fromkeys((outcome.prompt, outcome.answer) for outcome in outcomes))
    others = replace(router, heads={name: head for name, head in router.heads.items() if name != model})
    known = others if any(head.labels for head in others.heads.values()) else router
    with _scikit_learn():
        base = _line(known.prior(tier))
        table = _table(outcomes, texts, [standardise(_features(*text), router.centre, router.spread) for text in texts], [model], seed)
        best, ((slope, shift),) = _best(table, _held_out(table, [base] * FOLDS, 1))
        (line,) = _on_top(table.x[table.row], base, table.right, [OWN_STRENGTHS[best]])
    kept = {pair: measured for pair, measured in router.curves.items() if model not in pair}
    return replace(router, heads={**others.heads, model: _head(line, tier, len(outcomes), slope, shift)}, curves=kept)


@contextmanager
def _scikit_learn() -> Iterator[None]:
    """With one thread: its matrices are small, and threads that wait for each other on a busy machine take many times as long."""
    try:
        importlib.import_module("sklearn")
    except ImportError:
        raise UsageError("training a router needs scikit-learn, which is not installed: pip install 'gizzi[learn]'") from None
    with importlib.import_module("threadpoolctl").threadpool_limits(1):
        yield


def _check(outcomes: Sequence[Outcome], names: Sequence[str], tiers: Mapping[str, str]) -> None:
    if not outcomes:
        raise UsageError("there are no outcomes to train a router from")
    for name in names:
        if name not in tiers:
            raise UsageError(f"the outcomes name the model {name!r}, of which no tier is given")
        few = too_few([outcome for outcome in outcomes if outcome.model == name])
        if few is not None:
            raise UsageError(f"{name}: {few}")


def too_few(mine: Sequence[Outcome]) -> str | None:
    """Why nothing can be learned from one model's outcomes; None where something can."""
    prompts, right = len({_alike(outcome.prompt) for outcome in mine}), sum(outcome.right for outcome in mine)
    if prompts >= FEWEST and right not in (0, len(mine)):
        return None
    return (
        f"{len(mine)} outcomes of {prompts} different prompts, {right} of them right, are too few to learn from;"
        f" it takes {FEWEST} prompts, and both right and wrong answers"
    )


def _of_what_is_read(outcomes: Sequence[Outcome], reads_answer: bool) -> Sequence[Outcome]:
    return outcomes if reads_answer else [replace(outcome, prompt=_alike(outcome.prompt), answer=None) for outcome in outcomes]


def _features(prompt: str | Features, answer: str | None) -> Features:
    return prompt if isinstance(prompt, Features) else extract(prompt, answer)


def _alike(prompt: str | Features) -> str | Features:
    """The prompt alone, by which outcomes are of the same one."""
    return prompt if isinstance(prompt, str) else prompt.without_answer()


def _standard(found: Sequence[Features]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each figure; a figure that never varies gets 1."""
    import numpy

    figures = numpy.array([features.shape for features in found])
    spread = figures.std(axis=0)
    spread[spread < 1e-6] = 1.0
    return tuple(figures.mean(axis=0).tolist()), tuple(spread.tolist())


def _table(
    outcomes: Sequence[Outcome], texts: Sequence[tuple[str | Features, str | None]], seen: Sequence[Seen], names: Sequence[str], seed: int
) -> _Table:
    """Prompts are dealt to the folds at random, and those that are alike to the same one."""
    import numpy

    places = {text: place for place, text in enumerate(texts)}
    prompts = {prompt: place for place, prompt in enumerate(dict.fromkeys(_alike(prompt) for prompt, _ in texts))}
    dealt = numpy.random.default_rng(seed).permutation(len(prompts)) % FOLDS
    return _Table(
        x=_common(_matrix(seen)),
        fold=dealt[[prompts[_alike(prompt)] for prompt, _ in texts]],
        row=numpy.array([places[outcome.prompt, outcome.answer] for outcome in outcomes]),
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
    if not len(columns):
        columns = numpy.array([0])
    used = x[:, columns]
    model = LogisticRegression(warm_start=True, max_iter=1000, tol=1e-4)
    lines = []
    for strength in strengths:
        model.set_params(C=strength).fit(used, right, sample_weight=weights)
        line = numpy.zeros(x.shape[1])
        line[columns] = model.coef_[0]
        lines.append(_Line(line, float(model.intercept_[0])))
    return lines


def _fit_shared(x: Any, right: Any, strengths: Sequence[float]) -> list[_Line]:
    """With one right and one wrong answer to an empty prompt added, so that neither is ever missing."""
    import numpy
    from scipy.sparse import csr_matrix, vstack

    return _fit(vstack([x, csr_matrix((2, x.shape[1]))]).tocsr(), numpy.r_[right, 0, 1], strengths)


def _without_each_fold(table: _Table) -> list[Any]:
    """For each fold, which outcomes are of other folds' prompts."""
    return [table.fold[table.row] != number for number in range(FOLDS)]


def _held_out(table: _Table, bases: Sequence[_Line], models: int) -> list[Any]:
    """For each of OWN_STRENGTHS: the logit of each prompt (row) and model (column), by a line that did not learn from the prompt.

    bases: for each fold a base that did not learn from its prompts.
    """
    import numpy

    tried = [numpy.zeros((table.x.shape[0], models)) for _ in OWN_STRENGTHS]
    for number, (base, others) in enumerate(zip(bases, _without_each_fold(table), strict=True)):
        out = table.fold == number
        for model in range(models):
            kept = others & (table.model == model)
            path = _on_top(table.x[table.row[kept]], base, table.right[kept], OWN_STRENGTHS)
            for logits, line in zip(tried, path, strict=True):
                logits[out, model] = line.logits(table.x[out])
    return tried


def _best(table: _Table, tried: Sequence[Any]) -> tuple[int, list[tuple[float, float]]]:
    """Which of the held-out logits are nearest to the outcomes once calibrated, and each model's calibration there."""
    losses, calibrations = [], []
    for logits in tried:
        loss, pairs = 0.0, []
        for number in range(logits.shape[1]):
            mine = table.model == number
            found, right = logits[table.row[mine], number], table.right[mine]
            slope, shift = _calibration(found, right)
            loss += _log_loss(slope * found + shift, right)
            pairs.append((slope, shift))
        losses.append(loss)
        calibrations.append(pairs)
    best = losses.index(min(losses))
    return best, calibrations[best]


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
    return [_Line(scale * base.weights + line.weights[1:], scale * base.bias + line.bias) for scale, line in zip(scales, path, strict=True)]


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


def _head(line: _Line, tier: str, labels: int, slope: float, shift: float) -> Head:
    split = len(BLOCKS) * BUCKETS
    buckets = line.weights[:split].reshape(len(BLOCKS), BUCKETS).tolist()
    return make_head(tier, labels, line.bias, slope, shift, line.weights[split:].tolist(), buckets)


def _line(head: Head) -> _Line:
    import numpy

    return _Line(numpy.concatenate([*(numpy.array(block) * head.step for block in head.buckets), numpy.array(head.shape)]), head.bias)


def _curves(names: Sequence[str], logits: Any, calibrations: Sequence[tuple[float, float]]) -> dict[tuple[str, str], Curve]:
    """For each pair of models, the better one last."""
    looks = []
    for column, (slope, shift) in zip(logits.T.tolist(), calibrations, strict=True):
        looks.append([Look(probability(logit), probability(slope * logit + shift)) for logit in column])
    expected = [sum(look.right for look in column) for column in looks]
    order = sorted(range(len(names)), key=expected.__getitem__)
    return {(names[a], names[b]): curve(looks[a], looks[b]) for place, a in enumerate(order) for b in order[place + 1 :]}

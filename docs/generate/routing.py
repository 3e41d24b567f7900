"""How a model is chosen: the order of steps, what the words decide, how well it does on labelled questions and on public outcomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gizzi import registry
from gizzi.config import Budget, Settings
from gizzi.models.budget import ZERO, Spent, left_of
from gizzi.models.catalogue import MODEL_TIERS
from gizzi.models.merge import load_catalogue
from gizzi.models.questions import HALVES, Question, Score, questions, score
from gizzi.models.route import choose, strategies_of
from gizzi.models.rules import shipped_table
from gizzi.models.task import TIERS, Task, Tier

from .markdown import code, join, page, sentence, table

FIGURES = Path(__file__).parents[2] / "benchmarks" / "results" / "routing.json"
"""What benchmarks/routing.py printed when it was last run."""
AT = datetime(2026, 11, 22, tzinfo=UTC)
"""The day for which models are taken to be retired or not; which tier a question goes to does not depend on it."""

INTRO = """
Every question goes to the cheapest tier that can answer it. `gizzi route TEXT` says which model that is and why none of the others, without
calling any; `gizzi ask TEXT --json` says the same of an answer, under `route`.

## In this order

1. **Live status.** What the fleet's own status answers ("Is validator 6 healthy?") is answered in words, without a model and at no
   cost.
2. **Criticality.** `--critical`, or a task of critical severity, goes to the frontier tier, before any word of it is looked at.
3. **Hard rules**, which nothing overrules. A model is set aside where the task is private and it is not on your own machines; the
   prompt does not fit; it cannot do what is needed (tools, a JSON schema); it is retired; it has no key, or failed too often just now;
   nobody knows its price; the budget has no room.
4. **A model or a tier asked for** with `--model`.
5. **Strategies**, in the order of `[routing] strategies`: the first that has an opinion wins; one that has none may say why.
6. **The standard tier**, where nobody has an opinion. Never silently the cheapest.

Then the tier's order (`[tiers]`) gives the model, and the next ones to fall back on. A tier with no model left gives way upwards, or
downwards where it is the money that lacks, and the reason says so. So it is with critical work: part of every budget (`[budget]
critical_share`) is kept for it, and where the frontier tier cannot be had all the same, the answer names the tier that gave it and why.
Where no model is left at all, the reflex tier answers what it can.

## Strategies

```toml gizzi.toml
[routing]
strategies = ["rules", "learned"]
quality = 0.95
```
"""
ABOUT_STRATEGIES = """
What by its words is a decision, or is to lead to a write, goes to the frontier tier with each of them.

**rules** is the default, and needs nothing.

**learned** asks a router that `gizzi learn train` wrote. It has, for each model, one small logistic regression over hashed words, word
pairs and the shape of a prompt: the probability that this model answers it rightly. The cheapest model is taken that keeps `[routing]
quality` of what the best one gets right; lower is cheaper, and `gizzi learn train` says what share of calls goes to the better model at
that setting. A model that nobody has outcomes of yet begins as its tier's prior, the mean of its tier's models; `gizzi learn train
--model ID` learns it later without touching the others. Until there is a trained file, and where outcomes of one tier only are known,
it says so and has no opinion.

**cascade** asks the cheap model first, and the next tier where the answer does not hold: it contradicts live status ("validator 6 is
healthy", and it is not), says itself that it does not know, or, once answers have been learned from too, is less likely right than
`quality` asks for. Typed answers also go up when they break their schema. All calls are paid and counted; the answer's cost is that of
all of them.

**consensus** puts decisions to a vote of up to three models of different providers, each the best of its provider. More than half must
begin with the same word (RESTART, WAIT, YES …); anything else goes to a person, with every vote and every answer shown. Critical work
is voted on within the frontier tier alone.

Cascade and consensus take several calls, each of which goes through the same door as any other: budget, breaker, ledger. What streams,
and each step of a role's work, is one call, and is routed by the other strategies. A [plugin](../reference/python.md#strategy) adds
another strategy.
"""
ABOUT_RULES = """
The words and rules are data ([words.toml](../../src/gizzi/models/words.toml)). Words match as words ("sum" is not in "summary"), and
what is pasted, quoted or fenced does not speak for the person who pasted it. In this order, the first that holds decides:
"""
ABOUT_QUESTIONS = """
200 questions of operators come with Gizzi, each with the lowest tier that can answer it; {adversarial} of them have words that point to
the wrong tier. Half of them were there when the words were chosen, the other half was held out. `gizzi eval questions` measures your
own configuration on them; this is the shipped one. How many that need the tier of the row went to the tier of the column:
"""
ABOUT_LEARNED = """
On public outcomes of 14,037 prompts (MMLU; Mixtral-8x7B as the weak model, GPT-4 as the strong one), trained on some and tested on the
others. APGR is the area under the part of the gap between both models that is recovered, over the share of calls to the strong one: 0.5
for a router that guesses, and the best published router on these data has 0.603. CPT(50) and CPT(80) are the percent of calls to the
strong model that recover half and four fifths of the gap.
"""
COMMANDS = """
```sh
gizzi eval routing outcomes.csv --train 1500 --seed 0
gizzi eval questions
gizzi feedback 4f1c0a9be723 good
gizzi learn train
gizzi learn train --from outcomes.csv --weak ollama/llama3.1:8b --strong anthropic/claude-opus-5-5
```

`gizzi learn train` learns from what people said with `gizzi feedback`, and from answers that live facts contradicted or that broke
their schema. Of a prompt and its answer only features are stored: which of 8,192 buckets its words fall into, and figures about its
shape. No text is kept, and none can be read from them, though one could test whether a given word may have occurred. Of what is marked
private nothing is stored.

A file has the columns `prompt, model, right` (and `response`, if its answers are to be learned from), or `prompt, weak, strong` (and
`weak_response`), with 0 or 1 for wrong and right.
"""


def routing_page() -> str:
    settings = Settings.model_validate({"plugins": {"folder": "/nonexistent"}})
    loaded = registry.load(settings)
    strategies = table(["strategy", "does"], [(code(item.name), sentence(item.summary)) for item in loaded.strategies])
    rules = dict.fromkeys((rule.kind, rule.tier) for rule in shipped_table().rules)
    decides = table(["what it is about", "tier"], rules)
    return page(
        "How a model is chosen",
        INTRO,
        join(strategies, ABOUT_STRATEGIES),
        join("## What the words decide", ABOUT_RULES, decides),
        join("## On questions of operators", _questions(settings, loaded)),
        join("## On public outcomes", ABOUT_LEARNED, _learned(json.loads(FIGURES.read_text(encoding="utf-8")))),
        join("## Measuring and learning", COMMANDS),
    )


def _questions(settings: Settings, loaded: registry.Registry) -> str:
    asked = [question for half in HALVES for question in questions(half)]
    flagged, by_words = (_score(asked, settings, loaded, flag=flag) for flag in (True, False))
    counts = table(["needs", *TIERS], [(needs, *(flagged.confusion.get((needs, got), 0) for got in TIERS)) for needs in MODEL_TIERS])
    lines = [
        f"- {flagged.right_or_above:.1%} go to the tier they need or above, {flagged.right:.1%} to just that one;",
        f"- {flagged.needless_frontier:.1%} of those that do not need the frontier tier go there;",
        f"- {flagged.critical_to_frontier} of {flagged.critical} critical ones go to the frontier tier when they are marked critical, and"
        f" {by_words.critical_to_frontier} by their words alone.",
    ]
    adversarial = sum(question.adversarial for question in asked)
    return join(ABOUT_QUESTIONS.format(adversarial=adversarial), counts, "\n".join(lines))


def _score(asked: list[Question], settings: Settings, loaded: registry.Registry, *, flag: bool) -> Score:
    rows = load_catalogue(settings, loaded.model_rows, today=AT.date())
    left = left_of(Budget(day_usd=Decimal(10**6), month_usd=Decimal(10**6)), Spent(ZERO, ZERO, {}, {}))
    strategies = strategies_of(settings, loaded)

    def tier_of(question: Question) -> Tier:
        task = Task(question.text, critical=flag and question.critical)
        return choose(task, rows, lambda _: None, left, strategies, AT).tier

    return score(asked, tier_of)


def _learned(figures: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = []
    for labels, found in figures["labels"].items():
        low, high = found["apgr_interval"]
        shown = (f"{found['apgr']:.3f}", f"{low:.3f} to {high:.3f}", f"{found['cpt50']:.1f} %", f"{found['cpt80']:.1f} %")
        rows.append((f"learned, {int(labels):,} labels", *shown, str(found["seeds"])))
    baselines = figures["labels"]["1500"]["baselines"]
    rows += [(name, f"{apgr:.3f}", "", "", "", "") for name, apgr in baselines.items()]
    shown_table = table(["router", "APGR", "95 % interval", "CPT(50)", "CPT(80)", "seeds"], rows)
    p50, p99 = figures["decision_p50_ms"], figures["decision_p99_ms"]
    took = (
        f"One decision on a prompt of 2,000 characters takes {p50} ms, or {p99} ms at the 99th percentile, where nobody else uses the core."
    )
    how = "Made by `python benchmarks/routing.py > benchmarks/results/routing.json`."
    return join(shown_table, f"{took}\n{how}")

"""`gizzi eval routing` and `gizzi eval questions`: how well the routing chooses, on labelled data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from gizzi.cli.route import make_router
from gizzi.cli.terminal import clean, grid, heading, print_json, show, text
from gizzi.config import Budget
from gizzi.models.budget import ZERO, Spent, left_of
from gizzi.models.catalogue import MODEL_TIERS
from gizzi.models.evaluate import evaluate_routing
from gizzi.models.questions import HALVES, Question, questions, score
from gizzi.models.task import TIERS, Task, Tier

OURS = "learned"
AMPLE = Decimal(1_000_000)
UNSPENT = Spent(ZERO, ZERO, {}, {})


def eval_routing(file: Path, *, train: int, seed: int, cascade: bool, as_json: bool) -> int:
    found = evaluate_routing(file, train, seed, cascade)
    if as_json:
        print_json(found)
    else:
        show(*_routing_page(found))
    return 0


def _routing_page(found: Mapping[str, Any]) -> list[RenderableType]:
    rows = [[Text(word, "dim") for word in ("router", "APGR", "CPT(50)", "CPT(80)", "95 % of APGR")]]
    ends = found["apgr_interval"]
    shown = f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else "too few rows to tell"
    rows.append(_line(OURS, found["apgr"], found["cpt50"], found["cpt80"], shown, "bold"))
    for name, apgr in found["baselines"].items():
        rows.append(_line(name, apgr, found["baselines_cpt50"][name], found["baselines_cpt80"][name], ""))
    accuracy = f"right answers: weak {found['weak_accuracy']:.1%}, strong {found['strong_accuracy']:.1%}"
    title = f"Trained on {found['train']:,} of {found['rows']:,} rows, tested on the other {found['test']:,}"
    return [heading(title), grid(rows), text(accuracy, "dim"), text("CPT: percent of calls to the strong model", "dim")]


def _line(name: str, apgr: float, cpt50: float, cpt80: float, interval: str, style: str = "") -> list[Text]:
    return [text(name, style), text(f"{apgr:.3f}", style), text(f"{cpt50:.1f} %"), text(f"{cpt80:.1f} %"), text(interval)]


def eval_questions(config: Path | None, *, as_json: bool) -> int:
    """Keys and breakers play no part: every model counts as reachable, and no budget is met, so that the strategies alone are judged."""
    router = replace(make_router(config), reachable=lambda _: None, left=left_of(Budget(day_usd=AMPLE, month_usd=AMPLE), UNSPENT))
    asked = [question for half in HALVES for question in questions(half)]

    def tier_of(question: Question) -> Tier:
        return router.choose(Task(question.text, critical=question.critical)).tier

    found = score(asked, tier_of).as_json()
    if as_json:
        print_json(found)
    else:
        show(*_questions_page(found))
    return 0


def _questions_page(found: Mapping[str, Any]) -> list[RenderableType]:
    rows = [[Text("needs", "dim"), *(Text(f"to {tier}", "dim") for tier in TIERS)]]
    for needs in MODEL_TIERS:
        counts = found["confusion"][needs]
        rows.append([text(needs), *(text(counts[got], "bold" if got == needs else "") for got in TIERS)])
    said = [
        f"{found['right_or_above']:.1%} to the tier it needs or above, {found['right']:.1%} to just that",
        f"{found['needless_frontier']:.1%} of those that do not need the frontier tier went there",
        f"{found['critical_to_frontier']} of {found['critical']} critical ones to the frontier tier",
    ]
    return [heading(f"{found['questions']} questions of operators"), grid(rows), *(Text(clean(line)) for line in said)]

"""Training the configured router: from a CSV file, or from what is known of its own answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gizzi.config import Settings
from gizzi.errors import UsageError
from gizzi.models import learned_file
from gizzi.models.catalogue import Catalogue
from gizzi.models.evaluate import STRONG, WEAK, flag, records
from gizzi.models.features import Features
from gizzi.models.learned import Curve, LearnedRouter
from gizzi.models.learned_choice import answers_file, router_file
from gizzi.models.train import Outcome, add_model, too_few, train

LONG = ("prompt", "model", "right")
WIDE = ("prompt", WEAK, STRONG)


def outcomes_of(file: Path, catalogue: Catalogue, weak: str | None, strong: str | None) -> list[Outcome]:
    """One outcome a row (prompt, model, right, and response if there is one), or two (prompt, weak, strong, and weak_response).

    weak, strong: the models of those columns. Raises UsageError, which names the file and the line.
    """
    rows = records(file, lambda header: WIDE if WEAK in header or STRONG in header else LONG)
    if WEAK not in rows[0][1]:
        return [
            Outcome(row["prompt"] or "", catalogue.find(row["model"] or "").id, flag(file, line, "right", row), row.get("response") or None)
            for line, row in rows
        ]
    if weak is None or strong is None:
        raise UsageError(f"{file}: which models are weak and strong? Name them with --weak ID and --strong ID")
    names = catalogue.find(weak).id, catalogue.find(strong).id
    if names[0] == names[1]:
        raise UsageError(f"--weak and --strong are the same model, {names[0]}")
    found = []
    for line, row in rows:
        found.append(Outcome(row["prompt"] or "", names[0], flag(file, line, WEAK, row), row.get("weak_response") or None))
        found.append(Outcome(row["prompt"] or "", names[1], flag(file, line, STRONG, row)))
    return found


def learn(settings: Settings, catalogue: Catalogue, outcomes: Sequence[Outcome], only: str | None = None) -> dict[str, Any]:
    """Train on them and write the files; what was learned. only: learn this model's head alone, the others stay as they are.

    Raises UsageError where there is too little to learn from, ConfigError where a file cannot be read or written.
    """
    by_model: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_model.setdefault(outcome.model, []).append(outcome)
    if only is not None:
        by_model = {only: by_model.get(only, [])}
    skipped = {name: why for name, mine in by_model.items() if (why := _why_not(name, mine, catalogue))}
    used = {name: mine for name, mine in by_model.items() if name not in skipped}
    if not used:
        told = "; ".join(f"{name}: {why}" for name, why in skipped.items()) or "nobody has said of any answer whether it was good"
        raise UsageError(f"there is nothing to learn from yet: {told} (`gizzi feedback` says how an answer was, --from reads a file)")
    file, answers = router_file(settings), answers_file(settings)
    router = _trained(file, used, catalogue, only, reads_answer=False)
    with_answer = {name: [outcome for outcome in mine if _has_answer(outcome)] for name, mine in used.items()}
    readable = {name: mine for name, mine in with_answer.items() if too_few(mine) is None}
    reader = _trained(answers, readable, catalogue, only, reads_answer=True) if readable else None
    learned_file.save(router, file)
    if reader is not None:
        learned_file.save(reader, answers)
    return {
        "file": str(file),
        "answers_file": str(answers) if reader is not None else None,
        "models": [_shown(name, mine, router, name in readable) for name, mine in used.items()],
        "skipped": [{"model": name, "why": why} for name, why in skipped.items()],
        "quality": settings.routing.quality,
        "pairs": [
            {"weak": weak, "strong": strong, "share_to_strong": _share(curve, settings.routing.quality)}
            for (weak, strong), curve in router.curves.items()
        ],
    }


def _trained(
    file: Path, used: Mapping[str, Sequence[Outcome]], catalogue: Catalogue, only: str | None, *, reads_answer: bool
) -> LearnedRouter:
    if only is not None and file.is_file():
        return add_model(learned_file.load(file), only, catalogue.models[only].tier, used[only])
    tiers = {name: catalogue.models[name].tier for name in used}
    return train([outcome for mine in used.values() for outcome in mine], dict(tiers), reads_answer=reads_answer)


def _why_not(name: str, mine: Sequence[Outcome], catalogue: Catalogue) -> str | None:
    return too_few(mine) if name in catalogue.models else "it is not in the catalogue any more"


def _has_answer(outcome: Outcome) -> bool:
    return outcome.prompt.has_answer if isinstance(outcome.prompt, Features) else outcome.answer is not None


def _shown(name: str, mine: Sequence[Outcome], router: LearnedRouter, reads: bool) -> dict[str, Any]:
    right = sum(outcome.right for outcome in mine) / len(mine)
    return {"model": name, "tier": router.heads[name].tier, "outcomes": len(mine), "right": round(right, 4), "answers_read": reads}


def _share(curve: Curve, kept: float) -> float:
    """The share of calls that must go to the strong model to keep the quality."""
    return next((percent / 100 for percent, quality in enumerate(curve.quality) if quality >= kept * curve.quality[-1]), 1.0)

"""`gizzi propose` and `gizzi models adopt`: Consensus Day at a terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.prompt import Confirm
from rich.text import Text

from gizzi.cli.new_model import LONGEST_ROW, NewModel, free_place, new_model, write_row
from gizzi.cli.terminal import clean, grid, print_json, say, show, text
from gizzi.cli.words import settings_of, who
from gizzi.clock import LiveClock
from gizzi.config import Settings, state_folder
from gizzi.consensus_day.sealed import Signer, opened, sealed
from gizzi.consensus_day.tally import CHOICES, Tally, enacted, read_stakes, result, rules_of, share, vote
from gizzi.errors import UsageError
from gizzi.memory.keys import keys_of
from gizzi.models.catalogue import price_json
from gizzi.models.exam import NOT_EVALUATED, examine
from gizzi.models.model import Model
from gizzi.models.project import ASSUMED, DAYS, QUERIES_PER_DAY
from gizzi.models.task import Usage

LONGEST_FILE_BYTES = 50_000_000
SHARES = {"local": 70, "standard": 20, "frontier": 10}
"""Percent of questions that a tier takes, in the three-tier plan."""


def propose_model(
    config: Path | None, file: Path, *, days: int, quorum: str, majority: str, evaluate: bool, to: Path | None, as_json: bool
) -> int:
    settings, row = settings_of(config), _read(file).decode("utf-8", "replace")
    share(quorum, "quorum"), share(majority, "supermajority")
    new = new_model(settings, row)
    model = new.model
    now = int(LiveClock().now())
    body = {
        "model": model.id,
        "row": row,
        "tier": model.tier,
        "price": None if model.price is None else price_json(model.price),
        "evaluation": _evaluation(settings, new) if evaluate else f"{NOT_EVALUATED}: nobody asked for it",
        "cost": _projection(model),
        "proposed_by": who(),
        "opens_at": now,
        "closes_at": now + days * 86_400,
        "quorum": quorum,
        "supermajority": majority,
    }
    document = sealed("proposal", body, _signer(settings))
    place = to or file.with_suffix(".proposal.json")
    _write(place, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        print_json(document)
    else:
        show(text(f"{place}: proposal {document['hash']}"), grid([[text(key, "dim"), text(body[key])] for key in body if key != "row"]))
    return 0


def cast(config: Path | None, file: Path, choice: str) -> int:
    chosen = next((known for known in CHOICES if known == choice), None)
    if chosen is None:
        raise UsageError(f"{clean(choice, 40)!r} is no vote; say {', '.join(CHOICES)}")
    document = _json(file)
    rules_of(opened("proposal", document))
    print(json.dumps(vote(document["hash"], chosen, int(LiveClock().now()), _signer(settings_of(config)))))
    return 0


def tally(config: Path | None, file: Path, *, proposal: Path | None, stakes: Path | None, to: Path | None, as_json: bool) -> int:
    given = _votes(file)
    document = _json(proposal) if proposal is not None else given.get("proposal")
    table = _json(stakes) if stakes is not None else given.get("stakes")
    if document is None or table is None:
        raise UsageError(f"{file} holds no {'proposal' if document is None else 'stakes'}; name its file with an option")
    signed, counted = result(document, given["votes"], read_stakes(table), LiveClock().now(), _signer(settings_of(config)))
    place = to or file.with_suffix(".result.json")
    _write(place, json.dumps(signed, indent=2, ensure_ascii=False) + "\n")
    state = signed["body"]["state"]
    if as_json:
        rejected = [{"vote": dict(one), "why": why} for one, why in counted.rejected]
        print_json({"state": state, "file": str(place), **{k: signed["body"][k] for k in ("total_stake", "stake")}, "rejected": rejected})
    else:
        show(*_tally_page(state, counted), text(f"signed result: {place}", "dim"))
    return 0 if state == "enacted" else 1


def adopt(config: Path | None, file: Path, *, trust: list[str], yes: bool) -> int:
    """Raises UsageError where the result is not enacted, not trusted, or its row changes what is there."""
    settings = settings_of(config)
    proposal = enacted(_json(file), [_signer(settings).public, *trust], LiveClock().now())
    new = new_model(settings, str(proposal.get("row")))
    place = free_place(settings, new.model)
    show(text(proposal["row"], limit=LONGEST_ROW), text(f"to be written to {place}", "dim"))
    if not yes and not (sys.stdin.isatty() and Confirm.ask("Add this model?")):
        say("nothing was written; say --yes")
        return 1
    write_row(place, new)
    print(f"{place} is written; `gizzi models` shows {new.model.id}")
    return 0


def _evaluation(settings: Settings, new: NewModel) -> dict[str, Any] | str:
    return asyncio.run(examine(settings, new.registry, new.model, new.catalogue.reachability(settings)))


def _projection(model: Model) -> dict[str, Any]:
    """A month in which it answers all that its tier is asked."""
    percent, tokens = SHARES[model.tier], ASSUMED[model.tier]
    queries = QUERIES_PER_DAY * DAYS * percent // 100
    month = None if model.price is None else format(queries * model.price.of(Usage(*tokens)), "f")
    return {"month_usd": month or "unknown", "queries": queries, "tokens_in": tokens[0], "tokens_out": tokens[1], "share_percent": percent}


def _tally_page(state: str, counted: Tally) -> list[Any]:
    rows = [[text(choice), text(f"{amount:,}"), text(_part(amount, counted.total), "dim")] for choice, amount in counted.stake.items()]
    rows += [[Text("of", "dim"), text(f"{counted.total:,}", "dim"), Text()]]
    lost = [[text(str(one.get("voter", "?")), "dim", 16), text(why)] for one, why in counted.rejected[:50]]
    parts: list[Any] = [text(state, "bold green" if state == "enacted" else "bold"), grid(rows, indent=2)]
    return [*parts, text(f"{len(counted.rejected)} rejected"), grid(lost, indent=2)] if lost else parts


def _part(amount: int, total: int) -> str:
    return f"{Decimal(amount * 10_000 // total) / 100} %" if total else "–"


def _signer(settings: Settings) -> Signer:
    return keys_of(settings.store.url, state_folder()).author(who())


def _votes(file: Path) -> dict[str, Any]:
    """{"votes": […]}, and what else the file holds."""
    raw = _read(file)
    if raw.lstrip()[:1] == b"{" and b"\n" in raw.strip():
        lines = raw.splitlines()
        try:
            return {"votes": [json.loads(line) for line in lines if line.strip()]}
        except (ValueError, RecursionError):
            pass
    found = _json(file)
    if isinstance(found, list):
        return {"votes": found}
    if isinstance(found, dict) and isinstance(found.get("votes"), list):
        return found
    if isinstance(found, dict) and "voter" in found:
        return {"votes": [found]}
    raise UsageError(f"{file} holds no votes")


def _json(file: Path) -> Any:
    try:
        return json.loads(_read(file))
    except (ValueError, RecursionError):
        raise UsageError(f"{file} is not JSON") from None


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened_file:
            data = opened_file.read(LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > LONGEST_FILE_BYTES:
        raise UsageError(f"{file} is larger than {LONGEST_FILE_BYTES / 1e6:g} MB")
    return data


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None

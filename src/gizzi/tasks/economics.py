"""What validators earn, miss and cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median
from typing import Any

from gizzi import ReportItem, Scene, SourceError, task
from gizzi.readers.runtime import account
from gizzi.tasks._chain import STASH, ChainReader, mapping, open_chain, unread, without
from gizzi.tasks._votes import Missed, missed_votes

LITTLE = Decimal("0.5")
"""Of the set's median: whoever earned less misses something."""
COST = "cost_usd_month"
"""The label of what a validator's machine costs a month, US$."""
PERBILL = 10_000_000
REPORTS = 200
MOST_VALIDATORS = 10_000
MONTH_DAYS = 30


@task("rewards")
async def rewards(scene: Scene) -> list[ReportItem]:
    """Compares each validator's missed votes and era points with the set's median, and its commission and payee with what the last report
    saw. Points need the pallet Staking, and each validator's stash in its label `stash`; votes need only what was watched."""
    items: list[ReportItem] = []
    before = await _seen_before(scene)
    for chain in scene.chains():
        missed = await missed_votes(scene, chain.id)
        try:
            reader = await open_chain(scene, chain)
            items += await _of_chain(reader, before, missed)
        except SourceError as error:
            items.append(unread(chain, "what validators earn", error))
        items += missed.items([v for v in scene.validators if v.chain == chain.id and v.authority], f"chain {chain.id}")
    return items


async def _of_chain(reader: ChainReader, before: Mapping[str, str], missed: Missed) -> list[ReportItem]:
    if await _staking_moved(reader):
        text = "commission and payee are not known: they stand on its Asset Hub; add that chain with this one as its parent"
        known = any(chain.parent == reader.chain.id for chain in reader.scene.settings.chains)
        return [*await _earned(reader, missed), *([] if known else [ReportItem(text, "low", reader.about)])]
    if not reader.runtime.has("Staking"):
        return [without(reader, "Staking", "what validators earn")]
    return [*await _earned(reader, missed), *await _settings(reader, before)]


async def _earned(reader: ChainReader, missed: Missed) -> list[ReportItem]:
    where, span, points = await _points(reader)
    if not points:
        return [ReportItem(f"nobody has earned points in {span} yet", "low", reader.about)]
    usual = median(points.values())
    items = [ReportItem(f"{span}: {len(points)} earned points, {usual:g} at the median", "low", reader.about, ((where, span),))]
    for stash, validator in reader.stashes().items():
        own, about = points.get(stash), f"validator {validator.number}"
        seen = ((where, f"{span}: {own if own is not None else 'none'}, median {usual:g}"), *missed.evidence(validator))
        if own is None:
            items.append(ReportItem(f"it has no points in {span}; whoever is in the set has some", "medium", about, seen))
        else:
            little = own < LITTLE * Decimal(usual)
            text = f"{own} points in {span}, {100 * own / usual if usual else 0:.0f} % of the median"
            hint = "; look at its votes, its peers and its clock" if little else ""
            items.append(ReportItem(text + hint, "high" if little else "low", about, seen))
    nameless = [v.number for v in reader.scene.validators if v.chain == reader.chain.id and STASH not in v.labels]
    if nameless:
        items.append(ReportItem(f"no label `stash`, so what they earn is unknown: validators {_listed(nameless)}", "low", reader.about))
    return items


async def _points(reader: ChainReader) -> tuple[str, str, dict[str, int]]:
    """(where they stand, of which span, points by public key). Raises SourceError where no era is active.

    A relay chain whose Asset Hub does the staking counts points of the session alone, and what its own pallet Staking holds is of old.
    """
    if await _staking_moved(reader):
        counted = await reader.entries("StakingAhClient", "ValidatorPoints", most=MOST_VALIDATORS)
        pairs = [[keys[0], points] for keys, points in counted]
        return "StakingAhClient.ValidatorPoints", "this session", _by_key(pairs)
    era = mapping(await reader.stored("Staking", "ActiveEra")).get("index")
    if not isinstance(era, int):
        raise SourceError("unreadable", "no era is active")
    said = mapping(await reader.stored("Staking", "ErasRewardPoints", era))
    return "Staking.ErasRewardPoints", f"era {era}", _by_key(said.get("individual"))


async def _staking_moved(reader: ChainReader) -> bool:
    """Whether this chain's staking is done on its Asset Hub."""
    if not reader.runtime.has("StakingAhClient", "Mode"):
        return False
    return not reader.runtime.has("Staking") or await reader.stored("StakingAhClient", "Mode") != "Passive"


def _by_key(individual: Any) -> dict[str, int]:
    pairs = [pair for pair in individual if isinstance(pair, list) and len(pair) == 2] if isinstance(individual, list) else []
    return {key: points for who, points in pairs if (key := account(who)) and isinstance(points, int)}


async def _settings(reader: ChainReader, before: Mapping[str, str]) -> list[ReportItem]:
    """Commission and payee now, and against the last report."""
    items: list[ReportItem] = []
    for stash, validator in reader.stashes().items():
        commission = mapping(await reader.stored("Staking", "Validators", stash)).get("commission")
        payee = await reader.stored("Staking", "Payee", stash)
        now = {
            "commission": f"{Decimal(commission) / PERBILL:f} %" if isinstance(commission, int) else "unknown",
            "payee": _payee(reader, payee),
        }
        for name, value in now.items():
            place = f"{validator.number}/{name}"
            old = before.get(place)
            changed = old is not None and old != value
            text = f"{name} changed from {old} to {value}; if nobody announced it, it is for security" if changed else f"{name} {value}"
            items.append(ReportItem(text, "high" if changed else "low", f"validator {validator.number}", ((place, value),)))
    return items


def _payee(reader: ChainReader, payee: Any) -> str:
    if isinstance(payee, Mapping) and len(payee) == 1:
        (kind, whom), *_ = payee.items()
        return f"{kind} {reader.shown(account(whom))}"
    return payee if isinstance(payee, str) else "unknown"


async def _seen_before(scene: Scene) -> dict[str, str]:
    """What earlier reports saw, the latest of each."""
    if scene.memory is None:
        return {}
    seen: dict[str, str] = {}
    for stored in await scene.memory.latest(REPORTS, kind="report"):
        if "rewards" in stored.entry.tags:
            for place, value in re.findall(r"\((\d+/(?:commission|payee)): ([^()]*)\)", stored.entry.body):
                seen.setdefault(place, value)
    return seen


@task("costs")
async def costs(scene: Scene) -> list[ReportItem]:
    """What a validator costs a month: its label `cost_usd_month`, and its part of what models have cost in the last 30 days."""
    models_usd = await scene.models_usd(MONTH_DAYS)
    count = len(scene.settings.validators) or len(scene.validators)
    each = models_usd / count if count else Decimal(0)
    known = {v.number: usd for v in scene.validators if (usd := _usd(v.labels.get(COST))) is not None}
    items = [
        ReportItem(
            f"US$ {usd + each:.2f} a month: its machine {usd:.2f}, models {each:.2f}",
            "low",
            f"validator {number}",
            (("labels", f"{COST} {usd}"), ("ledger", f"US$ {models_usd:.4f} in {MONTH_DAYS} days for {count} validators")),
        )
        for number, usd in known.items()
    ]
    without_cost = [v.number for v in scene.validators if v.number not in known]
    if without_cost:
        text = f"what the machines of validators {_listed(without_cost)} cost is unknown: they have no label `{COST}`"
        items.append(ReportItem(f"{text}; models cost US$ {each:.4f} each", "low"))
    total = sum(known.values(), Decimal(0)) + models_usd
    summed = f"{'together' if not without_cost else 'together, as far as it is known,'} US$ {total:.2f} a month"
    return [ReportItem(f"{summed}, of it models US$ {models_usd:.4f}", "low"), *items]


def _usd(label: str | None) -> Decimal | None:
    return Decimal(label) if label is not None and re.fullmatch(r"\d{1,9}(\.\d{1,6})?", label) else None


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, sorted(numbers)[:12]))
    return shown if len(numbers) <= 12 else f"{shown} and {len(numbers) - 12} more"

"""What a chain's blocks tell of attackers: calls by the root, drained accounts, keys and rewards that moved."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from gizzi import Chain, ReportItem, Scene, SourceError, UsageError, Validator, task
from gizzi.tasks import _suspicious as look
from gizzi.tasks._chain import Block, ChainReader, mapping, number_of, open_chain, unread

FIRST_TIME, MOST_BLOCKS = 250, 3600
"""A node keeps the state, and so the events, of its last 256 blocks unless it is told to keep more."""
AT_ONCE = 8
MOST_BALANCES = 200
MOST_OF_A_KIND = 20
NOTES_FOR_S = 7 * 86_400.0
NOTES = 200
_READ_UP_TO = r"chain {chain}: read blocks \d+ to (\d+)"

_Severity = Literal["low", "medium", "high", "critical"]


@task("analyze_suspicious_transactions")
async def analyze_suspicious_transactions(scene: Scene, blocks: str | None, large: str | None) -> list[ReportItem]:
    """Reads the blocks since the last report (the first time 250; `blocks` says another number, at most 3600) and reports sudo calls,
    large transfers (0.1 % of all there is, or `large` tokens) and draining ones, changes of session keys, payee and commission, new
    proxies, bursts, offences and runtime upgrades. What a note in the memory or a maintenance window speaks of counts as announced.
    A validator's stash stands in its label `stash`."""
    items: list[ReportItem] = []
    for chain in scene.chains():
        try:
            reader = await open_chain(scene, chain)
            items += await _of_chain(reader, await _span(scene, reader, blocks), await _tokens(reader), large)
        except SourceError as error:
            items.append(unread(chain, "what its blocks hold", error))
    return items


@dataclass(frozen=True, slots=True)
class _Tokens:
    decimals: int
    symbol: str

    def text(self, amount: int) -> str:
        return f"{(Decimal(amount) / 10**self.decimals).normalize():,f} {self.symbol}"


async def _tokens(reader: ChainReader) -> _Tokens:
    said = mapping(await reader.call("system_properties"))
    decimals, symbol = (_first(said.get(name)) for name in ("tokenDecimals", "tokenSymbol"))
    known = isinstance(decimals, int) and 0 <= decimals <= 30
    return _Tokens(decimals, str(symbol or "tokens")[:12]) if known else _Tokens(0, "of the smallest unit")


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


async def _span(scene: Scene, reader: ChainReader, blocks: str | None) -> range:
    """The numbers of the blocks to read, up to the finalized head."""
    count = number_of("blocks", blocks, FIRST_TIME, MOST_BLOCKS)
    if blocks is None and (read := await _read_up_to(scene, reader.chain)) is not None and read <= reader.head:
        count = min(reader.head - read, MOST_BLOCKS)
    return range(max(1, reader.head - count + 1), reader.head + 1)


async def _read_up_to(scene: Scene, chain: Chain) -> int | None:
    if scene.memory is None:
        return None
    line = re.compile(_READ_UP_TO.format(chain=re.escape(chain.id)))
    for stored in await scene.memory.latest(NOTES, kind="report"):
        found = line.search(stored.entry.body) if "analyze_suspicious_transactions" in stored.entry.tags else None
        if found:
            return int(found[1])
    return None


async def _of_chain(reader: ChainReader, span: range, tokens: _Tokens, large: str | None) -> list[ReportItem]:
    found, lost = await _blocks(reader, span)
    notes = await _notes(reader)
    ours = reader.stashes()
    seen = [sight for block in found for sight in look.sights(block)]
    seen += await _transfers(reader, found, tokens, large)
    seen += [look.Sight("burst", f"signed {n} extrinsics in {len(found)} blocks", f"{_span_text(span)}", "", who)
             for who, n in look.bursts(found)]  # fmt: skip
    items = _items(reader, seen, ours, notes)
    undecoded = sum(extrinsic is None for block in found for extrinsic in block.extrinsics)
    pruned = " (a node keeps the state of 256 blocks by default: read one with --state-pruning archive, or run this more often)"
    gaps = [f"{lost} blocks could not be read{pruned * (lost > AT_ONCE)}"] if lost else []
    gaps += [f"{undecoded} extrinsics could not be decoded"] if undecoded else []
    if gaps:
        items.append(ReportItem(f"{' and '.join(gaps)}; what they hold is unknown", "medium", reader.about))
    signed = sum(extrinsic is not None and extrinsic.signer is not None for block in found for extrinsic in block.extrinsics)
    said = f"read {_span_text(span)}: {signed} signed extrinsics, {sum(len(block.events) for block in found)} events"
    stash = "" if ours else "; no validator of it has a label `stash`, so nobody can tell which accounts are ours"
    items.append(ReportItem(said + stash, "low", reader.about, ((f"block {reader.head}", reader.head_hash),)))
    return items


def _span_text(span: range) -> str:
    return f"blocks {span.start} to {span.stop - 1}"


async def _blocks(reader: ChainReader, span: range) -> tuple[list[Block], int]:
    """Those that could be read, and how many could not."""
    if not span:
        return [], 0
    before = await reader.version_at(await reader.hash_at(span.start - 1))
    found: list[Block] = []
    lost = 0
    for start in range(span.start, span.stop, AT_ONCE):
        some = range(start, min(start + AT_ONCE, span.stop))
        read = (reader.block(number, one_runtime=before == reader.version) for number in some)
        for said in await asyncio.gather(*read, return_exceptions=True):
            if isinstance(said, Block):
                found.append(said)
            elif isinstance(said, SourceError):
                lost += 1
            else:
                raise said
    if not found:
        raise SourceError("unreadable", f"none of {_span_text(span)} could be read")
    return found, lost


async def _transfers(reader: ChainReader, blocks: Sequence[Block], tokens: _Tokens, large: str | None) -> list[look.Sight]:
    least = _planck(large, tokens) if large is not None else None
    has = reader.runtime.has
    issuance = await reader.stored("Balances", "TotalIssuance") if has("Balances", "TotalIssuance") else None
    deposit = reader.runtime.constant("Balances", "ExistentialDeposit") or 1
    seen: list[look.Sight] = []
    for one in [one for one in look.sent(blocks) if one.amount >= look.DUST * deposit or (least and one.amount >= least)][:MOST_BALANCES]:
        free = await _free(reader, one)
        is_large, drains = look.judge_sent(one, free, issuance, least)
        if is_large or drains:
            whom = reader.shown(one.to[0]) + (f" and {len(one.to) - 1} others" if len(one.to) > 1 else "")
            how = f", {one.amount * 100 // free} % of what it had" if drains and free else ""
            text = f"sent {tokens.text(one.amount)}{how} to {whom}"
            seen.append(look.Sight("transfer", text, one.places[0], f"Balances.Transfer {one.amount} in {', '.join(one.places[:5])}",
                                   one.who, None, one.amount, is_large))  # fmt: skip
    return seen


def _planck(large: str, tokens: _Tokens) -> int:
    if not re.fullmatch(r"\d{1,18}(\.\d{1,18})?", large) or not Decimal(large):
        raise UsageError(f"large={large[:40]!r} is no amount of tokens, such as 1000 or 0.5")
    return int(Decimal(large) * 10**tokens.decimals)


async def _free(reader: ChainReader, one: look.Sent) -> int | None:
    """What it had before; None where the node no longer knows."""
    try:
        data = mapping(mapping(await reader.stored("System", "Account", one.who, at=one.before)).get("data"))
    except SourceError:
        return None
    free = data.get("free")
    return free if isinstance(free, int) else None


async def _notes(reader: ChainReader) -> list[tuple[str, str]]:
    """(where, text) of what people announced: notes of the last week, and maintenance windows that are open for this chain."""
    scene, here = reader.scene, {v.number for v in reader.scene.validators if v.chain == reader.chain.id}
    notes: list[tuple[str, str]] = []
    if scene.memory is not None:
        latest = await scene.memory.latest(NOTES, kind="note")
        notes = [(f"memory {one.number}", one.entry.event) for one in latest if scene.now - one.entry.at <= NOTES_FOR_S]
    _, windows = await scene.store.mute_rows(scene.now)
    open_here = [row for row in windows if row["chain"] == reader.chain.id or row["validator"] in here]
    return notes + [(f"maintenance by {row['by']}", row["why"]) for row in open_here]


def _items(reader: ChainReader, seen: Sequence[look.Sight], ours: dict[str, Validator], notes: list[tuple[str, str]]) -> list[ReportItem]:
    items: list[ReportItem] = []
    counts: dict[str, int] = {}
    for sight in sorted(seen, key=lambda one: (one.who not in ours, not one.grave, -one.amount)):
        counts[sight.kind] = counts.get(sight.kind, 0) + 1
        if counts[sight.kind] <= MOST_OF_A_KIND:
            items.append(_item(reader, sight, ours, look.announcement(sight.kind, notes)))
    for kind, count in counts.items():
        if count > MOST_OF_A_KIND:
            items.append(ReportItem(f"{count - MOST_OF_A_KIND} more of the kind {kind}", "medium", reader.about))
    return items


def _item(reader: ChainReader, sight: look.Sight, ours: dict[str, Validator], note: tuple[str, str] | None) -> ReportItem:
    mine = ours.get(sight.who or "")
    who = f"validator {mine.number} ({reader.shown(sight.who)})" if mine is not None else reader.shown(sight.who) if sight.who else ""
    to = f", {reader.shown(sight.to)}" if sight.to else ""
    told = f"; announced in {note[0]}" if note else "; nobody announced it"
    evidence = ((sight.place, sight.seen), *((note,) if note else ()))
    about = f"validator {mine.number}" if mine is not None else reader.about
    text = f"{sight.kind}: {f'{who} ' if who else ''}{sight.text}{to} ({sight.place}){told}"
    return ReportItem(text, _severity(sight, mine is not None, bool(ours), note is not None), about, evidence)


def _severity(sight: look.Sight, mine: bool, ours_known: bool, announced: bool) -> _Severity:
    """Ours first; the root concerns everybody; what strangers do with their own accounts is theirs."""
    if announced:
        return "low"
    if mine:
        return "critical" if sight.grave and sight.kind in ("keys", "payee", "offence", "proxy", "transfer") else "high"
    if sight.kind == "sudo":
        return "high" if sight.grave else "medium"
    if sight.kind == "upgrade" or (sight.grave and (sight.kind in ("transfer", "offence") or not ours_known)):
        return "medium"
    return "low"

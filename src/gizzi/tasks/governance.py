"""What a chain's governance decides, for those who run its validators. Nothing here votes, signs or submits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gizzi import ReportItem, Scene, SourceError, UsageError, task
from gizzi.readers.scale import Call
from gizzi.tasks._chain import ChainReader, mapping, number_of, open_chain, unread, without

MOST_REFERENDA = 10_000
LATELY = 20
"""So many decided ones are listed, the newest."""
UPGRADES = (
    "set_code",
    "set_code_without_checks",
    "authorize_upgrade",
    "authorize_upgrade_without_checks",
    "apply_authorized_upgrade",
    "enact_authorized_upgrade",
)


@task("referenda")
async def referenda(scene: Scene) -> list[ReportItem]:
    """Lists referenda that run, and the last twenty that were decided. Needs the pallet Referenda."""
    items: list[ReportItem] = []
    for chain in scene.chains():
        try:
            reader = await open_chain(scene, chain)
            items += await _listed(reader) if reader.runtime.has("Referenda") else [without(reader, "Referenda", "what is voted on")]
        except SourceError as error:
            items.append(unread(chain, "what is voted on", error))
    return items


async def _listed(reader: ChainReader) -> list[ReportItem]:
    found = await reader.entries("Referenda", "ReferendumInfoFor", most=MOST_REFERENDA)
    by_number = sorted(((keys[0], value) for keys, value in found if isinstance(keys[0], int)), reverse=True)
    running = [(number, value["Ongoing"]) for number, value in by_number if isinstance(value, Mapping) and "Ongoing" in value]
    decided = [(number, value) for number, value in by_number if not (isinstance(value, Mapping) and "Ongoing" in value)]
    items = [await _running(reader, number, mapping(status)) for number, status in running]
    items += [ReportItem(f"referendum {number}: {_outcome(value)}", "low", reader.about) for number, value in decided[:LATELY]]
    return items or [ReportItem("there is no referendum", "low", reader.about)]


async def _running(reader: ChainReader, number: int, status: Mapping[str, Any]) -> ReportItem:
    call, why_not = await _call(reader, status.get("proposal"))
    called = await _called(reader, call) if call is not None else []
    what = _titles(called) if called else f"a call that is unknown: {why_not}"
    upgrade = any(one.name in UPGRADES for one in called)
    phase = "being decided" if status.get("deciding") is not None else "waiting for its decision"
    text = f"referendum {number} on track {status.get('track', 'unknown')}, {phase}: {what}; {_tally(status)}"
    for_operators = "; it replaces the runtime: check that your node's version supports it" if upgrade else ""
    seen = (f"Referenda.ReferendumInfoFor({number})", f"submitted {status.get('submitted', 'unknown')}, tally {_tally(status)}")
    return ReportItem(text + for_operators, "medium" if upgrade else "low", reader.about, (seen,))


def _tally(status: Mapping[str, Any]) -> str:
    tally = mapping(status.get("tally"))
    ayes, nays, support = (tally.get(name) for name in ("ayes", "nays", "support"))
    if not isinstance(ayes, int) or not isinstance(nays, int):
        return "its tally is unknown"
    share = f" ({100 * ayes / (ayes + nays):.1f} % of the votes)" if ayes + nays else ""
    return f"ayes {ayes}{share}, nays {nays}, support {support if isinstance(support, int) else 'unknown'}"


def _outcome(value: Any) -> str:
    kind, inside = next(iter(value.items())) if isinstance(value, Mapping) and value else (value, None)
    at = inside[0] if isinstance(inside, list) and inside else inside
    return f"{str(kind).lower()} at block {at}" if isinstance(at, int) else str(kind).lower()


async def _call(reader: ChainReader, proposal: Any) -> tuple[Call | None, str]:
    """The call that it would make; otherwise why nobody can tell."""
    kind, inside = next(iter(proposal.items())) if isinstance(proposal, Mapping) and proposal else ("", None)
    try:
        if kind == "Inline":
            return reader.runtime.call(inside), ""
        if kind == "Lookup":
            return await _noted(reader, mapping(inside))
    except SourceError as error:
        return None, str(error)
    return None, f"only its hash is on the chain ({mapping(inside).get('hash', 'unknown')})"


async def _noted(reader: ChainReader, lookup: Mapping[str, Any]) -> tuple[Call | None, str]:
    """Of a preimage."""
    if not reader.runtime.has("Preimage", "PreimageFor"):
        return None, "its preimage is not to be had: this chain's runtime has no pallet Preimage"
    noted = await reader.stored("Preimage", "PreimageFor", [lookup.get("hash"), lookup.get("len")])
    return (reader.runtime.call(noted), "") if noted is not None else (None, "nobody has noted its preimage")


async def _called(reader: ChainReader, call: Call) -> list[Call]:
    """It and all calls inside it, also what a whitelisted call names by its hash alone, where that is noted."""
    found = _all(call)
    for one in [one for one in found if one.title == "Whitelist.dispatch_whitelisted_call"]:
        try:
            noted, _ = await _noted(reader, {"hash": one.args.get("call_hash"), "len": one.args.get("call_encoded_len")})
        except SourceError:
            continue
        found += _all(noted) if noted is not None else []
    return found


def _all(call: Call, depth: int = 0) -> list[Call]:
    inner = call.inner() if depth < 12 else []
    return [call, *(deeper for one in inner for deeper in _all(one, depth + 1))]


def _titles(called: list[Call]) -> str:
    """The outermost call, and in parentheses what is inside."""
    inside = list(dict.fromkeys(one.title for one in called[1:]))
    listed = ", ".join(inside[:6]) + (f" and {len(inside) - 6} more" if len(inside) > 6 else "")
    return f"{called[0].title} ({listed})" if inside else called[0].title


@task("runtime_upgrades")
async def runtime_upgrades(scene: Scene) -> list[ReportItem]:
    """Says which runtime runs on each chain, and whether another is authorized or voted on."""
    items: list[ReportItem] = []
    for chain in scene.chains():
        try:
            reader = await open_chain(scene, chain)
            items += await _upgrades(reader)
        except SourceError as error:
            items.append(unread(chain, "which runtime runs", error))
    return items


async def _upgrades(reader: ChainReader) -> list[ReportItem]:
    said = mapping(await reader.call("state_getRuntimeVersion", reader.head_hash))
    name, version = said.get("specName"), reader.version if reader.version is not None else "unknown"
    items = [ReportItem(f"runtime {name if isinstance(name, str) else 'unknown'} {version} runs", "low", reader.about,
                        (("state_getRuntimeVersion", f"specVersion {version}"),))]  # fmt: skip
    for pallet in ("System", "ParachainSystem"):
        authorized = await reader.stored(pallet, "AuthorizedUpgrade") if reader.runtime.has(pallet, "AuthorizedUpgrade") else None
        if authorized is not None:
            code = mapping(authorized).get("code_hash", authorized)
            text = f"another runtime is authorized ({code}) and may be applied at any time: check that your nodes' version supports it"
            items.append(ReportItem(text, "high", reader.about, ((f"{pallet}.AuthorizedUpgrade", str(code)),)))
    if reader.runtime.has("Referenda"):
        items += [item for item in await _listed(reader) if "it replaces the runtime" in item.text]
    return items


@task("position")
async def position(scene: Scene, referendum: str | None) -> list[ReportItem]:
    """The facts on the `referendum` of that number, for and against. A person decides, votes and signs."""
    if referendum is None:
        raise UsageError("say which: --with referendum=NUMBER")
    number = 0 if referendum == "0" else number_of("referendum", referendum, 1, 2**32 - 1)
    items: list[ReportItem] = []
    for chain in scene.chains():
        try:
            reader = await open_chain(scene, chain)
            items += await _position(reader, number)
        except SourceError as error:
            items.append(unread(chain, f"what referendum {number} is", error))
    return items


async def _position(reader: ChainReader, number: int) -> list[ReportItem]:
    if not reader.runtime.has("Referenda"):
        return [without(reader, "Referenda", f"what referendum {number} is")]
    value = await reader.stored("Referenda", "ReferendumInfoFor", number)
    if value is None:
        return [ReportItem(f"there is no referendum {number}", "low", reader.about)]
    status = value.get("Ongoing") if isinstance(value, Mapping) else None
    if not isinstance(status, Mapping):
        return [ReportItem(f"referendum {number} is over: {_outcome(value)}", "low", reader.about)]
    call, why_not = await _call(reader, status.get("proposal"))
    facts = [await _running(reader, number, status)]
    if call is None:
        against = f"against: what it would do is unknown ({why_not}); nobody should agree to what they cannot read"
        return [*facts, ReportItem(against, "medium", reader.about)]
    called = await _called(reader, call)
    shown = ", ".join(dict.fromkeys(one.title for one in called))
    facts.append(ReportItem(f"it would call {shown}", "low", reader.about, (("proposal", str(call.args)[:500]),)))
    tally = mapping(status.get("tally"))
    if isinstance(tally.get("ayes"), int) and isinstance(tally.get("nays"), int):
        facts.append(ReportItem(f"for: {tally['ayes']} has voted aye so far", "low", reader.about))
        facts.append(ReportItem(f"against: {tally['nays']} has voted nay so far", "low", reader.about))
    if any(one.name in UPGRADES for one in called):
        facts.append(ReportItem("for: a runtime upgrade brings what its release notes promise; read them", "low", reader.about))
        facts.append(ReportItem("against: a node too old for the new runtime stops following; all must be upgraded before", "medium",
                                reader.about))  # fmt: skip
    if any(one.pallet == "Treasury" for one in called):
        facts.append(ReportItem("against: it spends from the treasury, which is not to be had twice", "low", reader.about))
    return facts

"""What in a chain's blocks somebody should know of. Pure: blocks in, sights out, each with the block it stands in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from gizzi.readers.runtime import Event, account
from gizzi.readers.scale import Call
from gizzi.tasks._chain import Block, mapping

Kind = Literal["sudo", "transfer", "keys", "payee", "commission", "proxy", "burst", "offence", "upgrade"]
LARGE_SHARE = 1000
"""A transfer is large from this part of all there is: 0.1 %."""
DRAINED_PERCENT = 90
DUST = 100
"""Below so many existential deposits nobody is drained."""
BURST = 30
"""From so many signed extrinsics by one account in the blocks read, and ten times the median account's."""
DEEPEST = 12
ANNOUNCED_BY: Mapping[Kind, str] = {
    "sudo": r"sudo|root",
    "transfer": r"transfers?|payments?|payouts?",
    "keys": r"(session )?keys?",
    "payee": r"payee|reward destination|controller",
    "commission": r"commission|chill|validate",
    "proxy": r"prox(y|ies)",
    "burst": r"burst|batch|payouts?",
    "offence": r"(?!)",
    "upgrade": r"upgrade|runtime",
}
_KEY_CALLS = {"Session.set_keys": "set new session keys", "Session.purge_keys": "removed its session keys"}
_PAYEE_CALLS = {
    "Staking.set_payee": "changed where its rewards go",
    "Staking.update_payee": "changed where its rewards go",
    "Staking.set_controller": "changed its controller",
}
_INSIDE_FAILED = ("Utility.BatchInterrupted", "Utility.ItemFailed")
_WRAPPERS = ("Proxy", "RemoteProxyRelayChain", "Multisig", "Sudo", "Utility")
DOUBT = " (a call inside that extrinsic failed, perhaps this one)"
_OFFENCES = {
    "Offences.Offence": "an offence was reported",
    "Staking.SlashReported": "an offence was reported",
    "Staking.OffenceReported": "an offence was reported",
    "Staking.SlashComputed": "a slash was computed",
    "Staking.Slashed": "it was slashed",
    "Staking.Slash": "it was slashed",
    "Session.ValidatorDisabled": "it was disabled for the rest of the era, for an offence",
}
_ROOT = {
    "Sudo.KeyChanged": "the sudo key was changed",
    "Sudo.KeyRemoved": "the sudo key was removed",
    "Balances.BalanceSet": "a balance was set by the chain's root",
    "Balances.TotalIssuanceForced": "the total issuance was set by the chain's root",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """who: the public key whose doing it is, where that is known. amount: what was moved. grave: of its kind the worse sort."""

    kind: Kind
    text: str
    place: str
    seen: str
    who: str | None = None
    to: str | None = None
    amount: int = 0
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What one account sent in these blocks. before: the hash of the block before its first transfer."""

    who: str
    amount: int
    to: tuple[str, ...]
    places: tuple[str, ...]
    before: str


def sights(block: Block) -> list[Sight]:
    """All but transfers and bursts, which show over several blocks."""
    found = [sight for event in block.events for sight in _of_event(block, event)]
    failed = {event.extrinsic for event in block.events if event.title == "System.ExtrinsicFailed"}
    doubtful = {event.extrinsic for event in block.events if _inside_failed(event)}
    for place, extrinsic in enumerate(block.extrinsics):
        if extrinsic is not None and place not in failed:
            for actor, call in acts(extrinsic.call, extrinsic.signer):
                doubt = DOUBT if place in doubtful and call is not extrinsic.call else ""
                found += [replace(sight, text=sight.text + doubt) for sight in _of_call(block, actor, call)]
    return found


def _inside_failed(event: Event) -> bool:
    """Whether a call inside another came to nothing, though the extrinsic as a whole is told as done."""
    result = next((event.fields[name] for name in ("result", "sudo_result", "0") if name in event.fields), None)
    return event.title in _INSIDE_FAILED or (event.pallet in _WRAPPERS and isinstance(result, Mapping) and "Err" in result)


def acts(call: Call, actor: str | None, depth: int = 0) -> Iterator[tuple[str | None, Call]]:
    """Each call with the account it is done for; None where that cannot be told (a multisig's, the root's)."""
    yield actor, call
    if depth >= DEEPEST:
        return
    if call.pallet in ("Proxy", "RemoteProxyRelayChain"):
        actor = account(call.args.get("real"))
    elif call.title == "Utility.dispatch_as":
        actor = account(mapping(mapping(call.args.get("as_origin")).get("system")).get("Signed"))
    elif call.title == "Sudo.sudo_as":
        actor = account(call.args.get("who"))
    elif call.pallet in ("Multisig", "Sudo") or call.name == "as_derivative":
        actor = None
    for inner in call.inner():
        yield from acts(inner, actor, depth + 1)


def _of_event(block: Block, event: Event) -> Iterator[Sight]:
    def sight(kind: Kind, text: str, who: Any = None, *, to: Any = None, grave: bool = False) -> Sight:
        return Sight(kind, text, block.place, f"{event.title} {_short(event.fields)}".strip(), account(who), account(to), grave=grave)

    if event.title in ("Sudo.Sudid", "Sudo.SudoAsDone"):
        signer, calls = _sudo_call(block, event)
        result = next(iter(event.fields.values()), None)
        refused = isinstance(result, Mapping) and "Err" in result
        yield sight("sudo", f"sudo {'tried' if refused else 'called'} {calls}", signer, grave=not refused)
    elif event.title in _ROOT:
        yield sight("sudo", _ROOT[event.title], event.fields.get("who"), grave=True)
    elif event.title == "System.CodeUpdated":
        yield sight("upgrade", "the runtime was replaced")
    elif event.title == "System.UpgradeAuthorized":
        yield sight("upgrade", f"a runtime was authorized, by anybody to be applied: {event.fields.get('code_hash')}")
    elif event.title == "Staking.ValidatorPrefsSet":
        commission = mapping(event.fields.get("prefs", event.fields.get("1"))).get("commission")
        share = f"commission {commission / 10_000_000:g} %" if isinstance(commission, int) else "its preferences"
        yield sight("commission", f"set {share}", event.fields.get("stash", event.fields.get("0")))
    elif event.title == "Staking.Chilled":
        yield sight("commission", "stopped validating (chilled)", event.fields.get("stash", event.fields.get("0")))
    elif event.title in ("Proxy.ProxyAdded", "Proxy.PureCreated", "Proxy.AnonymousCreated"):
        yield _proxy(event, sight)
    elif event.title in _OFFENCES:
        whom = next((event.fields[name] for name in ("validator", "offender", "staker", "0") if name in event.fields), None)
        yield sight("offence", f"{event.title}: {_OFFENCES[event.title]}", whom, grave=True)


def _proxy(event: Event, sight: Any) -> Sight:
    fields = event.fields
    if event.name != "ProxyAdded":
        made: Sight = sight("proxy", "made an account that it controls by proxy", fields.get("who", fields.get("1")))
        return made
    kind = fields.get("proxy_type", fields.get("2"))
    delegator, delegatee = fields.get("delegator", fields.get("0")), fields.get("delegatee", fields.get("1"))
    added: Sight = sight("proxy", f"gave another account a proxy of the kind {_short(kind)}", delegator, to=delegatee, grave=kind == "Any")
    return added


def _of_call(block: Block, actor: str | None, call: Call) -> Iterator[Sight]:
    seen = f"{call.title} {_short(call.args)}"
    if call.title in _KEY_CALLS:
        yield Sight("keys", _KEY_CALLS[call.title], block.place, seen, actor, grave=True)
    elif call.title in _PAYEE_CALLS:
        yield Sight("payee", f"{_PAYEE_CALLS[call.title]}: {_short(call.args)}", block.place, seen, actor, grave=True)


def _sudo_call(block: Block, event: Event) -> tuple[str | None, str]:
    """Who signed it, and what was called."""
    place = event.extrinsic
    extrinsic = block.extrinsics[place] if place is not None and place < len(block.extrinsics) else None
    if extrinsic is None:
        return None, "something that could not be decoded"
    inner = [call for _, call in acts(extrinsic.call, extrinsic.signer)]
    sudo = next((call for call in inner if call.pallet == "Sudo"), None)
    called = sudo.inner() if sudo is not None else []
    return extrinsic.signer, ", ".join(f"{call.title} {_short(call.args)}" for call in called) or extrinsic.call.title


def sent(blocks: Sequence[Block]) -> list[Sent]:
    """Per account, oldest blocks first, the one that sent most first."""
    by: dict[str, list[tuple[int, str, Block]]] = defaultdict(list)
    for block in blocks:
        for event in block.events:
            if event.title == "Balances.Transfer":
                who, to, amount = (event.fields.get(name, event.fields.get(str(at))) for at, name in enumerate(("from", "to", "amount")))
                sender, receiver = account(who), account(to)
                if sender and receiver and sender != receiver and isinstance(amount, int):
                    by[sender].append((amount, receiver, block))
    found = [
        Sent(
            who,
            sum(amount for amount, _, _ in each),
            tuple(dict.fromkeys(to for _, to, _ in each)),
            tuple(dict.fromkeys(block.place for _, _, block in each)),
            each[0][2].parent,
        )
        for who, each in by.items()
    ]
    return sorted(found, key=lambda one: -one.amount)


def judge_sent(one: Sent, free_before: int | None, issuance: int | None, large: int | None) -> tuple[bool, bool]:
    """(large, draining). free_before: what the account had; None where nobody can tell, which drains nothing."""
    from_amount = large if large is not None else issuance // LARGE_SHARE if issuance else None
    drains = free_before is not None and free_before > 0 and one.amount * 100 >= free_before * DRAINED_PERCENT
    return from_amount is not None and 0 < from_amount <= one.amount, drains


def bursts(blocks: Sequence[Block]) -> list[tuple[str, int]]:
    """(account, how many extrinsics it signed) of those that signed far more than others do."""
    counts = Counter(e.signer for block in blocks for e in block.extrinsics if e is not None and e.signer is not None)
    if not counts:
        return []
    usual = median(counts.values()) if len(counts) > 1 else 0
    return [(who, count) for who, count in counts.most_common() if count >= BURST and count >= 10 * usual]


def announcement(kind: Kind, notes: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The first (where, text) that speaks of such a thing."""
    spoken = re.compile(rf"\b(?:{ANNOUNCED_BY[kind]})\b", re.IGNORECASE)
    return next(((where, text) for where, text in notes if spoken.search(text)), None)


def _short(value: Any, most: int = 160) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {_short(inner, 80)}" for key, inner in value.items())
    elif isinstance(value, Call):
        text = value.title
    elif isinstance(value, list):
        text = f"[{', '.join(_short(inner, 40) for inner in value[:4])}{', …' if len(value) > 4 else ''}]"
    else:
        text = str(value)
    return text if len(text) <= most else text[: most - 1] + "…"

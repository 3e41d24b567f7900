"""Counts signed votes by stake. Whole numbers and fractions only; the order in which votes come changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from gizzi.consensus_day.sealed import Signer, canonical, holds, opened, sealed
from gizzi.errors import UsageError

Choice = Literal["for", "against", "abstain"]
CHOICES: tuple[Choice, ...] = ("for", "against", "abstain")
State = Literal["enacted", "rejected", "no quorum", "open"]
QUORUM, SUPERMAJORITY = "1/3", "2/3"
MOST_VOTES = 100_000


@dataclass(frozen=True, slots=True)
class Rules:
    """opens_at, closes_at: epoch seconds, both inside. quorum: of all stake, that must vote. supermajority: of for and against, that must
    be for."""

    opens_at: int
    closes_at: int
    quorum: Fraction
    supermajority: Fraction


@dataclass(slots=True)
class Tally:
    """stake: by choice. accepted: votes that count; rejected: those that do not, each with the reason."""

    total: int
    stake: dict[Choice, int] = field(default_factory=lambda: dict.fromkeys(CHOICES, 0))
    accepted: list[Mapping[str, Any]] = field(default_factory=list)
    rejected: list[tuple[Mapping[str, Any], str]] = field(default_factory=list)

    def state(self, rules: Rules, now: float) -> State:
        if now <= rules.closes_at:
            return "open"
        voted, decided = sum(self.stake.values()), self.stake["for"] + self.stake["against"]
        if not self.total or voted < rules.quorum * self.total:
            return "no quorum"
        return "enacted" if self.stake["for"] and self.stake["for"] >= rules.supermajority * decided else "rejected"


def vote(proposal: str, choice: Choice, at: int, voter: Signer) -> dict[str, Any]:
    """A signed vote. at: epoch seconds. It is its voter's word; who collects votes stops at the end."""
    said = {"proposal": proposal, "choice": choice, "at": at, "voter": voter.public}
    return {**said, "signature": voter.sign(_message(said))}


def rules_of(proposal: Mapping[str, Any]) -> Rules:
    """Of a proposal's body. Raises UsageError."""
    times = proposal.get("opens_at"), proposal.get("closes_at")
    if not all(type(time) is int for time in times) or not times[0] < times[1]:  # type: ignore[operator]
        raise UsageError("the proposal does not say when voting opens and closes")
    return Rules(*times, share(proposal.get("quorum"), "quorum"), share(proposal.get("supermajority"), "supermajority"))  # type: ignore[arg-type]


def share(value: object, name: str) -> Fraction:
    """A part of the whole, as "2/3" or "0.5". Raises UsageError."""
    try:
        found = Fraction(value) if isinstance(value, str) and len(value) < 40 and "e" not in value.lower() else Fraction(-1)
    except (ValueError, ZeroDivisionError):
        found = Fraction(-1)
    if not 0 < found <= 1 or (name == "supermajority" and found <= Fraction(1, 2)):
        least = "more than 1/2 and at most 1" if name == "supermajority" else "more than 0 and at most 1"
        raise UsageError(f"{name}: {str(value)[:40]!r} is no such share; write {least}, such as {SUPERMAJORITY}")
    return found


def read_stakes(raw: Any) -> dict[str, int]:
    """Stake by public key, in hexadecimal. Whole numbers; as text where a reader of JSON would round them. Raises UsageError."""
    if not isinstance(raw, Mapping) or not raw:
        raise UsageError("the stakes must be a table of public key and stake")
    stakes: dict[str, int] = {}
    for name, amount in raw.items():
        key = _key(name)
        digits = str(amount) if isinstance(amount, str | int) and not isinstance(amount, bool) else ""
        if key is None or not (digits.isascii() and digits.isdigit() and len(digits) <= 60):
            raise UsageError(f"the stake of {str(name)[:70]!r} is no public key with a whole number")
        if key in stakes:
            raise UsageError(f"the stake of {key} is there twice")
        stakes[key] = int(digits)
    return stakes


def count(proposal_hash: str, rules: Rules, votes: Sequence[Any], stakes: Mapping[str, int]) -> Tally:
    """The earliest valid vote of each voter counts; of those of one second, the one whose signature sorts first. Raises UsageError."""
    if len(votes) > MOST_VOTES:
        raise UsageError(f"there are more than {MOST_VOTES} votes")
    tally = Tally(sum(stakes.values()))
    seen: set[str] = set()
    for given in sorted(votes, key=_order):
        shown = given if isinstance(given, Mapping) else {"vote": str(given)[:200]}
        why = _fault(given, proposal_hash, rules, stakes) or ("it is a duplicate: this voter's first vote counts" * (_voter(given) in seen))
        if why:
            tally.rejected.append((shown, why))
            continue
        seen.add(_voter(given))
        tally.stake[given["choice"]] += stakes[_voter(given)]
        tally.accepted.append(shown)
    return tally


def result(document: Any, votes: Sequence[Any], stakes: Mapping[str, int], now: float, signer: Signer) -> tuple[dict[str, Any], Tally]:
    """The signed result, which holds all that is needed to count again. Raises UsageError where the proposal does not hold."""
    proposal = opened("proposal", document)
    rules = rules_of(proposal)
    tally = count(document["hash"], rules, votes, stakes)
    body = {
        "state": tally.state(rules, now),
        "at": int(now),
        "total_stake": str(tally.total),
        "stake": {choice: str(amount) for choice, amount in tally.stake.items()},
        "rejected": len(tally.rejected),
        "proposal": document,
        "stakes": {key: str(amount) for key, amount in sorted(stakes.items())},
        "votes": tally.accepted,
    }
    return sealed("result", body, signer), tally


def enacted(document: Any, trusted: Iterable[str], now: float) -> dict[str, Any]:
    """The body of the proposal that this result enacts, counted again from its votes. trusted: keys whose counting is believed, above all
    which stakes there are. Raises UsageError where it is not enacted, or not so."""
    body = opened("result", document)
    if document["key"] not in set(trusted):
        raise UsageError(f"the result is signed with {document['key']}, which is not yours; --trust KEY names who may count for you")
    proposal = opened("proposal", body.get("proposal"))
    votes = body.get("votes")
    rules = rules_of(proposal)
    tally = count(body["proposal"]["hash"], rules, votes if isinstance(votes, list) else [], read_stakes(body.get("stakes")))
    state = tally.state(rules, now)
    if body.get("state") != "enacted" or state != "enacted" or tally.rejected:
        raise UsageError(f"the proposal is not enacted: the result says {body.get('state')!r}, and its votes say {state!r}")
    return proposal


def _fault(given: Any, proposal_hash: str, rules: Rules, stakes: Mapping[str, int]) -> str:
    """Why it does not count; empty where it does."""
    if not isinstance(given, Mapping) or given.get("choice") not in CHOICES or type(given.get("at")) is not int:
        return "it is malformed: it needs voter, choice (for, against or abstain), proposal, at (epoch seconds) and signature"
    if given.get("proposal") != proposal_hash:
        return "it is for another proposal"
    voter = _key(given.get("voter"))
    if voter is None or not stakes.get(voter):
        return "its voter has no stake"
    said = {name: given[name] for name in ("proposal", "choice", "at", "voter")}
    if not holds(voter, given.get("signature"), _message(said)):
        return "it is forged: its signature does not hold"
    if given["at"] > rules.closes_at:
        return "it is late: voting was over"
    return "it is early: voting was not open yet" if given["at"] < rules.opens_at else ""


def _message(said: Mapping[str, Any]) -> bytes:
    return b"gizzi consensus day 1 vote " + canonical({**said, "voter": _key(said["voter"])})


def _order(given: Any) -> tuple[int, str, str]:
    if not isinstance(given, Mapping):
        return 0, "", str(given)[:200]
    at = given.get("at")
    return at if type(at) is int else 0, str(given.get("signature"))[:200], str(given.get("choice"))[:20]


def _voter(given: Any) -> str:
    return (_key(given.get("voter")) if isinstance(given, Mapping) else None) or ""


def _key(value: Any) -> str | None:
    """A public key in small digits, without 0x; None where it is none."""
    digits = value.lower().removeprefix("0x") if isinstance(value, str) else ""
    return digits if len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits) else None

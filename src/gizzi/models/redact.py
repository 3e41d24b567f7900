"""What must not reach a cloud model is taken out of a text, and put back into the answer where that is safe.

Secrets (keys, tokens, seeds, mnemonics, passwords) are taken out for good: nothing here remembers them, only their hashes, so that the same
secret gets the same placeholder in every message of a conversation. Private addresses, where configured, come back in the answer.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from gizzi.models.secrets import FEWEST_WORDS, MARK, MNEMONIC, PATTERNS, PRIVATE_ADDRESS, WORD

_PRIVATE_V4 = tuple(IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PRIVATE_V6 = IPv6Network("fc00::/7")
_ADDRESS = "<address:"
_SURE = 8
_MOST_SURE = 20
"""Secrets of at least so many characters, a digit among them, are looked for again without their context; at most so many of a text."""
_PLACEHOLDER = re.compile(rf"(?:{MARK}[a-z]{{1,10}}-|{_ADDRESS})[0-9]{{1,9}}>")
_MAY_BEGIN = re.compile("|".join((*(re.escape(_ADDRESS[:length]) for length in range(1, len(_ADDRESS))), rf"{_ADDRESS}[0-9]{{0,9}}")))
_LONG_WORD = re.compile(rf"[^\s\"'`<>(){{}}\[\],;]{{{_SURE - 1},2000}}[^\s\"'`<>(){{}}\[\],;.:!?]")


@dataclass(frozen=True, slots=True)
class Redacted:
    """text: what may be sent. found: how many of each kind were taken out, such as {"token": 2, "address": 1}."""

    text: str
    found: dict[str, int] = field(default_factory=dict)


class Redactor:
    """For one conversation: the same secret gets the same placeholder in each of its texts. private_addresses: hide them too.

    words: the BIP-39 list, where one is installed (`secrets.word_list`); without it the shape of a mnemonic decides.
    """

    def __init__(self, *, private_addresses: bool = False, words: frozenset[str] | None = None) -> None:
        self._private_addresses = private_addresses
        self._words = words
        self._placeholders: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._unsafe: set[str] = set()
        self._last: Counter[str] = Counter()

    def redact(self, text: str) -> Redacted:
        """The text without what must not leave. Placeholders never equal anything the text itself says."""
        found: Counter[str] = Counter()
        seen: dict[str, str] = {}
        taken = set(_PLACEHOLDER.findall(text))

        def secret(kind: str, value: str) -> str:
            found[kind] += 1
            self._unsafe.update(match.group() for match in PRIVATE_ADDRESS.finditer(value))
            seen[value] = self._placeholder(MARK, kind, value, taken)
            return seen[value]

        shown = text
        small = text.lower()
        for kind, hints, pattern in PATTERNS:
            if not any(hint in small for hint in hints):
                continue
            shown = pattern.sub(lambda match, kind=kind: _inside(match, lambda value: secret(kind, value)), shown)  # type: ignore[misc]
        shown = MNEMONIC.sub(lambda match: secret("mnemonic", match.group()) if self._is_mnemonic(match.group()) else match.group(), shown)
        shown = self._known_before(_everywhere(seen, shown), found)
        if self._private_addresses:
            shown = PRIVATE_ADDRESS.sub(lambda match: self._address(match, taken, found), shown)
        return Redacted(shown, dict(found))

    def restore(self, answer: str) -> str:
        """The answer with the addresses its placeholders stand for. Secrets stay out."""
        safe = {placeholder: address for placeholder, address in self._addresses.items() if address not in self._unsafe}
        return re.sub(r"<address:[0-9]{1,9}>", lambda match: safe.get(match.group(), match.group()), answer)

    @property
    def restores(self) -> bool:
        """Whether any placeholder may have to be put back."""
        return bool(self._addresses)

    def _address(self, match: re.Match[str], taken: Set[str], found: Counter[str]) -> str:
        value = match.group()
        if value.endswith(":") and not is_private(value):
            value = value[:-1]  # a sentence's or a log line's colon
        if not is_private(value):
            return match.group()
        found["address"] += 1
        placeholder = self._placeholder(_ADDRESS, "", value, taken)
        self._addresses[placeholder] = value
        return placeholder + match.group()[len(value) :]

    def _placeholder(self, mark: str, kind: str, value: str, taken: Set[str]) -> str:
        key = f"{mark}{kind}:{_hash(value)}"
        name = f"{mark}{kind}-" if kind else mark
        if key not in self._placeholders:
            self._last[name] += 1
            while f"{name}{self._last[name]}>" in taken:
                self._last[name] += 1
            self._placeholders[key] = f"{name}{self._last[name]}>"
        if mark == MARK and _is_sure(value):
            self._known[_hash(value)] = self._placeholders[key]
        return self._placeholders[key]

    def _known_before(self, text: str, found: Counter[str]) -> str:
        """Without the words that an earlier text of the conversation showed to be secrets."""

        def word(match: re.Match[str]) -> str:
            placeholder = self._known.get(_hash(match.group())) if _is_sure(match.group()) else None
            if placeholder is None:
                return match.group()
            found[placeholder.split("-")[1]] += 1
            return placeholder

        return _LONG_WORD.sub(word, text) if self._known else text

    def _is_mnemonic(self, run: str) -> bool:
        if self._words is None:
            return True
        longest = current = 0
        for word in WORD.findall(run):
            current = current + 1 if word.lower() in self._words else 0
            longest = max(longest, current)
        return longest >= FEWEST_WORDS


class Restorer:
    """`Redactor.restore` for an answer that comes in pieces: what may be the beginning of a placeholder is kept back until it is clear."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._kept = ""

    def feed(self, piece: str) -> str:
        whole = self._kept + piece
        start = whole.rfind("<")
        unclear = start >= 0 and _MAY_BEGIN.fullmatch(whole, start) is not None
        self._kept = whole[start:] if unclear else ""
        return self._redactor.restore(whole[:start] if unclear else whole)

    def end(self) -> str:
        """What was kept back."""
        rest, self._kept = self._kept, ""
        return rest


def is_private(address: str) -> bool:
    """Whether it is an IP address of 10/8, 172.16/12, 192.168/16 or fc00::/7."""
    try:
        if ":" in address:
            return IPv6Address(address) in _PRIVATE_V6
        return any(IPv4Address(address) in network for network in _PRIVATE_V4)
    except AddressValueError:
        return False


def _inside(match: re.Match[str], replaced: Callable[[str], str]) -> str:
    """The match with its secret replaced and what stands around it kept."""
    name = next(name for name, value in match.groupdict().items() if value is not None)
    start, end = match.span(name)
    whole = match.group()
    return whole[: start - match.start()] + replaced(match.group(name)) + whole[end - match.start() :]


def _is_sure(value: str) -> bool:
    return len(value) >= _SURE and any(c.isdigit() for c in value)


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _everywhere(seen: Mapping[str, str], text: str) -> str:
    """A secret that was recognised once is taken out wherever else it stands; not short words, which may be any word."""
    sure = sorted(filter(_is_sure, seen), key=len, reverse=True)[:_MOST_SURE]
    if not sure:
        return text
    anywhere = re.compile("|".join([_PLACEHOLDER.pattern, *map(re.escape, sure)]))
    return anywhere.sub(lambda match: seen.get(match.group(), match.group()), text)

"""Reads the wanted samples out of a Prometheus text page (exposition format 0.0.4), and nothing else.

A validator's page is about 0.5 MB and 3,400 samples, of which a few hundred matter. One compiled expression finds the wanted lines:
it stops at newlines and walks a tree of the wanted names, so any other line costs some 50 ns. Of a wanted line only the value changes
from scan to scan, so what precedes it is parsed once and then looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby, islice
from types import MappingProxyType

Sample = tuple[Mapping[str, str], float]
"""Labels, which cannot be changed, and value. The value may be nan or infinite; what that means is for the caller to decide."""

MAX_LINES = 10_000
"""Lines of wanted names on one page; a real page has a few hundred."""
MAX_LINE_BYTES = 8192
MAX_LABELS = 32
"""A wanted line that is longer or has more labels is skipped, which keeps a hostile page from growing tenfold in memory."""

# The memo of parsed series holds at most some 30 MB (measured), whatever labels hostile pages invent.
_MEMO_SERIES = 8192
_MEMO_SERIES_BYTES = 512
_MEMO_LABELS = 8
_PORTION_BYTES = 1024 * 1024
_PROBED_LINES = 1000
_OPENING_BYTES = 1024
_TOO_LONG_BYTES = MAX_LINE_BYTES + 2

# A line is read in linear time however it is made: runs of one class are possessive, and a repeated group can end in one place only.
# (Groups are not possessive because Python before 3.11.5 gets that wrong.) \s is what float() strips; a value has no "_", which float()
# would take.
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_KEY = r"[a-zA-Z_][a-zA-Z0-9_]*+"
_QUOTED = r'[^"\\]*+(?:\\.[^"\\]*+)*'
_LABELS = rf'\s*+(?:{_KEY}\s*+=\s*+"{_QUOTED}"\s*+(?:,\s*+|(?=\}}))){{0,{MAX_LABELS}}}'
_SERIES = rf"(?P<name>{_NAME})(?:\s*+\{{(?P<labels>{_LABELS})\}}|(?=\s))"
_TIMESTAMP = r"(?:\s++[-+.0-9eE]++)?"
_EXEMPLAR = r"(?:\s++\#.*+)?"
_LINE = re.compile(rf"\s*+(?P<series>{_SERIES})\s*+(?P<value>[^\s_]++){_TIMESTAMP}{_EXEMPLAR}\s*+".encode())
_PAIR = re.compile(rf'({_KEY})\s*+=\s*+"({_QUOTED})"'.encode())
_ESCAPE = re.compile(r'\\([\\n"])')
_SOLID = re.compile(rb"\S")
_LIKELY_SAMPLE = re.compile(rb"^[ \t]*+[a-zA-Z_:].*+", re.MULTILINE)
_UNDERSCORE = ord("_")  # `in` is six times faster for a byte's number than for bytes

_MAGIC = {b"<": "HTML or XML", b"{": "JSON", b"[": "JSON", b"\x1f\x8b": "gzip data", b"\x28\xb5\x2f\xfd": "zstd data"}


class UnreadablePage(ValueError):
    """The page is no Prometheus exposition; the text says why in a few words that follow "the page"."""


class Scanner:
    """Finds the samples of `names`, which are those of samples: a histogram is asked for as `x_bucket`, `x_sum` and `x_count`.

    One scanner serves the pages of all validators: it remembers the labels it has met, never a page. Not for several threads at once.
    Raises ValueError for what cannot be a metric's name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        ordered = sorted(set(names))
        for name in ordered:
            if not re.fullmatch(_NAME, name):
                raise ValueError(f"not a metric name: {name!r}")
        self.names = ordered
        self._names = {name.encode(): name for name in ordered}
        self.wanted_line = re.compile(rf"\n[ \t]*+((?:{_tree(ordered)})(?![a-zA-Z0-9_:]).*+)".encode())
        self._memo: dict[bytes, tuple[str, Mapping[str, str]]] = {}
        self.skipped = 0
        """Malformed lines of wanted names on the page read last."""

    def scan(self, page: bytes) -> dict[str, list[Sample]]:
        """The wanted samples of a whole page, as `Reading.samples` gives them. Raises UnreadablePage, nothing else."""
        reading = Reading(self)
        reading.take(page, 0, len(page))
        return reading.samples()

    def read(self, lines: list[bytes], found: dict[str, list[Sample]]) -> int:
        """Add the samples in lines of wanted names; returns how many lines are malformed."""
        skipped = 0
        known = self._memo.get
        for line in lines:
            series, _, value = line.rpartition(b" ")
            name_and_labels = known(series)
            if name_and_labels is None or _UNDERSCORE in value or len(line) > MAX_LINE_BYTES:
                skipped += self._learn(line, found)
                continue
            try:
                found[name_and_labels[0]].append((name_and_labels[1], float(value)))
            except ValueError:  # a timestamp after a tab, no value, or not a number
                skipped += self._learn(line, found)
        return skipped

    def _learn(self, line: bytes, found: dict[str, list[Sample]]) -> bool:
        """Add the sample in a line that is not known yet. Returns whether it is malformed."""
        parsed = _parse(line)
        if parsed is None:
            return True
        series, name, pairs, value = parsed
        labels = MappingProxyType(pairs)
        found[self._names[name]].append((labels, value))
        if len(series) <= _MEMO_SERIES_BYTES and len(labels) <= _MEMO_LABELS:
            if len(self._memo) >= _MEMO_SERIES:
                self._memo.clear()
            self._memo[series] = self._names[name], labels
        return False


class Reading:
    """One page, read as it comes in: in linear time, and keeping no more of it than the line that has begun."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._found: dict[str, list[Sample]] = {name: [] for name in scanner.names}
        self._begun = b"\n"
        """The line that has begun, after the newline that ended the one before; of one that is too long, its beginning."""
        self._opening = b""
        """How the page begins, without the blanks before it."""
        self._wanted = self._skipped = self._probed = 0
        self._has_line = self._is_exposition = False

    def take(self, data: bytes | bytearray, start: int, end: int) -> None:
        """The page goes on with data[start:end]. Raises nothing."""
        if len(self._opening) < _OPENING_BYTES:
            self._note_opening(data, start, end)
        newline = data.find(b"\n", start, end)
        if newline < 0:
            self._begun = (self._begun + data[start : min(end, start + _TOO_LONG_BYTES)])[:_TOO_LONG_BYTES]
            return
        self._has_line = True
        line = self._begun + data[start : min(newline, start + _TOO_LONG_BYTES)]
        self._read(line, 0, len(line))
        last = data.rfind(b"\n", newline, end)
        self._read(data, newline, last)
        self._begun = bytes(data[last : min(end, last + _TOO_LONG_BYTES)])

    def samples(self) -> dict[str, list[Sample]]:
        """The wanted samples by name, each name's in the page's order; a name without a sample is no key.

        A last line without its newline was cut off and is left out. Raises UnreadablePage.
        """
        self._scanner.skipped = self._skipped
        if not self._opening:
            raise UnreadablePage("is empty")
        for magic, what in _MAGIC.items():
            if self._opening.startswith(magic):
                raise UnreadablePage(f"is {what}, not metrics")
        if self._wanted > MAX_LINES:
            raise UnreadablePage(f"has more than {MAX_LINES} lines of the wanted names")
        if self._wanted == self._skipped and not self._is_exposition:
            if b"\0" in self._opening:
                raise UnreadablePage("is binary data, not metrics")
            raise UnreadablePage("has no line that is a metric sample" if self._has_line else "has no complete line")
        return {name: samples for name, samples in self._found.items() if samples}

    def _note_opening(self, data: bytes | bytearray, start: int, end: int) -> None:
        if not self._opening:
            solid = _SOLID.search(data, start, end)
            start = solid.start() if solid else end
        self._opening += data[start : min(end, start + _OPENING_BYTES - len(self._opening))]

    def _read(self, data: bytes | bytearray, start: int, end: int) -> None:
        """Whole lines, each after its newline; a portion at a time, because a list of all would outgrow a hostile page."""
        find_all = self._scanner.wanted_line.findall
        while start < end and self._wanted <= MAX_LINES:
            newline = data.find(b"\n", start + _PORTION_BYTES, end)
            stop = newline if newline >= 0 else end
            lines = find_all(data, start, stop)
            self._wanted += len(lines)
            if self._wanted <= MAX_LINES:
                self._skipped += self._scanner.read(lines, self._found)
            if self._wanted == self._skipped and not self._is_exposition:
                self._probe(data, start, stop)
            start = stop

    def _probe(self, data: bytes | bytearray, start: int, end: int) -> None:
        """Tells an exposition without a wanted sample from what is none at all."""
        for match in islice(_LIKELY_SAMPLE.finditer(data, start, end), _PROBED_LINES - self._probed):
            self._probed += 1
            if _parse(bytes(data[match.start() : min(match.end(), match.start() + _TOO_LONG_BYTES)])):
                self._is_exposition = True
                return


def _tree(names: list[str]) -> str:
    """An expression that matches the sorted names and shares their beginnings; a plain alternation is four times slower."""
    if not names:
        return "(?!)"
    first, last = names[0], names[-1]
    prefix = first[: next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
    tails = [name[len(prefix) :] for name in names]
    if tails == [""]:
        return prefix
    branches = (_tree(list(group)) for _, group in groupby(tails, key=lambda tail: tail[:1]))
    return f"{prefix}(?:{'|'.join(branches)})"


def _parse(line: bytes) -> tuple[bytes, bytes, dict[str, str], float] | None:
    """The series as written, its name, labels and value; None if the line is not a sample."""
    match = _LINE.fullmatch(line) if len(line) <= MAX_LINE_BYTES else None
    if match is None:
        return None
    pairs = _PAIR.findall(match["labels"] or b"")
    labels = {key.decode(): _unescape(value.decode(errors="replace")) for key, value in pairs}
    if len(labels) < len(pairs):
        return None
    try:
        return match["series"], match["name"], labels, float(match["value"])
    except ValueError:
        return None


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text

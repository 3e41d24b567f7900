"""Reads the wanted samples out of a Prometheus text page (exposition format 0.0.4), and nothing else.

A validator's page is about 0.5 MB and 3,400 samples, of which a few hundred matter. One compiled expression finds the wanted lines:
it stops at newlines and walks a tree of the wanted names, so any other line costs some 50 ns. Of a wanted line only the value changes
from scan to scan, so what precedes it is parsed once and then looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice

Sample = tuple[dict[str, str], float]
"""Labels and value. The value may be nan or infinite; what that means is for the caller to decide."""

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
        self._names = {name.encode(): name for name in ordered}
        wanted = rf"[ \t]*+((?:{_tree(ordered)})(?![a-zA-Z0-9_:]).*+)"
        self._first_line = re.compile(wanted.encode())
        self._later_line = re.compile(rf"\n{wanted}".encode())
        self._memo: dict[bytes, tuple[str, dict[str, str]]] = {}
        self.skipped = 0
        """Malformed lines of wanted names on the page scanned last."""

    def scan(self, page: bytes) -> dict[str, list[Sample]]:
        """The wanted samples by name, each name's in the page's order; a name without a sample is no key.

        A last line without its newline was cut off and is left out. Linear in time and memory. Raises UnreadablePage, nothing else.
        """
        self.skipped = 0
        end = _whole_lines(page)
        found: dict[str, list[Sample]] = {name: [] for name in self._names.values()}
        known = self._memo.get
        for line in chain.from_iterable(self._wanted_lines(page, end)):
            series, _, value = line.rpartition(b" ")
            name_and_labels = known(series)
            if name_and_labels is None or _UNDERSCORE in value or len(line) > MAX_LINE_BYTES:
                self._add(line, found)
                continue
            try:
                found[name_and_labels[0]].append((name_and_labels[1].copy(), float(value)))
            except ValueError:  # a timestamp after a tab, no value, or not a number
                self._add(line, found)
        samples = {name: values for name, values in found.items() if values}
        if not samples:
            _require_a_sample(page, end)
        return samples

    def _wanted_lines(self, page: bytes, end: int) -> Iterator[list[bytes]]:
        """Lines of wanted names, well-formed or not, a portion of the page at a time: a list of all would outgrow a hostile page."""
        count = start = 0
        first = self._first_line.match(page, 0, end)
        if first:
            count = 1
            yield [first[1]]
        while start < end:
            newline = page.find(b"\n", start + _PORTION_BYTES, end)
            stop = newline if newline >= 0 else end
            lines = self._later_line.findall(page, start, stop)
            count += len(lines)
            if count > MAX_LINES:
                raise UnreadablePage(f"has more than {MAX_LINES} lines of the wanted names")
            yield lines
            start = stop

    def _add(self, line: bytes, found: dict[str, list[Sample]]) -> None:
        parsed = _parse(line)
        if parsed is None:
            self.skipped += 1
            return
        series, name, labels, value = parsed
        found[self._names[name]].append((labels, value))
        if len(series) <= _MEMO_SERIES_BYTES and len(labels) <= _MEMO_LABELS:
            if len(self._memo) >= _MEMO_SERIES:
                self._memo.clear()
            self._memo[series] = self._names[name], labels.copy()


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


def _whole_lines(page: bytes) -> int:
    """Where the last whole line ends. Raises UnreadablePage where the first bytes tell that it is something else."""
    start = page[:1024].lstrip()
    if not start and not page.strip():
        raise UnreadablePage("is empty")
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise UnreadablePage(f"is {what}, not metrics")
    return page.rfind(b"\n") + 1


def _require_a_sample(page: bytes, end: int) -> None:
    """Tells an exposition without a wanted sample from what is none at all, and raises UnreadablePage for the latter."""
    for match in islice(_LIKELY_SAMPLE.finditer(page, 0, end), _PROBED_LINES):
        if _parse(page[match.start() : min(match.end(), match.start() + MAX_LINE_BYTES + 1)]):
            return
    if b"\0" in page[:1024]:
        raise UnreadablePage("is binary data, not metrics")
    raise UnreadablePage("has no line that is a metric sample" if end else "has no complete line")

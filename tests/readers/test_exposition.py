from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gizzi.readers import exposition
from gizzi.readers.exposition import Reading, Sample, Scanner, UnreadablePage

HEIGHT, ENDED, BUCKET = "substrate_block_height", "substrate_tasks_ended_total", "substrate_proposer_block_constructed_bucket"
WANTED = [HEIGHT, ENDED, BUCKET, "substrate_sync_peers", "substrate_sync", "up", "node:load:avg"]
REAL_PAGE = Path(__file__).parents[3] / "shared/data/node-metrics.txt"


def scan(page: str | bytes, *names: str) -> dict[str, list[Sample]]:
    return Scanner(names or WANTED).scan(page.encode() if isinstance(page, str) else page)


def oracle(page: str, names: list[str]) -> dict[str, list[Sample]]:
    """What prometheus_client reads. It adds `_total` to the samples of a counter whose name lacks it, which is undone here."""
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            name = sample.name
            if family.type == "counter" and f"# TYPE {name} " not in page:
                name = name.removesuffix("_total")
            if name in names:
                found.setdefault(name, []).append((sample.labels, float(sample.value)))
    return found


def same(ours: dict[str, list[Sample]], theirs: dict[str, list[Sample]]) -> bool:
    plain = {name: [(dict(labels), value) for labels, value in samples] for name, samples in ours.items()}
    return repr(sorted(plain.items())) == repr(sorted(theirs.items()))  # repr: nan is nan, -0.0 is not 0.0


# -- generated valid pages --------------------------------------------------------------------------------------------------------

UNWANTED = ["substrate_block_height_other", "substrate_block_heigh", "substrate", "a", "substrate_tasks_ended_total:x", "up_", "upup"]
blank = st.sampled_from(["", "", "", " ", "\t", "  \t"])
gap = st.sampled_from([" ", " ", " ", "\t", "  ", " \t "])
label_name = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)
hostile = st.lists(
    st.sampled_from(
        ['"', "\\", "\n", "{", "}", "#", ",", "=", " ", "\t", "\r", "\\n", "é", "💤", "\0", f"\n{HEIGHT} 1\n", "up 5", "# TYPE"]
    )
    | st.text(st.characters(codec="utf-8"), max_size=4),
    max_size=6,
).map("".join)
number = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["NaN", "+Inf", "-Inf", "Inf", "1e999", "-1e999", "0.0070964570000000005", "1e-999", "-0.0", "+5", ".5", "5.", "1E3"]),
)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") + '"'


@st.composite
def label_sets(draw: st.DrawFn) -> str:
    labels = draw(st.dictionaries(label_name, hostile, max_size=4))
    if not labels:
        return draw(st.sampled_from(["", "{}", "{ }"]))
    pairs = [f"{draw(blank)}{key}{draw(blank)}={draw(blank)}{quoted(value)}{draw(blank)}" for key, value in labels.items()]
    return "{" + ",".join(pairs) + draw(st.sampled_from(["", ","])) + "}"


@st.composite
def sample_lines(draw: st.DrawFn, name: str) -> str:
    labels = draw(label_sets())
    value = draw(gap) + draw(number)
    timestamp = draw(st.sampled_from(["", "", " 1700000000000", " -5"]))
    return draw(blank) + name + (draw(blank) if labels else "") + labels + value + timestamp + draw(blank)


@st.composite
def pages(draw: st.DrawFn) -> str:
    lines: list[str] = []
    for name in draw(st.lists(st.sampled_from(WANTED + UNWANTED), max_size=8)):
        for head in draw(st.lists(st.sampled_from(["help", "type", "comment", "blank"]), max_size=3, unique=True)):
            kind = draw(st.sampled_from(["counter", "gauge", "histogram", "summary", "untyped"]))
            text = {"help": f"# HELP {name} {HEIGHT} {{", "type": f"# TYPE {name} {kind}", "comment": f"#{HEIGHT} 3", "blank": ""}
            lines.append(text[head])
        lines += draw(st.lists(sample_lines(name), max_size=5))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join([*lines, "a 1", ""])


@given(pages())
def test_agrees_with_prometheus_client_on_valid_pages(page: str) -> None:
    scanner = Scanner(WANTED)
    expected = oracle(page, WANTED)
    assert same(scanner.scan(page.encode()), expected)
    assert scanner.skipped == 0
    assert same(scanner.scan(page.encode()), expected), "a second look, with the labels remembered, differs"


@pytest.mark.skipif(not REAL_PAGE.exists(), reason=f"no real page at {REAL_PAGE}")
def test_agrees_with_prometheus_client_on_every_name_of_a_real_page() -> None:
    page = REAL_PAGE.read_bytes()
    names = sorted({line.split("{")[0].split(" ")[0] for line in page.decode().splitlines() if not line.startswith("#")})
    scanner = Scanner(names)
    expected = oracle(page.decode(), names)
    assert len(names) == len(expected) > 300
    for _ in range(2):
        assert same(scanner.scan(page), expected)
        assert scanner.skipped == 0
    assert Scanner([HEIGHT]).scan(page) == {HEIGHT: expected[HEIGHT]}


# -- arbitrary bytes --------------------------------------------------------------------------------------------------------------

TORN = (
    f'# HELP {HEIGHT} Block height\n# TYPE {HEIGHT} gauge\n{HEIGHT}{{status="best",chain="x"}} 24975065\n'
    f'{HEIGHT}{{status="finalized",chain="x"}} 24975062 1700000000000\n{ENDED}{{task_name="a\\"b\\\\\\n",}} 5 # {{id="1"}} 1\n'
    f'up NaN\n  up\t{{ }} +Inf\r\n{BUCKET}{{le="+Inf"}} 0.0070964570000000005\nsubstrate_block_height_other 1\n'
).encode()


@st.composite
def mutated_pages(draw: st.DrawFn) -> bytes:
    page = bytearray(TORN * draw(st.integers(1, 2)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(page)))
        cut = draw(st.sampled_from([0, 0, 1, 1, 5, 40]))
        page[at : at + cut] = draw(
            st.sampled_from([b"", b'"', b"\\", b"\n", b"{", b"}", b" ", b"#", b"_", b",", b"\r", b"\xff", b"1"]) | st.binary(max_size=3)
        )
    return bytes(page)


@given(st.binary() | mutated_pages())
@example(TORN)
@example(b"up 1_0\nup 1\n")
@example(b'up{a="b"}5\x0b\n')
def test_arbitrary_bytes_raise_nothing_but_unreadable_page(page: bytes) -> None:
    warm, portioned = Scanner(WANTED), Scanner(WANTED)
    warm.scan(TORN)

    def outcome(scanner: Scanner, piece_bytes: int = 10**6) -> str:
        reading, buffer = Reading(scanner), bytearray(12)
        for start in range(0, len(page), piece_bytes):
            piece = page[start : start + piece_bytes]
            buffer[5 : 5 + len(piece)] = piece
            reading.take(buffer, 5, 5 + len(piece))
        try:
            return repr((reading.samples(), scanner.skipped))
        except UnreadablePage as reason:
            return f"page {reason}"

    cold = outcome(Scanner(WANTED))
    assert outcome(warm) == outcome(warm) == cold, "what is remembered changes what is read"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposition, "_PORTION_BYTES", 7)
        assert outcome(portioned) == cold, "the portions' borders change what is read"
    assert outcome(warm, 1) == outcome(Scanner(WANTED), 7) == cold, "the borders of the pieces it comes in change what is read"


# -- single cases -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("up 1", {}, 1.0),
        ("up{} 1", {}, 1.0),
        ("\t up \t { } \t 1 \t", {}, 1.0),
        ('up{a="1"}2', {"a": "1"}, 2.0),
        ('up{b="2",a="1",} 3', {"b": "2", "a": "1"}, 3.0),
        ('up{ b = "2" , a = "1" , } 3', {"b": "2", "a": "1"}, 3.0),
        (r'up{a="\\n\n\"\x"} 3', {"a": '\\n\n"\\x'}, 3.0),
        ('up{a="} 9 # {",b=","} 3', {"a": "} 9 # {", "b": ","}, 3.0),
        ("up 1 1700000000000", {}, 1.0),
        ("up\t1\t1700000000000", {}, 1.0),
        ('up{a="1"} 1 # {trace_id="x"} 0.5 1.7e9', {"a": "1"}, 1.0),
        ("up 1\r", {}, 1.0),
        ("up +Inf", {}, math.inf),
        ("up -Inf", {}, -math.inf),
        ("up 1e999", {}, math.inf),
        ("up 0.0070964570000000005", {}, 0.0070964570000000005),
    ],
)
def test_a_line(line: str, labels: dict[str, str], value: float) -> None:
    assert scan(f"{line}\n") == {"up": [(labels, value)]}
    assert scan(f"a 1\n{line}\na 1\n") == {"up": [(labels, value)]}


def test_nan() -> None:
    assert math.isnan(scan("up NaN\n")["up"][0][1])


@pytest.mark.parametrize(
    "line",
    [
        "up",
        "up ",
        "up x",
        "up 1_0",
        "up-5",
        "up.x 5",
        "up{ 1",
        'up{a="1" 1',
        "up{a=1} 1",
        'up{a="1",a="2"} 1',
        'up{a="1"b="2"} 1',
        'up{a="1} 1',
        "up{,} 1",
        "up 1 2 3",
        "up 1 up 2",
        "up 1up 2",
        'up{"a"="1"} 1',
        'up{a="x" 1',
        "up{" + 'a="1",' * 33 + "} 1",
        "up " + "1" * 9000,
    ],
)
def test_a_malformed_line_is_skipped_and_counted_and_the_rest_is_read(line: str) -> None:
    scanner = Scanner(WANTED)
    for _ in range(2):
        assert scanner.scan(f"{line}\nup 7\n{line}\n{HEIGHT} 8\n".encode()) == {"up": [({}, 7.0)], HEIGHT: [({}, 8.0)]}
        assert scanner.skipped == 2
    scanner.scan(b"up 1\n")
    assert scanner.skipped == 0


def test_a_cut_last_line_is_left_out() -> None:
    page = f'{HEIGHT}{{status="best"}} 24975065\n{HEIGHT}{{status="finalized"}} 24975062\n'
    assert len(scan(page)[HEIGHT]) == 2
    for cut in range(1, 48):
        assert scan(page[:-cut]) == {HEIGHT: [({"status": "best"}, 24975065.0)]}


def test_invalid_utf8_becomes_replacement_characters() -> None:
    assert scan(b'up{a="x\xff\\"\xc3"} 1\n') == {"up": [({"a": 'x\ufffd"\ufffd'}, 1.0)]}


def test_a_name_is_found_only_as_a_whole() -> None:
    assert scan("substrate_sync_peers_x 1\nxup 2\nsubstrate_sync 3\nsubstrate_sync_peers 4\nup:x 5\n#up 6\n") == {
        "substrate_sync": [({}, 3.0)],
        "substrate_sync_peers": [({}, 4.0)],
    }


def test_samples_far_from_their_family_and_repeated_ones_are_kept_in_order() -> None:
    page = f"# TYPE a gauge\nup 1\na 1\n{HEIGHT} 2\nup 3\nup 3\n"
    assert scan(page) == {"up": [({}, 1.0), ({}, 3.0), ({}, 3.0)], HEIGHT: [({}, 2.0)]}


def test_a_page_without_a_wanted_sample_is_readable() -> None:
    assert scan("# HELP a b\na 1\n") == {}
    assert Scanner([]).scan(b"a 1\n") == {}


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"", "is empty"),
        (b" \n\r\n" * 1000, "is empty"),
        (b"<!DOCTYPE html>\n<html>\nup 1\n</html>\n", "is HTML or XML, not metrics"),
        (b'\n  {"jsonrpc": "2.0"}\n', "is JSON, not metrics"),
        (b"[1, 2]\n", "is JSON, not metrics"),
        (b"\x1f\x8b\x08\x00\nup 1\n", "is gzip data, not metrics"),
        (b"\x28\xb5\x2f\xfd\nup 1\n", "is zstd data, not metrics"),
        (b"\x7fELF\0\0\n\0\0\n", "is binary data, not metrics"),
        (b"404 page not found\n", "has no line that is a metric sample"),
        (b"# HELP a b\n# TYPE a gauge\n", "has no line that is a metric sample"),
        (b"Service Unavailable\n", "has no line that is a metric sample"),
        (b"up x\n", "has no line that is a metric sample"),
        (b"up 1", "has no complete line"),
        (b"up 1\n" * 10_001, "has more than 10000 lines of the wanted names"),
    ],
)
def test_what_is_no_exposition_is_refused_with_its_reason(page: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePage) as caught:
        scan(page)
    assert str(caught.value) == reason


@pytest.mark.parametrize("name", ["", "5up", "a b", "up\n", "a|b", "é", "\ud800"])
def test_a_wanted_name_that_no_metric_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a metric name"):
        Scanner(["up", name])


def test_nobody_can_change_the_labels_that_are_remembered() -> None:
    labels: Any = Scanner(["up"]).scan(b'up{a="1"} 1\n')["up"][0][0]
    with pytest.raises(TypeError):
        labels["a"] = "changed"


@pytest.mark.parametrize("piece_bytes", [1, 1000, 8193, 100_000])
def test_a_line_that_is_too_long_is_skipped_however_it_comes_in(piece_bytes: int) -> None:
    page = b"up 1\nup{" + b'a="",' * 4000 + b"} 2\n" + b"x" * 30_000 + b"\nup 3\n"
    scanner = Scanner(["up"])
    reading = Reading(scanner)
    for start in range(0, len(page), piece_bytes):
        reading.take(page, start, min(len(page), start + piece_bytes))
    assert reading.samples() == {"up": [({}, 1.0), ({}, 3.0)]}
    assert scanner.skipped == 1


def test_invented_labels_do_not_grow_what_is_remembered() -> None:
    scanner = Scanner(["up"])
    for start in range(0, 30_000, 5000):
        scanner.scan("".join(f'up{{a="{i}"}} 1\n' for i in range(start, start + 5000)).encode())
        long, many = f'up{{a="{start}{"x" * 600}"}} 1', "up{" + "".join(f'a{i}="",' for i in range(20)) + "} 1"
        assert len(scanner.scan(f"{long}\n{many}\n".encode())["up"]) == 2
        assert len(scanner._memo) <= exposition._MEMO_SERIES
    assert max(map(len, scanner._memo)) < 600
    assert max(len(labels) for _, labels in scanner._memo.values()) == 1


@pytest.mark.parametrize(
    "page",
    [
        b"up 1\n" + b"\n" * 5_000_000,
        b"up 1\n" + b"# HELP a b\n" * 500_000,
        b"up 1\n" + b"up{" + b'a="",' * 800_000 + b"} 1\n",
        b"up 1\n" + (b"up{" + b'a="",' * 1000 + b"} 1\n") * 800,
        b'up 1\nup{a="' + b"\\" * 5_000_000 + b'"} 1\n',
        b"up 1\n" + b" " * 5_000_000 + b"\n",
    ],
    ids=["blank lines", "comments", "one line of labels", "lines of labels", "backslashes", "spaces"],
)
def test_a_large_hostile_page_takes_little_memory_beside_itself(page: bytes) -> None:
    tracemalloc.start()
    try:
        assert scan(page, "up") == {"up": [({}, 1.0)]}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * len(page)

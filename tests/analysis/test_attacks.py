# ruff: noqa: E501
"""Who attacks, by the logs: labelled logs in every form, real lines of old and new sshd, hostile ones, and a stream without end."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.analysis import tracks
from gizzi.analysis.attack_report import ScanReport
from gizzi.analysis.attacks import lines_of, scan_logs_for_attacks
from gizzi.readers.authlog import event_of
from gizzi.readers.logline import Times, split_line
from tools import attack_logs
from tools.attack_logs import FORMS, SPAN_S, START

END = START + SPAN_S + 86400


def scan(text: str, reference: float = END) -> ScanReport:
    return scan_logs_for_attacks({"auth.log": [text]}, reference=reference)


def kinds(report: ScanReport) -> set[tuple[str, str]]:
    return {(found.kind, found.source) for found in report.findings}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("disorder_s", [0.0, 3.0])
def test_labelled_logs(form: str, disorder_s: float) -> None:
    written = attack_logs.write(2)
    text = "".join(attack_logs.text(written, form, disorder_s=disorder_s))
    report = scan(text)
    assert report.lines >= 3000
    single = {found for found in kinds(report) if found[0] != "distributed"}
    crowds = [set(found.sources) for found in report.findings if found.kind == "distributed"]
    rates = attack_logs.score(written, single, crowds)
    assert len(rates) == 12
    assert all(precision >= 0.9 and recall >= 0.95 for precision, recall, _ in rates.values()), rates


@pytest.mark.parametrize("seed", range(10, 16))
def test_nobody_innocent_is_accused(seed: int) -> None:
    written = attack_logs.write(seed)
    report = scan("".join(attack_logs.text(written, "syslog")))
    accused = {found.source for found in report.findings}
    assert {kind: sources & accused for kind, sources in written.innocent.items() if sources & accused} == {}


OLD_SSHD = """\
Dec 10 06:55:46 LabSZ sshd[24200]: reverse mapping checking getaddrinfo for ns.a.example [173.234.31.186] failed - POSSIBLE BREAK-IN ATTEMPT!
Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 173.234.31.186
Dec 10 06:55:46 LabSZ sshd[24200]: input_userauth_request: invalid user webmaster [preauth]
Dec 10 06:55:46 LabSZ sshd[24200]: pam_unix(sshd:auth): check pass; user unknown
Dec 10 06:55:46 LabSZ sshd[24200]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=173.234.31.186\x20
Dec 10 06:55:48 LabSZ sshd[24200]: Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2
Dec 10 06:55:48 LabSZ sshd[24200]: Connection closed by 173.234.31.186 [preauth]
Dec 10 07:13:31 LabSZ sshd[24227]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=dsl.b.example  user=root
Dec 10 07:13:43 LabSZ sshd[24227]: Failed password for root from 5.36.59.76 port 42393 ssh2
Dec 10 07:13:56 LabSZ sshd[24227]: message repeated 5 times: [ Failed password for root from 5.36.59.76 port 42393 ssh2]
Dec 10 07:13:56 LabSZ sshd[24227]: Disconnecting: Too many authentication failures for root [preauth]
Dec 10 07:13:56 LabSZ sshd[24227]: PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=dsl.b.example  user=root
Dec 10 07:13:56 LabSZ sshd[24227]: PAM service(sshd) ignoring max retries; 6 > 3
Dec 10 09:32:20 LabSZ sshd[24680]: Failed password for fztu from 119.137.62.142 port 49116 ssh2
Dec 10 09:32:20 LabSZ sshd[24680]: Accepted password for fztu from 119.137.62.142 port 49116 ssh2
Dec 10 09:32:20 LabSZ sshd[24680]: pam_unix(sshd:session): session opened for user fztu by (uid=0)
"""


def test_lines_of_an_older_sshd() -> None:
    report = scan(OLD_SSHD)
    assert kinds(report) == {("invalid_user", "173.234.31.186"), ("brute_force", "5.36.59.76")}
    brute = next(found for found in report.findings if found.kind == "brute_force")
    assert brute.count == 6  # each wrong password once, though three programs tell of it
    assert brute.users == ("root",)
    assert (brute.last_at or 0) - (brute.first_at or 0) == 13
    assert brute.evidence[0].where == "auth.log:9"
    assert "Failed password for root" in brute.evidence[0].quote


def test_lines_of_pam_alone_and_of_ftp() -> None:
    tail = "authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost="
    lines = [f"Jun 15 02:04:{s:02d} combo sshd(pam_unix)[{20882 + s}]: {tail}dsl.c.example  user=root" for s in range(10)]
    for s in range(6):
        lines += [f"Jun 15 12:12:3{s} combo sshd(pam_unix)[{300 + s}]: check pass; user unknown"]
        lines += [f"Jun 15 12:12:3{s} combo sshd(pam_unix)[{300 + s}]: {tail}218.188.2.4 "]
    stamp = "at Fri Jun 17 07:07:00 2005 "
    lines += [f"Jun 17 07:07:00 combo ftpd[{29504 + i}]: connection from 24.54.76.216 (d.example) {stamp}" for i in range(8)]
    lines += ["Jun 17 19:43:13 combo su(pam_unix)[1]: authentication failure; logname=ada uid=1 euid=0 tty= ruser=ada rhost=  user=root"]
    lines += ["Jun 18 04:00:00 combo  -- root[2421]: ROOT LOGIN ON tty2"]
    lines += [
        f"Jun 18 05:00:0{i} combo klogind[{i}]: Authentication failed from 163.27.187.39 (163.27.187.39): Permission denied"
        for i in range(6)
    ]
    lines += ["Jun 18 04:06:18 combo su(pam_unix)[21416]: session opened for user cyrus by (uid=0)"]
    lines += ["Jun 18 04:06:20 combo logrotate: ALERT exited abnormally with [1]"]
    report = scan("\n".join(lines))
    assert kinds(report) == {("brute_force", "dsl.c.example"), ("brute_force", "218.188.2.4"), ("port_scan", "24.54.76.216")} | {
        ("root_login", "tty2"),
        ("brute_force", "163.27.187.39"),
    }
    counts = {found.source: found.count for found in report.findings}
    assert counts == {"dsl.c.example": 10, "218.188.2.4": 6, "24.54.76.216": 8, "tty2": 1, "163.27.187.39": 6}


def test_lines_of_a_newer_sshd_that_takes_keys_only() -> None:
    names = ["admin", "oracle", "git", "pi", "test"]
    lines = []
    for i, name in enumerate(names):
        head = f"2026-11-20T10:0{i}:00.123456+01:00 node sshd-session[{500 + i}]:"
        lines += [f"{head} Invalid user {name} from 198.51.100.9 port 41000"]
        lines += [f"{head} Connection closed by invalid user {name} 198.51.100.9 port 41000 [preauth]"]
    lines += [
        f"2026-11-20T11:00:{i:02d}+01:00 node sshd-session[{600 + i}]: Disconnected from authenticating user root 198.51.100.8 port 4 [preauth]"
        for i in range(7)
    ]
    found = {f.source: (f.kind, f.count) for f in scan("\n".join(lines)).findings}
    assert found == {"198.51.100.9": ("user_enumeration", 5), "198.51.100.8": ("brute_force", 7)}


def test_a_name_cannot_accuse_somebody_else() -> None:
    name = "x from 8.8.8.8 port 22 ssh2"
    lines = [f"Dec 10 06:55:{s:02d} h sshd[{s}]: Failed password for invalid user {name} from 192.0.2.7 port 99 ssh2" for s in range(9)]
    lines += [f"Dec 10 06:56:{s:02d} h sshd[{90 + s}]: Invalid user {name} from 192.0.2.7 port 99" for s in range(9)]
    lines += ["Dec 10 06:57:00 h app[3]: user said: Failed password for root from 8.8.8.8 port 1 ssh2"] * 9
    lines += ["Dec 10 06:57:00 h polkadot[3]: RPC call: Detected prevote equivocation in the finality worker: Equivocation"]
    assert scan("\n".join(lines)).attackers() == {"192.0.2.7"}


def test_what_is_quoted_is_harmless() -> None:
    line = "Dec 10 06:55:4%d h sshd[%d]: Failed password for root\x1b]0;x\x07 from 192.0.2.7 port 99 ssh2"
    report = scan("\n".join(line % (i, i) for i in range(8)))
    assert report.findings
    for found in report.findings:
        assert all(quote.quote.isprintable() and len(quote.quote) <= 300 for quote in found.evidence)
        assert all(user.isprintable() for user in found.users)


def _failures(number: int, source: str = "192.0.2.7", user: str = "ada", start: float = START) -> list[str]:
    times = [datetime.fromtimestamp(start + i * 20, UTC) for i in range(number)]
    return [f"{t:%b %d %H:%M:%S} h sshd[{70 + i}]: Failed password for {user} from {source} port 9 ssh2" for i, t in enumerate(times)]


@pytest.mark.parametrize("tries", range(1, 6))
def test_a_person_who_mistypes_and_then_logs_in(tries: int) -> None:
    login = f"{datetime.fromtimestamp(START + 200, UTC):%b %d %H:%M:%S} h sshd[99]: Accepted password for ada from 192.0.2.7 port 9 ssh2"
    assert scan("\n".join([*_failures(tries), login])).findings == ()


def test_a_login_after_many_failures_is_a_break_in() -> None:
    login = f"{datetime.fromtimestamp(START + 900, UTC):%b %d %H:%M:%S} h sshd[99]: Accepted password for ada from 192.0.2.7 port 9 ssh2"
    report = scan("\n".join([*_failures(9), login]))
    assert kinds(report) == {("break_in", "192.0.2.7"), ("brute_force", "192.0.2.7")}
    assert report.findings[0].severity == "critical"
    assert "lock the account" in report.findings[0].as_finding().fix
    assert "Accepted password" in report.findings[0].evidence[-1].quote


def test_an_attack_goes_on_in_the_next_file_of_the_rotation() -> None:
    lines = _failures(8, user="root", start=START - 60)
    report = scan_logs_for_attacks({"auth.log.1": ["\n".join(lines[:4])], "auth.log": ["\n".join(lines[4:])]}, reference=END)
    assert kinds(report) == {("brute_force", "192.0.2.7")}
    assert {quote.where for quote in report.findings[0].evidence} == {"auth.log.1:1", "auth.log.1:2", "auth.log.1:3", "auth.log:4"}


def test_stamps_without_a_year_over_new_year() -> None:
    times = Times(datetime(2026, 1, 3, tzinfo=UTC).timestamp())
    read = [times.at(stamp) for stamp in ("Dec 31 23:59:58", "Jan  1 00:00:03", "Dec 31 23:59:59", "Jan  2 00:00:00")]
    assert [datetime.fromtimestamp(at or 0, UTC).isoformat()[:19] for at in read] == [
        "2025-12-31T23:59:58",
        "2026-01-01T00:00:03",
        "2025-12-31T23:59:59",
        "2026-01-02T00:00:00",
    ]


def test_a_leap_day_without_a_year() -> None:
    times = Times(datetime(2024, 3, 5, tzinfo=UTC).timestamp())
    assert times.at("Feb 29 12:00:00") == datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()
    assert times.at("Feb 30 12:00:00") is None


@given(at=st.integers(1_600_000_000, 1_900_000_000), minutes=st.sampled_from([-570, -60, 0, 60, 330, 765]))
def test_every_form_of_a_time_is_the_same_time(at: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    local = datetime.fromtimestamp(at, zone)
    forms = [
        f"{local:%Y-%m-%dT%H:%M:%S%z}",
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S},000",
        f"{local:%b} {local.day:2d} {local:%H:%M:%S}",
    ]
    forms += [f"{at}.000000", f"{datetime.fromtimestamp(at, UTC):%a %Y-%m-%d %H:%M:%S} UTC"]
    for form in forms:
        parts = split_line(f"{form} host sshd[1]: Failed password for root from 192.0.2.1 port 1 ssh2")
        assert parts is not None
        assert (parts.program, parts.pid) == ("sshd", "1")
        assert Times(at + 60, zone).at(parts.stamp) == at


@pytest.mark.parametrize(
    "line",
    [
        "Failed password for root from 192.0.2.1 port 1 ssh2",
        "sshd[3]: Failed password for root from 192.0.2.1 port 1 ssh2",
        "2026-11-20 10:00:00 Failed password for root from 192.0.2.1 port 1 ssh2",
        "Dec 10 06:55:46 sshd[3]: error: PAM: Failed password for root from 192.0.2.1 port 1 ssh2",
        "<38>Dec 10 06:55:46 host sshd[3]: Failed keyboard-interactive/pam for root from ::ffff:192.0.2.1 port 1 ssh2",
    ],
)
def test_plain_forms(line: str) -> None:
    report = scan("\n".join([line] * 6))
    assert report.attackers() == {"192.0.2.1"}


@given(st.text(max_size=300))
def test_no_line_breaks_the_reader(line: str) -> None:
    parts = split_line(line)
    if parts is not None:
        event_of(parts)
        Times(END).at(parts.stamp)


@given(st.lists(st.text(alphabet="ab\n", max_size=20)))
def test_lines_do_not_depend_on_the_pieces(pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert list(lines_of(pieces)) == (whole.removesuffix("\n").split("\n") if whole else [])


def test_a_stream_without_end_is_read_in_constant_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "MOST_SOURCES", 500)
    monkeypatch.setattr(tracks, "MOST_KEPT", 100)

    def pieces(number: int) -> Iterator[bytes]:
        dice = random.Random(1)
        for i in range(number):
            yield b"x" * 100_000  # a line that hardly ends
            yield (
                b"\n"
                + "\n".join(
                    f"Dec 10 06:55:46 h sshd[{i}]: Failed password for u{dice.random()} from 10.{dice.getrandbits(8)}.{i % 256}.{k} port 1 ssh2"
                    for k in range(100)
                ).encode()
            )

    def peak(number: int) -> int:
        tracemalloc.start()
        report = scan_logs_for_attacks({"x": pieces(number)}, reference=END)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.dropped > 0
        return found

    peak(20)  # caches fill
    assert peak(200) < 1.5 * peak(50)


PIECES = (
    "Failed password for {user} from {a} port 9 ssh2",
    "Failed password for invalid user {user} from {a} port 9 ssh2",
    "Invalid user {user} from {a} port 9",
    "Accepted password for {user} from {a} port 9 ssh2",
    "Accepted publickey for {user} from {a} port 9 ssh2",
    "Connection closed by {a} port 9 [preauth]",
    "Connection closed by authenticating user {user} {a} port 9 [preauth]",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={a}  user={user}",
    "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={a}  user={user}",
    "Did not receive identification string from {a} port 9",
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PIECES), st.sampled_from(["root", "ada", "x"]), st.integers(1, 5), st.integers(1, 9), st.integers(0, 9000)
        ),
        max_size=120,
    )
)
def test_what_is_found_stands_in_the_log(events: list[tuple[str, str, int, int, int]]) -> None:
    lines = [
        f"{datetime.fromtimestamp(START + s, UTC):%b %d %H:%M:%S} h sshd[{pid}]: {piece.format(user=user, a=f'192.0.2.{a}')}"
        for piece, user, a, pid, s in events
    ]
    report = scan("\n".join(lines))
    shown = {" ".join(line.split()) for line in lines}
    tried = {f"192.0.2.{a}" for piece, _, a, _, _ in events if "publickey" not in piece}
    assert report.attackers() <= tried
    for found in report.findings:
        assert 0 < found.count <= 3 * len(lines)
        assert START <= (found.first_at or 0) <= (found.last_at or 0) <= START + 9000
        assert all(quote.quote in shown for quote in found.evidence)


def test_connections_whose_source_another_line_tells_are_counted_once() -> None:
    """OpenSSH since 8: what went wrong stands in one line, from where in another one of the same process."""
    lines = []
    for process in range(8):
        head = f"Dec 10 07:0{process}:00 host sshd[{900 + process}]: "
        lines += [
            f"{head}error: kex_exchange_identification: Connection closed by remote host",
            f"{head}Connection closed by 192.0.2.77 port 4000",
        ]
        lines += [f"{head.replace('[9', '[8')}Accepted publickey for ops from 192.0.2.78 port 4000 ssh2: ED25519 SHA256:abc"]
        lines += [f"{head.replace('[9', '[8')}Connection closed by 192.0.2.78 port 4000"]
    report = scan_logs_for_attacks({"auth.log": ["\n".join(lines)]}, reference=1_700_000_000)
    assert [(found.kind, found.source, found.count) for found in report.findings] == [("port_scan", "192.0.2.77", 8)]


def test_too_many_failures_are_counted_against_where_the_connection_came_from() -> None:
    lines = []
    for process in range(6):
        head = f"Dec 1 07:0{process}:00 host sshd[{900 + process}]: "
        lines += [f"{head}Connection from 192.0.2.77 port 4000 on 192.0.2.1 port 22"]
        lines += [f"{head}Disconnecting: Too many authentication failures for root [preauth]"]
    report = scan_logs_for_attacks({"auth.log": ["\n".join(lines)]}, reference=1_700_000_000)
    assert [(found.kind, found.source, found.count) for found in report.findings] == [("brute_force", "192.0.2.77", 6)]

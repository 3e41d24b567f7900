# ruff: noqa: E501
"""A labelled log, made anew from a seed: twelve kinds of attack among twelve kinds of innocence, in every form that logs have."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

START = datetime(2026, 11, 16, 6, 0, tzinfo=UTC).timestamp()
SPAN_S = 4 * 86400.0
FORMS = ("syslog", "iso", "zoned", "json", "rfc5424", "unix")


@dataclass
class Written:
    """lines: (epoch seconds, program, pid, message), in no order. expected: (kind, source) of each attack. innocent: sources without."""

    dice: random.Random
    lines: list[tuple[float, str, int, str]] = field(default_factory=list)
    expected: set[tuple[str, str]] = field(default_factory=set)
    crowds: list[set[str]] = field(default_factory=list)
    busy: list[tuple[float, float]] = field(default_factory=list)
    innocent: dict[str, set[str]] = field(default_factory=dict)
    pid: int = 1000
    host: int = 0

    def address(self) -> str:
        self.host += 1
        n = self.host
        return f"2001:db8::{n:x}" if n % 5 == 0 else f"203.{n // 250 % 250}.113.{n % 250 + 1}"

    def say(self, at: float, program: str, message: str, pid: int | None = None) -> None:
        self.lines.append((at, program, pid or self.pid, message))

    def begin(self) -> int:
        self.pid += self.dice.randint(1, 9)
        return self.pid

    def moment(self, room_s: float = 0.0) -> float:
        return START + self.dice.random() * max(60.0, SPAN_S - room_s - 3600)

    def quiet_moment(self) -> float:
        """Far from every crowd: a single stranger amid one cannot be told from it."""
        while True:
            at = self.moment()
            if all(not first - 9 * 3600 < at < last + 9 * 3600 for first, last in self.busy):
                return at

    def port(self) -> int:
        return self.dice.randint(1024, 65535)

    def fail(self, at: float, source: str, user: str, *, unknown: bool = False, tries: int = 1) -> None:
        """One connection with so many wrong passwords, in all the lines that sshd and PAM write."""
        pid, port, dice = self.begin(), self.port(), self.dice
        invalid = "invalid user " if unknown else ""
        if unknown:
            self.say(at, "sshd", f"Invalid user {user} from {source} port {port}")
            self.say(at, "sshd", "pam_unix(sshd:auth): check pass; user unknown")
        shown = "" if unknown else f"  user={user}"
        self.say(at, "sshd", f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={source}{shown}")
        failed = f"Failed password for {invalid}{user} from {source} port {port} ssh2"
        self.say(at + 2, "sshd", failed)
        if tries > 2 and dice.random() < 0.5:
            self.say(at + 6, "sshd", f"message repeated {tries - 1} times: [ {failed}]")
        else:
            for i in range(1, tries):
                self.say(at + 2 + 2 * i, "sshd", failed)
        end = at + 3 + 2 * tries
        if tries > 1:
            more = f"PAM {tries - 1} more authentication failure{'s' * (tries > 2)}; logname= uid=0 euid=0 tty=ssh ruser= rhost={source}{shown}"
            self.say(end, "sshd", more)
        which = "invalid" if unknown else "authenticating"
        self.say(end - 1, "sshd", dice.choice([
            f"Connection closed by {which} user {user} {source} port {port} [preauth]",
            f"Received disconnect from {source} port {port}:11: Bye Bye [preauth]",
            f"Disconnected from {which} user {user} {source} port {port} [preauth]",
        ]), pid)  # fmt: skip

    def accept(self, at: float, source: str, user: str, how: str = "password") -> None:
        self.begin()
        key = ": ED25519 SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG" if how == "publickey" else ""
        self.say(at, "sshd", f"Accepted {how} for {user} from {source} port {self.port()} ssh2{key}")
        self.say(at, "sshd", f"pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)")
        self.say(at + 600, "sshd", f"pam_unix(sshd:session): session closed for user {user}")


PEOPLE = ("ada", "grace", "linus", "barbara", "edsger", "alan", "radia", "ken")
NAMES = """admin test oracle postgres ubuntu pi git ftpuser nagios hadoop jenkins webmaster guest user1 minecraft chen inspur""".split()  # noqa: SIM905
PEER = "12D3KooW" + "QwErTyUiPaSdFgHjKLzXcVbNmQwErTyUiPaSdFgHjKLz"


def brute_force(w: Written) -> None:
    source, at, user = w.address(), w.moment(3600), w.dice.choice(["root", "ada", "root"])
    for _ in range(w.dice.randint(4, 12)):
        at += w.dice.uniform(2, 30)
        w.fail(at, source, user, tries=w.dice.randint(2, 6))
    w.expected.add(("brute_force", source))


def slow_brute_force(w: Written) -> None:
    source, user = w.address(), "root"
    at = w.moment(2.5 * 86400)
    for _ in range(w.dice.randint(9, 16)):
        at += w.dice.uniform(1800, 12000)
        w.fail(at, source, user)
    w.expected.add(("slow_brute_force", source))


def user_enumeration(w: Written) -> None:
    source, at = w.address(), w.moment(7200)
    for name in w.dice.sample(NAMES, w.dice.randint(4, 12)):
        at += w.dice.uniform(150, 400)
        if w.dice.random() < 0.3:  # a server that takes keys alone writes no more than this
            pid = w.begin()
            w.say(at, "sshd", f"Invalid user {name} from {source} port 4000", pid)
            w.say(at + 1, "sshd", f"Connection closed by invalid user {name} {source} port 4000 [preauth]", pid)
        else:
            w.fail(at, source, name, unknown=True)
    w.expected.add(("user_enumeration", source))


def distributed(w: Written) -> None:
    began = at = w.moment(20000)
    crowd = set()
    for _ in range(w.dice.randint(10, 20)):
        source = w.address()
        at += w.dice.uniform(100, 900)
        unknown = w.dice.random() < 0.4
        w.fail(at, source, w.dice.choice(NAMES) if unknown else "root", unknown=unknown)
        crowd.add(source)
    w.crowds.append(crowd)
    w.busy.append((began, at))


def break_in(w: Written) -> None:
    source, at = w.address(), w.moment(7200)
    for _ in range(w.dice.randint(3, 6)):
        at += w.dice.uniform(5, 60)
        w.fail(at, source, "deploy", tries=w.dice.randint(3, 6))
    w.accept(at + 30, source, "deploy")
    w.expected |= {("break_in", source), ("brute_force", source)}


def invalid_user(w: Written) -> None:
    source, at = w.address(), w.quiet_moment()
    w.fail(at, source, "webmaster", unknown=True, tries=2)
    w.expected.add(("invalid_user", source))


def root_login(w: Written) -> None:
    source = w.address()
    w.accept(w.moment(), source, "root")
    w.expected.add(("root_login", source))


def sudo_abuse(w: Written) -> None:
    user, at = f"svc{w.host}{w.dice.randint(10, 99)}", w.moment(3600)
    if w.dice.random() < 0.5:
        w.begin()
        w.say(at, "sudo", f"  {user} : user NOT in sudoers ; TTY=pts/1 ; PWD=/home ; USER=root ; COMMAND=/bin/cat /etc/shadow")
    else:
        for i in range(3):
            w.begin()
            pam = f"pam_unix(sudo:auth): authentication failure; logname={user} uid=1001 euid=0 tty=/dev/pts/1 ruser={user} rhost=  user={user}"
            w.say(at + i * 60, "sudo", pam)
            w.say(at + i * 60 + 12, "sudo", f"  {user} : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh")
    w.expected.add(("sudo_abuse", user))


def port_scan(w: Written) -> None:
    source, at, way = w.address(), w.moment(3600), w.dice.randint(0, 2)
    for i in range(w.dice.randint(9, 14)):
        w.begin()
        port = w.port()
        if way == 0:
            text = (
                f"IN=eth0 OUT= MAC=aa:bb SRC={source} DST=198.51.100.7 LEN=44 TTL=244 PROTO=TCP SPT=4444 DPT={20 + i * 7} WINDOW=1024 SYN"
            )
            w.say(at + i * 3, "kernel", f"[12345.678901] [UFW BLOCK] {text} URGP=0 ")
        elif way == 1:
            w.say(at + i * 20, "sshd", f"Did not receive identification string from {source} port {port}")
        else:
            w.say(at + i * 20, "sshd", w.dice.choice([
                f"Unable to negotiate with {source} port {port}: no matching key exchange method found. Their offer: x [preauth]",
                f"error: Bad protocol version identification 'GET / HTTP/1.1' from {source} port {port}",
                f"banner exchange: Connection from {source} port {port}: invalid format",
                f"Connection closed by {source} port {port} [preauth]",
            ]))  # fmt: skip
    w.expected.add(("port_scan", source))


def equivocation(w: Written) -> None:
    key = "0x" + f"{w.dice.getrandbits(256):064x}"
    text = "Detected prevote equivocation in the finality worker: Equivocation { round_number: 41, identity: "
    w.say(w.moment(), "polkadot", f"{text}{key}, first: (Prevote), second: (Prevote) }}")
    w.expected.add(("equivocation", key))


def peer_abuse(w: Written) -> None:
    peer, at = PEER[:-4] + "".join(w.dice.choices("abcdefghijkmnpqrstuvwxyz", k=4)), w.moment(3600)
    for i in range(w.dice.randint(3, 9)):
        text = f"💔 Report {peer}: -2147483648 to -2147483648. Reason: Genesis mismatch. Banned, disconnecting."
        w.say(at + i * 90, "polkadot", text)
    w.expected.add(("peer_abuse", peer))


def rpc_abuse(w: Written) -> None:
    source, at = w.address(), w.moment(3600)
    for i in range(w.dice.randint(6, 20)):
        w.say(at + i, "polkadot", f"WARN jsonrpsee-server: Too many connections. Please try again later. from {source}")
    w.expected.add(("rpc_abuse", source))


def typo(w: Written) -> str:
    source, at, user = w.address(), w.moment(), w.dice.choice(PEOPLE)
    w.fail(at, source, user, tries=w.dice.randint(1, 2))
    w.accept(at + 30, source, user)
    return source


def forgot(w: Written) -> str:
    source, at, user = w.address(), w.moment(), w.dice.choice(PEOPLE)
    w.fail(at, source, user, tries=w.dice.randint(3, 6))
    return source


def daily_typo(w: Written) -> str:
    source, at, user = w.address(), w.moment(3.5 * 86400), w.dice.choice(PEOPLE)
    for day in range(3):
        w.fail(at + day * 86400, source, user, tries=3)
        w.accept(at + day * 86400 + 40, source, user)
    return source


def many_keys(w: Written) -> str:
    source, at, user = w.address(), w.moment(), w.dice.choice(PEOPLE)
    pid = w.begin()
    for _ in range(5):
        w.say(at, "sshd", f"Failed publickey for {user} from {source} port 5000 ssh2: RSA SHA256:x", pid)
    w.accept(at + 1, source, user, "publickey")
    return source


def wrong_name(w: Written) -> str:
    source, at, user = w.address(), w.moment(), w.dice.choice(PEOPLE)
    w.fail(at, source, user + "x", unknown=True)
    w.accept(at + 60, source, user)
    return source


def wrong_name_only(w: Written) -> str:
    source, at = w.address(), w.quiet_moment()
    w.fail(at, source, w.dice.choice(PEOPLE) + "z", unknown=True)
    return source


def monitor(w: Written) -> str:
    source, at = f"10.0.{w.dice.randint(0, 200)}.{w.dice.randint(1, 200)}", w.moment(3600)
    for i in range(30):
        w.begin()
        w.say(at + i * 60, "sshd", f"Connection closed by {source} port {w.port()} [preauth]")
    return source


def sudo_typo(w: Written) -> str:
    user, at = w.dice.choice(PEOPLE), w.moment()
    w.begin()
    pam = f"pam_unix(sudo:auth): authentication failure; logname={user} uid=1000 euid=0 tty=/dev/pts/0 ruser={user} rhost=  user={user}"
    w.say(at, "sudo", pam)
    w.say(at + 9, "sudo", f"  {user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/systemctl status polkadot")
    return user


def root_by_key(w: Written) -> str:
    source = w.address()
    w.accept(w.moment(), source, "root", "publickey")
    return source


def one_ban(w: Written) -> str:
    peer = PEER[:-4] + "ZZ" + "".join(w.dice.choices("23456789", k=2))
    w.say(w.moment(), "polkadot", f"Report {peer}: -1000 to -1000. Reason: Timeout. Banned, disconnecting.")
    return peer


def impatient(w: Written) -> str:
    source, at = w.address(), w.moment()
    for i in range(3):
        w.begin()
        w.say(at + i * 5, "sshd", f"Connection closed by {source} port {w.port()} [preauth]")
    return source


def everyday(w: Written) -> str:
    at = w.moment(3600)
    for i in range(40):
        best = 1_000_000 + i
        w.begin()
        w.say(at + i * 5, "polkadot", f"💤 Idle (31 peers), best: #{best} (0xff9d…8fae), finalized #{best - 2} (0x8477…5ffb), ⬇ 1.2MiB/s")
        w.say(at + i * 6, "CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")
        w.say(at + i * 6, "systemd", "Started Session 12 of User ada.")
    return "everyday"


def office(w: Written) -> str:
    """A dozen people who mistype once in the same hour, each from home, and log in."""
    at = w.moment(3600)
    for i in range(12):
        source, user = w.address(), PEOPLE[i % len(PEOPLE)]
        w.fail(at + i * 40, source, user)
        w.accept(at + i * 40 + 20, source, user)
        w.innocent.setdefault("office", set()).add(source)
    return ""


ATTACKS: tuple[Callable[[Written], None], ...] = (
    brute_force, slow_brute_force, user_enumeration, distributed, break_in, invalid_user, root_login, sudo_abuse, port_scan,
    equivocation, peer_abuse, rpc_abuse,
)  # fmt: skip
INNOCENCE: tuple[Callable[[Written], str], ...] = (
    typo, forgot, daily_typo, many_keys, wrong_name, wrong_name_only, monitor, sudo_typo, root_by_key, one_ban, impatient, everyday, office,
)  # fmt: skip


def write(seed: int, *, each: int = 8) -> Written:
    w = Written(random.Random(seed))
    for attack in ATTACKS:
        for _ in range(1 if attack in (distributed,) else 3 if attack is invalid_user else each):
            attack(w)
    for innocent in INNOCENCE:
        for _ in range(1 if innocent is office else 2 if innocent is wrong_name_only else each):
            source = innocent(w)
            if source:
                w.innocent.setdefault(innocent.__name__, set()).add(source)
    return w


def text(w: Written, form: str, *, disorder_s: float = 0.0) -> Iterator[str]:
    """The log's lines in one of FORMS, in order of time but for so many seconds."""
    dice = random.Random(7)
    for at, program, pid, message in sorted(w.lines, key=lambda line: line[0] + dice.random() * disorder_s):
        moment = datetime.fromtimestamp(at, UTC)
        tag = f"{program}[{pid}]" if program != "kernel" else "kernel"
        match form:
            case "syslog":
                yield f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} node7 {tag}: {message}\n"
            case "iso":
                yield f"{moment:%Y-%m-%dT%H:%M:%S.%f}+00:00 node7 {tag}: {message}\n"
            case "zoned":
                local = moment.astimezone(timezone(timedelta(hours=5, minutes=30)))
                yield f"{local:%Y-%m-%dT%H:%M:%S}+0530 node7 {tag}: {message}\n"
            case "rfc5424":
                yield f"<38>1 {moment:%Y-%m-%dT%H:%M:%S.%f}Z node7 {program} {pid} - - {message}\n"
            case "unix":
                yield f"{at:.6f} {tag}: {message}\n"
            case _:
                fields = {"__REALTIME_TIMESTAMP": f"{at * 1e6:.0f}", "_HOSTNAME": "node7", "SYSLOG_IDENTIFIER": program, "_PID": str(pid)}
                yield json.dumps({**fields, "MESSAGE": list(message.encode()) if pid % 7 == 0 else message}) + "\n"


def score(w: Written, found: set[tuple[str, str]], crowds: list[set[str]]) -> dict[str, tuple[float, float, int]]:
    """By kind: precision, recall, and how many there are. A crowd counts by its addresses."""
    result = {}
    for kind in sorted({kind for kind, _ in w.expected | found}):
        wanted = {source for k, source in w.expected if k == kind}
        got = {source for k, source in found if k == kind}
        result[kind] = _rates(wanted, got)
    wanted, got = set().union(*w.crowds), set().union(*crowds) if crowds else set()
    result["distributed"] = _rates(wanted, got)
    return result


def _rates(wanted: set[str], got: set[str]) -> tuple[float, float, int]:
    right = len(wanted & got)
    return (right / len(got) if got else 1.0), (right / len(wanted) if wanted else 1.0), len(wanted)

"""What the tracks of a log amount to: attacks of so many kinds, each with its source, span, count and lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gizzi.analysis.attempts import Place
from gizzi.analysis.report import RANK, Evidence, Finding, Severity, evidence
from gizzi.analysis.tracks import FAST_TRIES, QUOTES, Track
from gizzi.clock import duration_text, iso
from gizzi.readers.authlog import Event
from gizzi.readers.text import one_line

AttackKind = Literal[
    "brute_force",
    "slow_brute_force",
    "distributed",
    "user_enumeration",
    "invalid_user",
    "break_in",
    "root_login",
    "sudo_abuse",
    "port_scan",
    "equivocation",
    "peer_abuse",
    "rpc_abuse",
]
SEVERITY: dict[str, Severity] = {
    **dict.fromkeys(("break_in", "equivocation"), "critical"),
    **dict.fromkeys(("root_login", "sudo_abuse"), "high"),
    **dict.fromkeys(("brute_force", "distributed", "user_enumeration", "rpc_abuse"), "medium"),
    **dict.fromkeys(("slow_brute_force", "invalid_user", "port_scan", "peer_abuse"), "low"),
}
_KEYS_ONLY = "accept keys only (PasswordAuthentication no), and let SSH in from the administrators' network alone"
FIXES: dict[str, str] = {
    **dict.fromkeys(("brute_force", "slow_brute_force", "distributed", "user_enumeration", "invalid_user"), _KEYS_ONLY),
    "break_in": "lock the account and end its sessions; then look for keys, accounts, timers and binaries that are new since",
    "root_login": "PermitRootLogin prohibit-password",
    "sudo_abuse": "ask whoever owns the account; look at its sessions, and at who else may use it",
    "port_scan": "nothing, where the firewall is right: `gizzi scan firewall` tells",
    "equivocation": "restart nothing: find the second node that runs with these keys, and stop that one",
    "peer_abuse": "nothing for one peer; for many, look at the node's version, chain specification and bootnodes",
    "rpc_abuse": "close the RPC to strangers, or limit it (--rpc-rate-limit, --rpc-max-connections)",
}
"""What a person does about it."""
MOST_FINDINGS = 500
MOST_SOURCES_NAMED = 200
NAMES = 4
"""So many names that do not exist are no slip of the fingers."""
ONE_USERS_TRIES = 8
"""Of one user that exists, and has a name of its own: fewer may be a person who has forgotten the password."""
STRANGE_TRIES = 3
CROWD = 8
CROWD_GAP_S = 6 * 3600.0
"""Sources that each try a little, no further apart in time than this, are one attack."""
SUDO_TRIES = 6
SUDO_WITHIN_S = 3600.0
SIDE_TIMES = {"peer_abuse": 3, "rpc_abuse": 5}
_BAIT = frozenset(
    """admin administrator test guest oracle postgres mysql ftp ftpuser user ubuntu pi webmaster git jenkins nagios support info deploy www
    tomcat hadoop minecraft teamspeak ts steam backup default service web www-data apache pgadmin debian centos ec2-user vagrant docker
    """.split()  # noqa: SIM905
)
"""Names that are tried everywhere."""


@dataclass(frozen=True, slots=True)
class Attack:
    """source: an address, a host's name, an account (sudo_abuse) or a peer; of a distributed attack the target, and `sources` are
    the addresses. Times are epoch seconds, None where the log has none. count: attempts, connections or lines."""

    kind: AttackKind
    severity: Severity
    source: str
    text: str
    first_at: float | None
    last_at: float | None
    count: int
    users: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def fix(self) -> str:
        return FIXES[self.kind]

    def as_finding(self) -> Finding:
        return Finding(self.kind, self.severity, self.source, self.text, self.evidence, self.fix)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "severity": self.severity,
            "source": self.source,
            "text": self.text,
            "first_at": iso(self.first_at),
            "last_at": iso(self.last_at),
            "count": self.count,
            "users": list(self.users),
            "sources": list(self.sources),
            "evidence": [{"where": e.where, "quote": e.quote} for e in self.evidence],
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class ScanReport:
    """lines: read. events: those that tell of logins, connections or misbehaviour. dropped: sources forgotten for want of room."""

    findings: tuple[Attack, ...]
    lines: int
    events: int
    first_at: float | None
    last_at: float | None
    dropped: int = 0

    def attackers(self) -> frozenset[str]:
        """Every address that a finding names."""
        return frozenset(source for found in self.findings for source in (found.sources or (found.source,)))

    @property
    def unknown(self) -> tuple[str, ...]:
        found = (
            ()
            if self.events
            else ("no line tells of a login, a connection or a node's trouble: are these the logs of sshd, sudo or a node?",)
        )
        lost = f"{self.dropped} sources were forgotten for want of room: those of which little was seen, the oldest first"
        return (*found, lost) if self.dropped else found

    def as_json(self) -> dict[str, Any]:
        span = {"lines": self.lines, "events": self.events, "first_at": iso(self.first_at), "last_at": iso(self.last_at)}
        return {**span, "unknown": list(self.unknown), "findings": [found.as_json() for found in self.findings]}


@dataclass(slots=True)
class Side:
    """What is counted apart from logins: an account's sudo, a peer's or a caller's abuse, equivocations."""

    kind: str
    subject: str
    count: int = 0
    denied: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    worst: int = 0
    wrong: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=SUDO_TRIES * 2))
    quotes: list[Place] = field(default_factory=list)

    def observe(self, event: Event, place: Place) -> None:
        if event.kind == "sudo_done":
            self.wrong.clear()
            return
        self.first_at = min(self.first_at, place.at) if self.count else place.at
        self.last_at = max(self.last_at, place.at)
        self.count += event.times
        self.denied += event.kind == "sudo_denied"
        if event.kind == "sudo_failed" and event.detail == "attempts":
            # sudo tells the whole number at the end, PAM the first alone
            while self.wrong and self.wrong[-1][1] == 1 and place.at - self.wrong[-1][0] <= 60:
                self.wrong.pop()
                self.count -= 1
        if event.kind == "sudo_failed":
            self.wrong.append((place.at, event.times))
            self.worst = max(self.worst, sum(n for at, n in self.wrong if place.at - at <= SUDO_WITHIN_S))
        if len(self.quotes) < QUOTES:
            self.quotes.append(place)


def findings(tracks: Sequence[Track], sides: Sequence[Side]) -> list[Attack]:
    """The worst first, at most MOST_FINDINGS."""
    found: list[Attack] = []
    quiet: list[Track] = []
    for track in tracks:
        of_track = [*_guesses(track), *_scans(track), *_logins(track)]
        found += of_track
        if track.tries and not any(attack.kind not in ("invalid_user", "port_scan") for attack in of_track):
            quiet.append(track)
    crowds = list(_crowds(quiet))
    crowded = {source for crowd in crowds for source in crowd.sources}
    found = [attack for attack in found if attack.kind != "invalid_user" or attack.source not in crowded]
    found += crowds
    found += [attack for side in sides if (attack := _of_side(side)) is not None]
    found.sort(key=lambda attack: (RANK[attack.severity], -attack.count, attack.kind, attack.source))
    return found[:MOST_FINDINGS]


def _attack(
    kind: AttackKind, source: str, text: str, times: tuple[float, float], count: int, quotes: Iterable[Place | None], **more: Any
) -> Attack:
    lines = tuple(evidence(f"{q.stream}:{q.number}", q.line) for q in quotes if q is not None)
    first, last = times
    return Attack(kind, SEVERITY[kind], one_line(source), text, first or None, last or None, count, evidence=lines, **more)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(one_line(name, 64) or "(empty)" for name in list(names)[:20])


def _over(track: Track) -> str:
    return f" in {duration_text(track.last_at - track.first_at)}" if track.last_at > track.first_at else ""


def _is_brute(track: Track) -> bool:
    one_person = len(track.users) == 1 and not track.unknown and not (_BAIT | {"root", ""}) & track.users.keys()
    enough = ONE_USERS_TRIES if one_person else FAST_TRIES
    if track.tries < enough:
        return False
    most = max([*track.users.values(), *track.unknown.values()], default=0)
    return len(track.unknown) < NAMES or most >= FAST_TRIES or sum(track.users.values()) >= FAST_TRIES


def _guesses(track: Track) -> Iterable[Attack]:
    """Passwords and names that were tried without success."""
    if not track.tries:
        return
    times, quotes = (track.first_at, track.last_at), [*track.quotes, track.newest]
    users = _names([*track.users, *track.unknown])
    strange = sum(track.unknown.values())
    if len(track.unknown) >= NAMES:
        text = f"{len(track.unknown)}{'+' if len(track.unknown) >= 64 else ''} names that do not exist were tried{_over(track)}"
        yield _attack("user_enumeration", track.source, text, times, track.tries, quotes, users=users)
    if _is_brute(track):
        pace, kind = ("in quick succession", "brute_force") if track.fast else ("slowly", "slow_brute_force")
        text = f"{track.tries} failed logins {pace}{_over(track)}"
        yield _attack(kind, track.source, text, times, track.tries, quotes, users=users)  # type: ignore[arg-type]
    elif 0 < len(track.unknown) < NAMES and (
        strange >= STRANGE_TRIES or track.doubtful_name or any(name.lower().rstrip("0123456789") in _BAIT for name in track.unknown)
    ):
        text = f"{strange} logins as a user that does not exist{_over(track)}"
        yield _attack("invalid_user", track.source, text, times, track.tries, quotes, users=_names(track.unknown))


def _scans(track: Track) -> Iterable[Attack]:
    probes = track.probes
    if probes is None or not probes.many:
        return
    text = f"{len(probes.ports)} closed ports" if probes.ports else f"{probes.count} connections without a login"
    yield _attack("port_scan", track.source, text, (probes.first_at, probes.last_at), probes.count, probes.quotes)


def _logins(track: Track) -> Iterable[Attack]:
    if track.break_in is not None:
        user, place, tries = track.break_in
        text = f"logged in as {one_line(user, 64)} after {tries} failures"
        times = (track.first_at, max(place.at, track.last_at))
        yield _attack("break_in", track.source, text, times, tries, [*track.quotes[: QUOTES - 1], place], users=_names([user]))
    elif track.root_login is not None:
        place = track.root_login
        text = "root logged in with a password"
        yield _attack("root_login", track.source, text, (place.at, place.at), 1, [place], users=("root",))


def _crowds(quiet: Sequence[Track]) -> Iterable[Attack]:
    """Many sources that each stay below what shows: at root and at names that do not exist, or at one user."""
    groups: dict[str, list[Track]] = {}
    for track in quiet:
        if track.unknown or "root" in track.users:
            groups.setdefault("", []).append(track)
        else:
            for user in list(track.users)[:4]:
                groups.setdefault(user, []).append(track)
    for user, tracks in groups.items():
        tracks.sort(key=lambda track: track.first_at)
        crowd: list[Track] = []
        for track in tracks:
            if crowd and track.first_at - max(t.last_at for t in crowd[-CROWD:]) > CROWD_GAP_S:
                yield from [_crowd(user, crowd)] if len(crowd) >= CROWD else []
                crowd = []
            crowd.append(track)
        yield from [_crowd(user, crowd)] if len(crowd) >= CROWD else []


def _crowd(user: str, crowd: Sequence[Track]) -> Attack:
    target = one_line(user, 64) or "root and names that do not exist"
    times = crowd[0].first_at, max(track.last_at for track in crowd)
    tries = sum(track.tries for track in crowd)
    names = dict.fromkeys(name for track in crowd for name in (*track.users, *track.unknown))
    text = f"{tries} failed logins from {len(crowd)} sources that each tried only a little"
    sources = tuple(one_line(track.source) for track in crowd[:MOST_SOURCES_NAMED])
    quotes = [track.quotes[0] for track in (crowd[0], crowd[len(crowd) // 2], crowd[-1])]
    return _attack("distributed", target, text, times, tries, quotes, users=_names(names), sources=sources)


def _of_side(side: Side) -> Attack | None:
    times = side.first_at, side.last_at
    match side.kind:
        case "sudo" if side.denied or side.worst >= SUDO_TRIES:
            what = f"{side.denied} commands as root that it may not run" if side.denied else f"{side.worst} wrong passwords in an hour"
            return _attack(
                "sudo_abuse", side.subject, f"{what}, by sudo or su", times, side.count, side.quotes, users=_names([side.subject])
            )
        case "console_root":
            text = "root logged in at the console"
            return _attack("root_login", side.subject, text, times, side.count, side.quotes, users=("root",))
        case "equivocation":
            text = "an authority signed twice: a second node may run with its keys"
            return _attack("equivocation", side.subject, text, times, side.count, side.quotes)
        case "peer_abuse" | "rpc_abuse" as kind if side.count >= SIDE_TIMES[kind]:
            text = "the node banned this peer" if kind == "peer_abuse" else "the node refused calls: too many, too large or unsafe ones"
            return _attack(kind, side.subject, f"{text}, {side.count} times", times, side.count, side.quotes)
    return None

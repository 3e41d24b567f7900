"""What a line of a host's log says about logins, privileges, connections and, of a node, misbehaviour.

A message counts only where it begins with the words of the program's source. In OpenSSH's lines the name of the user stands before the
address, and may itself hold ` from 192.0.2.1 port 22 ssh2`: the address is the last one of the line that a port follows. (What stands
behind the address comes from the client in the long dead protocol 1 alone.)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from gizzi.readers import journal
from gizzi.readers.logline import Parts

EventKind = Literal[
    "failed",  # a password, or whatever else was tried, was refused
    "pam",  # the same, as PAM tells it: often beside "failed", under another name of the source
    "unknown_user",  # PAM's word that the user of this process does not exist
    "invalid",  # a user that does not exist
    "seen",  # where a connection comes from; other lines of its process may not say it
    "closed",  # the connection ended before anybody was logged in
    "given_up",  # the same, with the name of the user that was tried
    "accepted",
    "probe",  # a connection that never tried to log in
    "reverse",  # the source's name and address do not fit
    "blocked",  # the firewall dropped it; detail is the port
    "sudo_failed",
    "sudo_denied",
    "sudo_done",
    "console_root",
    "equivocation",
    "peer_abuse",
    "rpc_abuse",
]
MOST_REPEATS = 10_000


class Event(NamedTuple):
    """source: address, name of a host, or peer id; "" where the line names none (of "given_up" and "probe": the connection's, which other
    lines of the process may tell). detail: how, or a port."""

    kind: EventKind
    source: str = ""
    user: str = ""
    times: int = 1
    detail: str = ""


Reader = Callable[[re.Match[str]], Event | None]
_FROM = r" from (\S{1,255})(?: port [0-9]{1,5})?(?: on \S{1,255}(?: port [0-9]{1,5})?)?"
_END = r"(?: ssh2?[0-9]?)?(?:: .{0,400})?(?: \[preauth\])?\s*$"
_REPEATED = re.compile(r"message repeated ([0-9]{1,6}) times: \[ ?(.*?)\s?\]\s*$", re.DOTALL)
_LEVEL = re.compile(r"(?:error|fatal): (?:PAM: )?")
_BEFORE = re.compile(r"\[ID [0-9]{1,10} [a-z0-9]{1,20}\.[a-z]{1,20}\] |kernel: ?\[ {0,12}[0-9]{1,12}\.[0-9]{1,9}\]:? ")
"""What Solaris, and a console's log, put in front of a message."""


def _failed(found: re.Match[str]) -> Event:
    how, invalid, user, source = found.groups()
    if invalid:
        return Event("invalid", source, user, 1, how)
    if how in ("publickey", "none"):
        return Event("seen", source)  # a client tries all the keys it has
    return Event("failed", source, user, 1, how)


def _by_pam(found: re.Match[str]) -> Event:
    invalid, user, source = found.groups()
    return Event("invalid" if invalid else "failed", source, user, 1, "PAM")


def _too_many(found: re.Match[str]) -> Event:
    return Event("given_up", found[3], found[2], 1, "invalid" if found[1] else "")


_AUTHENTICATING = re.compile(
    r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting) (invalid|authenticating) user (.{0,255}?) "
    r"([0-9a-fA-F.:%]{2,60}|\S{1,255}) port [0-9]{1,5}(?:: .{0,200}?)?(?: \[preauth\])?\s*$"
)
_CLOSED = re.compile(r"(?:Connection (?:closed|reset) by|Disconnected from) (\S{1,255})(?: port [0-9]{1,5})?( \[preauth\])?\s*$")


def _closed(found: re.Match[str]) -> Event:
    return Event("probe" if found[2] else "closed", found[1], detail="closed")


_RECEIVED = re.compile(r"Received disconnect" + _FROM + r":\s?([0-9]{1,3}): ?(.{0,400})$")


def _received(found: re.Match[str]) -> Event:
    if found[3].removesuffix(" [preauth]").endswith("Auth fail"):  # JSch's words
        return Event("given_up", found[1])
    return Event("probe" if found[3].endswith("[preauth]") else "closed", found[1], detail="closed")


def _nameless(found: re.Match[str]) -> Event:
    return Event("probe")


def _authenticating(found: re.Match[str]) -> Event:
    return Event("given_up", found[3], found[2], 1, found[1])


def _probe(found: re.Match[str]) -> Event:
    return Event("probe", found[1])


_TRIED = r"Failed (\S{1,60}) for (?:(invalid user |illegal user )|user (?! ?from ))?(.{0,255})"
_OPENED = re.compile(r"Connection from (\S{1,255}) port [0-9]{1,5}(?: on \S{1,255} port [0-9]{1,5}\b.{0,80})?\s*$")
_SSHD: dict[str, tuple[tuple[re.Pattern[str], Reader], ...]] = {
    "Failed": (
        (re.compile(_TRIED + r" from (\S{1,255}) port [0-9]{1,5}(?: on \S{1,255}(?: port [0-9]{1,5})?)?" + _END), _failed),
        (re.compile(_TRIED + _FROM + _END), _failed),
    ),
    **dict.fromkeys(
        ("Authentication", "authentication"),
        (
            (
                re.compile(
                    r"[Aa]uthentication (?:failure|error) for (invalid user |illegal user )?"
                    r"(.{0,255}) from (\S{1,255})(?: via \S{1,255})?\s*$"
                ),
                _by_pam,
            ),
        ),
    ),
    "Accepted": (
        (
            re.compile(r"Accepted (\S{1,60}) for (.{0,255}) from (\S{1,255}) port [0-9]{1,5}" + _END),
            lambda m: Event("accepted", m[3], m[2], 1, m[1]),
        ),
    ),
    **dict.fromkeys(
        ("Invalid", "Illegal"),
        ((re.compile(r"(?:Invalid|Illegal) user (.{0,255}?)" + _FROM + r"\s*$"), lambda m: Event("invalid", m[2], m[1], 0)),),
    ),
    "Connection": ((_AUTHENTICATING, _authenticating), (_CLOSED, _closed), (_OPENED, lambda m: Event("seen", m[1]))),
    "SSH:": ((re.compile(r"SSH: Server;Ltype: \w{1,20};Remote: ([0-9a-fA-F.:]{2,60})-[0-9]{1,5};"), lambda m: Event("seen", m[1])),),
    "Disconnected": ((_AUTHENTICATING, _authenticating), (_CLOSED, _closed)),
    "Disconnecting": ((_AUTHENTICATING, _authenticating),),
    "Disconnecting:": (
        (
            re.compile(r"Disconnecting: Too many authentication failures(?: for (invalid user )?(.{0,255}?))?(?: \[preauth\])?\s*$"),
            lambda m: Event("given_up", "", m[2] or "", 1, "invalid" if m[1] else ""),
        ),
    ),
    "Read": ((re.compile(r"Read from socket failed: Connection (?:reset|timed out|closed)"), _nameless),),
    "kex_exchange_identification:": ((re.compile(r"kex_exchange_identification: "), _nameless),),
    "no": ((re.compile(r"no matching .{1,60} found: client "), _nameless),),
    "Received": ((_RECEIVED, _received),),
    "maximum": ((re.compile(r"maximum authentication attempts exceeded for (invalid user )?(.{0,255})" + _FROM + _END), _too_many),),
    "User": (
        (
            re.compile(
                r"User not known to the underlying authentication module for (invalid user |illegal user )(.{0,255}) from (\S{1,255})\s*$"
            ),
            _by_pam,
        ),
        (re.compile(r"User (.{0,255}?)" + _FROM + r" not allowed because .{0,200}$"), lambda m: Event("invalid", m[2], m[1], 0)),
    ),
    "ROOT": (
        (re.compile(r"(ROOT) LOGIN REFUSED FROM (\S{1,255}).{0,100}$"), lambda m: Event("failed", m[2], "root", 1, "refused")),
        (re.compile(r"ROOT LOGIN\s+ON (\S{1,60})"), lambda m: Event("console_root", m[1], "root")),
    ),
    "reverse": (
        (re.compile(r"reverse mapping checking \S{1,60} for .{0,255} \[(\S{1,60})\] failed"), lambda m: Event("reverse", m[1])),
        (re.compile(r"reverse mapping checking \S{1,60} for .{0,255} failed"), lambda m: None),
    ),
    "Address": ((re.compile(r"Address (\S{1,60}) maps to "), lambda m: Event("reverse", m[1])),),
    "Did": ((re.compile(r"Did not receive identification string" + _FROM + r"\s*$"), _probe),),
    "Bad": ((re.compile(r"Bad protocol version identification .{0,1000}" + _FROM + r"\s*$"), _probe),),
    "Unable": (
        (re.compile(r"Unable to negotiate with (\S{1,255}) port [0-9]{1,5}: no matching "), _probe),
        (re.compile(r"Unable to negotiate a key exchange method"), _nameless),
    ),
    "banner": ((re.compile(r"banner exchange: Connection" + _FROM + r": invalid format"), _probe),),
    "Protocol": ((re.compile(r"Protocol major versions differ for (\S{1,255})(?: port [0-9]{1,5})?: "), _probe),),
    "Timeout": ((re.compile(r"Timeout before authentication for (?:connection from )?(\S{1,255})"), _probe),),
    "drop": ((re.compile(r"drop connection #[0-9]{1,9} from \[(\S{1,60})\]:[0-9]{1,5} "), _probe),),
    "refused": ((re.compile(r"refused connect from (?:\S{1,255} \()?([^\s()]{1,255})"), _probe),),
    "ssh_dispatch_run_fatal:": ((re.compile(r"ssh_dispatch_run_fatal: Connection" + _FROM + r": "), _probe),),
    "connection": ((re.compile(r"connection from (\S{1,255}) \(.{0,255}\) at "), lambda m: Event("probe", m[1], detail="ftp")),),
}
_PAM = re.compile(
    r"(?:\(?pam_[a-z]{1,20}\)?(?:\((\w{1,40})(?::auth)?\))?:? )?(?:PAM ([0-9]{1,6}) more )?authentication failures?; "
    r"logname=(\S{0,80}) uid=(\S{0,10}) euid=\S{0,10} tty=\S{0,80} ruser=(.{0,255}?) rhost=(\S{0,255})(?:\s+user=(.{0,255}?))?\s*$"
)
_UNKNOWN = re.compile(r"(?:pam_[a-z]{1,20}\(\w{1,40}(?::auth)?\): )?check pass; user unknown")
_OTHERS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (re.compile(r"Authentication failed from (\S{1,255}) \("), lambda m: Event("failed", m[1], "", 1, "kerberos")),
    (re.compile(r"ANONYMOUS FTP LOGIN FROM (\S{1,255}),"), lambda m: Event("probe", m[1], detail="ftp")),
    (
        re.compile(r"\(\?@(\S{1,255})\) \[WARNING\] Authentication failed for user \[(.{0,255})\]"),
        lambda m: Event("failed", m[1], m[2], 1, "ftp"),
    ),
    (
        re.compile(r".{0,40}?auth failed, ([0-9]{1,4}) attempts.{0,120}?user=<(.{0,255}?)>.{0,120}?rip=([0-9a-fA-F.:]{2,60})"),
        lambda m: Event("failed", m[3], m[2], int(m[1]), "mail"),
    ),
)
_SUDO = re.compile(r"\s{0,20}(\S{1,80}) : (.{0,4000})", re.DOTALL)
_SUDO_WRONG = re.compile(r"([0-9]{1,4}) incorrect password attempts? ;")
_SU_FAILED = re.compile(r"FAILED (?:su|SU) (?:for|\(to) (\S{1,80}?)\)? (?:by )?(\S{1,80})")
_FIREWALL = re.compile(
    r"(?:\[ ?[0-9.]{1,20}\] )?\[?(?:UFW BLOCK|UFW LIMIT BLOCK|.{0,40}(?:DROP|REJECT|DENY|BLOCK).{0,20}?)[\]: ].{0,20}?IN=\S{1,20} "
)
_SRC = re.compile(r" SRC=(\S{1,60}) ")
_DPT = re.compile(r" DPT=([0-9]{1,5})")
_RPC_ABUSE = re.compile(
    r".{0,120}?(?:Too many connections|RPC rate limit exceeded|RPC call is unsafe to be called externally|"
    r"(?:[Rr]equest|[Bb]atch) (?:is |body )?(?:too large|too big|exceed)|[Ss]ubscription limit (?:reached|exceeded)|oversized request)"
)
_HINTS = re.compile(
    r"equivocati|anned|Verification failed|blacklisted|different chain|connections|RPC |too large|too big|oversized|ubscription"
)
_PEER = re.compile(r"\b(12D3Koo[1-9A-HJ-NP-Za-km-z]{20,60}|Qm[1-9A-HJ-NP-Za-km-z]{44})\b")
_ADDRESS = re.compile(r"(?:from|peer|client|ip4/|addr[=:])\s?\[?((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-f:]{3,45}:[0-9a-f]{1,4})\b")
_IDENTITY = re.compile(r"0x[0-9a-fA-F]{64}|Public\(([0-9A-Za-z]{40,70})")
_SILENT = frozenset(
    ("CRON", "cron", "crond", "systemd", "systemd-logind", "logrotate", "dhclient", "ntpd", "chronyd", "anacron", "rsyslogd")
)


def event_of(parts: Parts) -> Event | None:
    """None for a line that says nothing of the kind."""
    program, message = parts.program, parts.message
    if program in _SILENT:
        return None
    if message.startswith("message repeated "):
        repeated = _REPEATED.match(message)
        if repeated is None:
            return None
        once = event_of(parts._replace(message=repeated[2]))
        return once and once._replace(times=once.times * min(int(repeated[1]), MOST_REPEATS))
    if program == "sshd":
        return _sshd(message)
    if program in ("sudo", "su", "su-l"):
        return _privileges(program, message)
    if program == "kernel":
        return _dropped(message)
    return _other(message, bare=not program)


def _sshd(message: str) -> Event | None:
    if message.startswith(("[ID ", "kernel:")):
        before = _BEFORE.match(message)
        message = message[before.end() :] if before else message
    if message.startswith(("error: ", "fatal: ")):
        level = _LEVEL.match(message)
        message = message[level.end() :] if level else message
    for pattern, read in _SSHD.get(message.partition(" ")[0], ()):
        found = pattern.match(message)
        if found:
            return read(found)
    return _pam(message) if "auth" in message or "unknown" in message else None


def _pam(message: str) -> Event | None:
    found = _PAM.match(message)
    if found:
        service, more, logname, _, ruser, rhost, user = found.groups()
        if service in ("sudo", "su", "su-l", "su_l"):
            return Event("sudo_failed", "", ruser or logname or user or "", 1)
        return Event("pam", rhost, user or "", min(int(more or 1), MOST_REPEATS)) if rhost else None
    return Event("unknown_user") if _UNKNOWN.match(message) else None


def _privileges(program: str, message: str) -> Event | None:
    if "authentication failure" in message:
        found = _PAM.match(message)
        return Event("sudo_failed", "", found[5] or found[3] or found[7] or "", 1) if found else None
    if program == "sudo":
        said = _SUDO.match(message)
        if said is None:
            return None
        user, what = said.groups()
        wrong = _SUDO_WRONG.match(what)
        if wrong:
            return Event("sudo_failed", "", user, int(wrong[1]), "attempts")
        if what.startswith(("user NOT in sudoers ;", "command not allowed ;", "user NOT authorized on host ;")):
            return Event("sudo_denied", "", user)
        return Event("sudo_done", "", user) if what.startswith(("TTY=", "PWD=")) else None
    failed = _SU_FAILED.match(message)
    return Event("sudo_failed", "", failed[2], 1) if failed else None


def _dropped(message: str) -> Event | None:
    if " SRC=" not in message or not _FIREWALL.match(message):
        return None
    source, port = _SRC.search(message), _DPT.search(message)
    return Event("blocked", source[1], detail=port[1]) if source and port else None


def _other(message: str, *, bare: bool) -> Event | None:
    """A node's lines, another service's, or lines without a program in front: those may be sshd's."""
    if bare:
        found = _sshd(message)
        if found is not None:
            return found
    if _HINTS.search(message):
        node = _node(journal.plain_message(message))
        if node is not None:
            return node
    lowered = message[:200]
    if "uth" in lowered or "onnection from" in lowered or "FTP" in lowered or "unknown" in lowered or "LOGIN" in lowered:
        for pattern, read in (*_OTHERS, *_SSHD["connection"], *_SSHD["ROOT"]):
            found_other = pattern.match(message)
            if found_other:
                return read(found_other)
        return _pam(message)
    return None


def _node(message: str) -> Event | None:
    if journal.reports_equivocation(message):
        who = _IDENTITY.search(message)
        return Event("equivocation", (who[1] or who[0]) if who else "")
    if journal.reports_abuse(message):
        peer = _PEER.search(message)
        return Event("peer_abuse", peer[1] if peer else "")
    if _RPC_ABUSE.match(message):
        address = _ADDRESS.search(message)
        return Event("rpc_abuse", address[1] if address else "")
    return None

"""What of a validator lies open: its RPC, the account it runs under, its command line, its sshd: `check_exposure`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gizzi.analysis.report import Finding, Report, Severity, evidence, report

_SSHD_FILE = "/etc/ssh/sshd_config.d/10-hardening.conf"
_RELOAD = "then `sshd -t && systemctl reload ssh`, with a second session open"


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What was read of one validator; None: it was not, or could not be.

    unsafe_rpc: the observation of that name, of a probe from outside. user: the account that runs the node. command: its command line.
    sshd: what `readers.hardening.sshd_settings` gives.
    """

    number: int
    unsafe_rpc: bool | None = None
    user: str | None = None
    unit: str | None = None
    command: str | None = None
    sshd: Mapping[str, str] | None = None


_OPTIONS: tuple[tuple[str, str, Severity, str, str], ...] = (
    (
        r"--rpc-methods[= ](?:unsafe|Unsafe)\b",
        "unsafe_rpc_methods",
        "critical",
        "unsafe RPC methods are on for everybody",
        "--rpc-methods safe",
    ),
    (r"--unsafe-(?:rpc|ws)-external\b", "rpc_external", "high", "the RPC listens on every address, unchecked", ""),
    (r"--(?:rpc|ws)-external\b", "rpc_external", "high", "the RPC listens on every address", ""),
    (r"--prometheus-external\b", "metrics_external", "medium", "the metrics page listens on every address", ""),
    (r"--rpc-cors[= ]all\b", "rpc_cors", "medium", "any web page may call the RPC through a browser", "--rpc-cors none"),
    (
        r"--(?:dev|alice|bob|charlie|dave|eve|ferdie)(?![\w-])",
        "known_keys",
        "critical",
        "the node signs with keys that everybody knows",
        "",
    ),
    (
        r"--(?:password|suri|key)[= ]\S",
        "secret_in_command",
        "high",
        "a secret stands where every account can read it",
        "",
    ),
)
_KINDS_OF_SSHD: tuple[tuple[str, str, Severity, str, str], ...] = (
    ("permitemptypasswords", "yes", "critical", "accounts without a password may log in", "PermitEmptyPasswords no"),
    ("permitrootlogin", "yes", "high", "root may log in with a password", "PermitRootLogin prohibit-password"),
    ("passwordauthentication", "yes", "medium", "passwords are accepted: they can be guessed", "PasswordAuthentication no"),
    ("kbdinteractiveauthentication", "yes", "low", "keyboard-interactive logins are accepted", "KbdInteractiveAuthentication no"),
    ("hostbasedauthentication", "yes", "high", "other hosts vouch for their users", "HostbasedAuthentication no"),
    ("ignorerhosts", "no", "medium", "accounts may trust other hosts by ~/.rhosts", "IgnoreRhosts yes"),
    ("permituserenvironment", "yes", "medium", "accounts may set the environment of their logins", "PermitUserEnvironment no"),
    ("strictmodes", "no", "medium", "key files that others may write are believed", "StrictModes yes"),
    ("gatewayports", "yes", "low", "forwarded ports are open to the world", "GatewayPorts no"),
    ("x11forwarding", "yes", "low", "X11 may be forwarded, which a validator does not need", "X11Forwarding no"),
)
_WEAK = {
    "ciphers": ("Ciphers", re.compile(r"(?:3des|blowfish|cast128|aes\d+|rijndael)-cbc\S*|arcfour\S*|none")),
    "macs": ("MACs", re.compile(r"hmac-md5\S*|hmac-sha1-96\S*|umac-64@\S*|none")),
    "kexalgorithms": ("KexAlgorithms", re.compile(r"diffie-hellman-group(?:1|14|-exchange)-sha1")),
    "hostkeyalgorithms": ("HostKeyAlgorithms", re.compile(r"ssh-dss|ssh-rsa(?:-cert-v01@openssh\.com)?")),
}


def check_exposure(hosts: Sequence[HostFacts]) -> Report:
    found = [finding for host in hosts for finding in (*_rpc(host), *_account(host), *_command(host), *_sshd(host))]
    return report(found, [line for host in hosts for line in _unknown(host)])


def _name(host: HostFacts) -> str:
    return f"validator {host.number}"


def _rpc(host: HostFacts) -> Iterator[Finding]:
    if host.unsafe_rpc:
        text = "unsafe RPC methods answer to outsiders: anybody may insert keys, or change its peers"
        fix = (
            "remove --rpc-methods unsafe and --unsafe-rpc-external from the node's command line, close port 9944, restart through the guard"
        )
        quotes = (evidence(f"{host.number}/unsafe_rpc", "unsafe_rpc = yes"),)
        yield Finding("unsafe_rpc", "critical", _name(host), text, quotes, fix)


def _account(host: HostFacts) -> Iterator[Finding]:
    if host.user in ("root", "0", "#0"):
        unit = host.unit or "UNIT"
        settings = "[Service] User=polkadot NoNewPrivileges=yes"
        fix = f"make an account of its own, give it the database, and add to `systemctl edit {unit}`: {settings}"
        text = "the node runs as root: who breaks into it owns the host and its keys"
        yield Finding("runs_as_root", "high", _name(host), text, (evidence(f"{host.number}/user", f"User={host.user}"),), fix)


def _command(host: HostFacts) -> Iterator[Finding]:
    seen: set[str] = set()
    for pattern, kind, severity, what, instead in _OPTIONS:
        option = re.search(rf"(?:^|\s)({pattern})", host.command or "")
        if option is None or kind in seen:
            continue
        seen.add(kind)
        shown = option[1] if kind != "secret_in_command" else re.split(r"[= ]", option[1])[0]
        fix = f"in the node's command line, replace {shown} by {instead}" if instead else f"remove {shown} from the node's command line"
        yield Finding(kind, severity, _name(host), what, (evidence(f"{host.number}/command", shown),), fix)


def _sshd(host: HostFacts) -> Iterator[Finding]:
    settings = host.sshd or {}
    for name, bad, severity, what, line in _KINDS_OF_SSHD:
        if settings.get(name) == bad:
            yield _ssh_finding(host, name, severity, what, f"{name} {bad}", line)
    for name, (written, weak) in _WEAK.items():
        offered = settings.get(name, "").split(",")
        found = [word for word in offered if weak.fullmatch(word)]
        if found:
            what = f"sshd offers what is broken: {', '.join(found)}"
            yield _ssh_finding(host, name, "low", what, f"{name} {','.join(found)}", f"{written} -{','.join(found)}")
    tries = settings.get("maxauthtries", "")
    if tries.isascii() and tries.isdigit() and int(tries) > 6:
        yield _ssh_finding(host, "maxauthtries", "low", f"{tries[:9]} tries in one connection", f"maxauthtries {tries}", "MaxAuthTries 4")


def _ssh_finding(host: HostFacts, name: str, severity: Severity, what: str, quote: str, line: str) -> Finding:
    fix = f"put `{line}` into {_SSHD_FILE}, {_RELOAD}"
    return Finding(f"sshd_{name}", severity, _name(host), what, (evidence(f"{host.number}/sshd", quote),), fix)


def _unknown(host: HostFacts) -> Iterator[str]:
    missing = {
        "whether unsafe RPC methods answer": host.unsafe_rpc,
        "the account that runs the node": host.user,
        "its command line": host.command,
        "sshd's settings": host.sshd,
    }
    names = [name for name, value in missing.items() if value is None]
    if names:
        yield f"{_name(host)}: not read: {', '.join(names)}"

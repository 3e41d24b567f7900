"""Tasks of the role security that read hosts: logins, packet filters, exposure."""

from __future__ import annotations

from collections.abc import Sequence

from gizzi import CommandFailed, ReportItem, Scene, SourceError, Validator, task
from gizzi.analysis.attacks import scan_logs_for_attacks
from gizzi.analysis.exposure import HostFacts, check_exposure
from gizzi.analysis.firewall import review_firewall_rules
from gizzi.readers.hardening import sshd_settings
from gizzi.readers.manager import FIREWALL_COMMANDS, SUDO
from gizzi.readers.text import one_line
from gizzi.tasks._findings import items

LOGINS = [
    "journalctl",
    "--no-pager",
    "--output=short-iso",
    "--since=-24h",
    *(f"--identifier={name}" for name in ("sshd", "sudo", "su", "login")),
]


@task("scan_logs_for_attacks")
async def attacks(scene: Scene) -> list[ReportItem]:
    """Brute force, enumeration, break-ins and abuse in the hosts' login logs and the nodes' own logs of the last day."""
    found: list[ReportItem] = []
    for validator in scene.validators:
        about = f"validator {validator.number}"
        logs: dict[str, list[str]] = {}
        try:
            logs[f"{about} logins"] = [await scene.run(validator, LOGINS)]
            if validator.unit:
                unit = ["journalctl", "--no-pager", "--output=short-iso", "--since=-24h", f"--unit={validator.unit}"]
                logs[f"{about} node"] = [await scene.run(validator, unit)]
        except SourceError as error:
            found.append(ReportItem(f"not known: its log cannot be read: {one_line(str(error), 300)}", "low", about))
        report = scan_logs_for_attacks(logs, reference=scene.now)
        for attack in report.findings:
            quoted = tuple((seen.where, seen.quote) for seen in attack.evidence)
            found.append(ReportItem(f"{attack.kind.replace('_', ' ')}: {attack.text}", attack.severity, about, quoted))
    return found


@task("review_firewall_rules")
async def firewall(scene: Scene) -> list[ReportItem]:
    """What each host's packet filter opens to the world, what it lacks, and the exact change."""
    found: list[ReportItem] = []
    for validator in scene.validators:
        about = f"validator {validator.number}"
        rules = await _first_answer(scene, validator, [[*SUDO, *command] for command in FIREWALL_COMMANDS])
        if rules is None:
            found.append(ReportItem("not known: no packet filter could be listed; `gizzi doctor` says which right it needs", "low", about))
            continue
        report = review_firewall_rules(rules)
        found += items(report.findings, report.unknown, about)
    return found


@task("check_exposure")
async def exposure(scene: Scene) -> list[ReportItem]:
    """Unsafe RPC that answers, a node that runs as root, weak SSH settings."""
    report = check_exposure([await _host(scene, validator) for validator in scene.validators])
    return items(report.findings, report.unknown)


async def _host(scene: Scene, validator: Validator) -> HostFacts:
    unit = validator.unit or None
    account = await _first_answer(scene, validator, [["systemctl", "show", "--property=User,ExecStart", unit]] if unit else [])
    told = dict(line.partition("=")[::2] for line in (account or "").splitlines())
    settings = await _first_answer(scene, validator, [[*SUDO, "sshd", "-T"]])
    return HostFacts(
        validator.number,
        scene.view(validator).unsafe_rpc,
        (told["User"] or "root") if "User" in told else None,
        unit,
        told.get("ExecStart"),
        sshd_settings(settings) if settings else None,
    )


async def _first_answer(scene: Scene, validator: Validator, commands: Sequence[Sequence[str]]) -> str | None:
    """What the first command that works says; None where none does."""
    for command in commands:
        try:
            said = await scene.run(validator, command)
        except (SourceError, CommandFailed):
            continue
        if said.strip():
            return said
    return None

"""Tasks of the role security that read hosts: logins, packet filters, exposure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from gizzi import CommandFailed, ReportItem, Scene, SourceError, Validator, task
from gizzi.analysis.attacks import scan_logs_for_attacks
from gizzi.analysis.exposure import HostFacts, check_exposure
from gizzi.analysis.firewall import review_firewall_rules
from gizzi.readers.hardening import (
    SSHD_COMMAND,
    UnreadableSetup,
    process,
    process_command,
    sshd_settings,
    unit_pid,
    unit_user,
    user_command,
)
from gizzi.readers.manager import FIREWALL_COMMANDS, SUDO
from gizzi.readers.rules import UnreadableRules
from gizzi.readers.systemd import UnreadableUnit
from gizzi.readers.text import one_line
from gizzi.tasks._findings import items, not_known

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
            found.append(not_known(f"its log cannot be read: {one_line(str(error), 300)}", about))
        report = scan_logs_for_attacks(logs, reference=scene.now)
        found += items((attack.as_finding() for attack in report.findings), about=about)
    return found


@task("review_firewall_rules")
async def firewall(scene: Scene) -> list[ReportItem]:
    """What each host's packet filter opens to the world, what it lacks, and the exact change."""
    found: list[ReportItem] = []
    for validator in scene.validators:
        about = f"validator {validator.number}"
        rules = await _first_answer(scene, validator, [[*SUDO, *command] for command in FIREWALL_COMMANDS])
        if rules is None:
            found.append(not_known("no packet filter could be listed; `gizzi doctor` says which right it needs", about))
            continue
        try:
            report = review_firewall_rules(rules)
        except UnreadableRules as error:
            found.append(not_known(f"its packet filter cannot be read: {error}", about))
            continue
        found += items(report.findings, report.unknown, about)
    return found


@task("check_exposure")
async def exposure(scene: Scene) -> list[ReportItem]:
    """Unsafe RPC that answers, a node that runs as root, weak SSH settings."""
    report = check_exposure([await _host(scene, validator) for validator in scene.validators])
    return items(report.findings, report.unknown)


async def _host(scene: Scene, validator: Validator) -> HostFacts:
    """What can be read of it; the rest stays None."""
    user, command = await _account(scene, validator)
    said = await _first_answer(scene, validator, [SSHD_COMMAND])
    sshd = None
    with suppress(UnreadableSetup):
        sshd = sshd_settings(said) if said else None
    return HostFacts(validator.number, scene.view(validator).unsafe_rpc, user, validator.unit or None, command, sshd)


async def _account(scene: Scene, validator: Validator) -> tuple[str | None, str | None]:
    """Under which account its node runs, and with which command line."""
    user = command = None
    with suppress(UnreadableSetup, UnreadableUnit):
        said = await _first_answer(scene, validator, [user_command(scene.settings.ssh.manager, validator.unit)])
        if said:
            user, pid = unit_user(said), unit_pid(said)
            running = await _first_answer(scene, validator, [process_command(pid)]) if pid else None
            user, command = process(running) if running else (user, None)
    return user, command


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

"""The scan on logs that others wrote and judged line by line: fail2ban's test files for sshd and PAM."""

from __future__ import annotations

import re

import pytest

from conftest import missing
from gizzi.analysis.attacks import is_own, plain_source, scan_logs_for_attacks
from gizzi.readers.authlog import event_of
from gizzi.readers.logline import split_line
from tools import public_logs
from tools.public_logs import Line

pytestmark = pytest.mark.real

FAILURES = ("failed", "invalid", "given_up", "pam", "probe")
"""What counts against a source. "pam" counts once its process has ended, "invalid" and the others at once."""
ATTACK = 8
"""So many connections in one minute are an attack."""
ADDRESS_INJECTED = "auth-info"
"""In protocol 1 a client could write what stands behind its address. Nobody speaks it any more; in protocol 2 it could write what stands
before, so we take the last address where fail2ban takes the first."""
KNOCKED = "kex_exchange_identification"
"""Only the end of such a connection says where it came from."""
LATER = "Accepted password for known"
"""Judged for what came before it: the login of another name after failures."""


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not public_logs.is_installed():
        missing("fail2ban's logs are not here; run: python tests/tools/install.py public_logs")


def connections(one: Line) -> str:
    """What its process wrote so far, as that many connections."""
    process = re.search(r"\[(\d+)\]|sshd (\d+) ", one.text)
    number = next(filter(None, process.groups())) if process else ""
    same = [text for text in one.before if number and number in text] + [one.text]
    written = []
    for place in range(ATTACK):
        for text in same:
            written.append(text.replace(f"[{number}]", f"[{70_000 + place}]", 1) if number else text)
    return "\n".join(written) + "\n"


def accused(text: str) -> set[str]:
    """The sources that the scan reports."""
    report = scan_logs_for_attacks({"log": [text]}, reference=1_122_000_000)
    return {source for found in report.findings for source in (found.source, *found.sources)}


@pytest.mark.parametrize("name", public_logs.FILES)
def test_every_line_judged_a_failure_is_one_with_its_source(name: str) -> None:
    others, failures = [], 0
    for one in public_logs.lines(name):
        if not one.is_failure or LATER in one.text:
            continue
        failures += 1
        parts = split_line(one.text)
        event = event_of(parts) if parts else None
        known = event is not None and event.kind in FAILURES
        known = known or (event is not None and event.kind == "closed" and KNOCKED in "".join(one.before))
        same = known and event is not None and (not event.source or plain_source(event.source) == plain_source(one.host or ""))
        if not same and not (known and ADDRESS_INJECTED in one.said.get("desc", "")):
            others.append((one.text, one.host, event))
    assert others == [] and failures >= 8


@pytest.mark.parametrize("name", public_logs.FILES)
def test_each_such_line_repeated_is_reported_with_its_source(name: str) -> None:
    judged = [one for one in public_logs.lines(name) if one.is_failure and one.host and not is_own(one.host) and LATER not in one.text]
    silent = [connections(one) for one in judged if plain_source(one.host or "") not in accused(connections(one))]
    assert silent == []


@pytest.mark.parametrize("name", ["sshd", "sshd-journal"])
def test_what_is_judged_no_failure_accuses_nobody(name: str) -> None:
    """Not at once: what PAM alone says counts once the process has ended. Some lines are judged both ways, by fail2ban's mode."""
    judged = list(public_logs.lines(name))
    failures = {one.text for one in judged if one.is_failure}
    wrong, quiet = [], 0
    for one in judged:
        parts = split_line(one.text)
        event = event_of(parts) if parts else None
        if not one.is_failure and one.text not in failures and "in normal mode" not in one.said.get("desc", ""):
            quiet += 1
            if event is not None and event.kind in FAILURES and event.kind != "pam" and event.source:
                wrong.append((one.text, event))
    assert wrong == [] and quiet >= 30

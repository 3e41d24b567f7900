"""`gizzi workflow diagnostic`, `code-review`, `upgrade`, `postmortem` and `install`: files that Claude Code follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gizzi.alerts.alert import chain_subject
from gizzi.cli.terminal import clean
from gizzi.cli.words import settings_of, store_exists
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.desk import Desk, incident_number
from gizzi.engine.files.claude import install
from gizzi.engine.files.write import Files, Written
from gizzi.errors import NotFound, StoreError, UsageError
from gizzi.store import open_store

T = TypeVar("T")


def write_diagnostic(config: Path | None, number: str | None, chain: str | None, issue: str) -> int:
    files = _files(config)
    if (number is None) == (chain is None):
        raise UsageError("name one validator by its number, or one chain with --chain")
    known = _known(files.settings, number, chain)
    if chain is not None:
        return _tell(files.diagnostic_of_chain(chain, issue, known))
    return _tell(files.diagnostic(number or "", issue, known))


def write_code_review(config: Path | None, number: str) -> int:
    return _tell(_files(config).code_review(number))


def write_upgrade(config: Path | None, version: str) -> int:
    return _tell(_files(config).upgrade(version))


def write_postmortem(config: Path | None, name: str) -> int:
    files = _files(config)
    number = incident_number(name)
    if not store_exists(files.settings.store.url):
        raise NotFound(f"there is no incident inc-{number}: nobody has watched yet; start with `gizzi watch`")
    return _tell(files.postmortem(_with_desk(files.settings, lambda desk: asyncio.run(desk.incident(name)))))


def lay_out(config: Path | None, *, claude: bool) -> int:
    if not claude:
        raise UsageError("say for which program: --claude")
    for path in install(_files(config)):
        print(path)
    print(
        "Claude Code, started in this folder, now has /gizzi-diagnose, /gizzi-review, /gizzi-upgrade, /gizzi-postmortem and Gizzi's tools"
    )
    return 0


def _files(config: Path | None) -> Files:
    return Files(settings_of(config), named=config is not None)


def _known(settings: Settings, number: str | None, chain: str | None) -> list[str]:
    """The alerts that fire for it, where somebody has watched."""
    if not store_exists(settings.store.url):
        return []
    try:
        firing = _with_desk(settings, lambda desk: asyncio.run(desk.firing()))
    except StoreError as error:
        return [str(error)]
    subject = chain_subject(chain) if chain is not None else None
    of_it = [alert for alert in firing if number in [str(n) for n in alert["validators"]] or alert["subject"] == subject]
    return [f"{alert['since']} {alert['severity']} {alert['rule']}: {alert['text']}" for alert in of_it]


def _with_desk(settings: Settings, ask: Callable[[Desk], T]) -> T:
    store = open_store(settings.store.url)
    try:
        return ask(Desk(store, LiveClock()))
    finally:
        store.close()


def _tell(written: Written) -> int:
    print(f"wrote {clean(written.path)}")
    print("run it with:")
    print(f"  {clean(written.command)}")
    return 0

"""`gizzi ack`, `silence` and `maintenance`: what people say, kept in the store for whichever process watches."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gizzi import registry
from gizzi.app import open_app
from gizzi.cli.words import opened, settings_to_write_to, store_exists, who
from gizzi.clock import iso
from gizzi.config import Settings
from gizzi.engine.desk import incident_number
from gizzi.engine.watch import chains_of
from gizzi.errors import NotFound


def acknowledge(config: Path | None, name: str, *, false_alarm: bool = False) -> int:
    settings = settings_to_write_to(config)
    number = incident_number(name)
    if not store_exists(settings.store.url):
        raise NotFound(f"there is no incident inc-{number}: nobody has watched yet; start with `gizzi watch`")
    with opened(settings) as (_, desk):
        asyncio.run(desk.false_alarm(name, who()) if false_alarm else desk.acknowledge(name, who()))
    print(f"inc-{number} is a false alarm, says {who()}" if false_alarm else f"inc-{number} is acknowledged by {who()}")
    return 0


def add_silence(config: Path | None, rule: str, validator: int | None, span: str, why: str) -> int:
    settings = settings_to_write_to(config)
    rules = registry.load(settings)
    with opened(settings) as (_, desk):
        until = asyncio.run(desk.silence(rules, settings, rule, validator, span, why, who()))
    where = f" of validator {validator}" if validator is not None else ""
    print(f"nobody is told of {rule}{where} until {iso(until)}")
    return 0


def add_maintenance(config: Path | None, whom: str, span: str, why: str) -> int:
    settings = settings_to_write_to(config)
    chains = _chains(settings, whom)
    with opened(settings) as (_, desk):
        until = asyncio.run(desk.maintain(settings, chains, whom, span, why, who()))
    shown = f"validator {int(whom)}" if whom.isdigit() else f"the chain {whom}"
    print(f"{shown} is under maintenance until {iso(until)}; what can cost stake is told all the same")
    return 0


def _chains(settings: Settings, whom: str) -> list[str]:
    """The ids of all chains. Asks the Prometheus server only where a chain is named and no file lists it."""
    known = list(chains_of(settings, settings.validators))
    if whom.isdigit() or whom in known or settings.prometheus.url is None or settings.validators:
        return known
    return asyncio.run(_discovered(settings))


async def _discovered(settings: Settings) -> list[str]:
    async with open_app(settings) as app:
        return list(app.watch.chains)

"""`gizzi notify test`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gizzi import registry
from gizzi.cli.doctor import SIGN
from gizzi.cli.terminal import grid, print_json, show, text
from gizzi.cli.words import settings_of
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.engine.tell.channels import SEND_S, Channel, channels_of, sample
from gizzi.errors import ConfigError
from gizzi.reach.http import HttpClient


def send_test(config: Path | None, *, as_json: bool) -> int:
    """Exit code 1 where a channel failed."""
    settings = settings_of(config)
    if not settings.notify.urls and not settings.notify.routes:
        raise ConfigError(f'{settings.file or "gizzi.toml"}: there are no channels; name one, such as [notify] urls = ["ntfys://TOPIC"]')
    results = asyncio.run(_send(settings))
    if as_json:
        print_json([{"channel": channel.label, "ok": error is None, "error": error} for channel, error in results])
    else:
        rows = [[text(*SIGN[error is None]), text(channel.label), text(error or "told")] for channel, error in results]
        show(grid(rows, indent=2))
    return 1 if any(error is not None for _, error in results) else 0


async def _send(settings: Settings) -> list[tuple[Channel, str | None]]:
    """Every channel and what went wrong with it, None where nothing did."""
    http = HttpClient(timeout_s=SEND_S)
    try:
        channels = list(channels_of(settings, registry.load(settings), http, threads=True).values())
        message = sample(settings.network.name, LiveClock())
        errors = await asyncio.gather(*(channel.send(message) for channel in channels))
    finally:
        await http.close()
    return list(zip(channels, errors, strict=True))

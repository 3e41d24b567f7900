"""The network as a live table, read over the REST API of a running daemon."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gizzi import GizziError, Run, Settings, workflow
from gizzi.readers.text import one_line

TIMEOUT_S = 10.0
MOST_BYTES = 20_000_000
COLUMNS = {"ID": "cyan", "Name": "magenta", "Block": "green", "Peers": "yellow", "Lag": "red", "Health": "bold"}
HEALTH = {"healthy": "green", "warning": "dark_orange", "critical": "bold red", "unknown": "magenta"}


@workflow("network-table", here=True)
async def network_table(run: Run, settings: Settings, url: str = "", every: str = "5s", times: str = "") -> None:
    """Show all validators as a table that is renewed, over the REST API; in a pipe once."""
    place, headers = _place(settings, url)
    every_s, looks = _number("--every", every.removesuffix("s")), _number("--times", times) if times else None
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        looks = looks or 1
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False) as session:
        table = _table(await _status(session, place))
        if not console.is_terminal:
            while True:
                console.print(table, width=max(100, console.width))
                looks = (looks or 1) - 1
                if looks < 1:
                    return
                await run.sleep(every_s)
                table = _table(await _status(session, place))
        with Live(table, console=console, auto_refresh=False) as live:
            while looks is None or looks > 1:
                looks = None if looks is None else looks - 1
                await run.sleep(every_s)
                try:
                    table = _table(await _status(session, place))
                except GizziError as error:
                    table.caption = one_line(str(error), 300)
                live.update(table, refresh=True)


def _place(settings: Settings, url: str) -> tuple[str, dict[str, str]]:
    """Where the daemon answers, and what it wants to see. Its token goes nowhere else."""
    path = "/api/network/status"
    if url:
        if not url.startswith(("http://", "https://")):
            raise GizziError(f"--url {url!r}: write the daemon's address, such as http://127.0.0.1:8080")
        return url.rstrip("/").removesuffix(path) + path, {}
    host, _, port = settings.api.listen.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)
    token = settings.secret(settings.api.token_env)
    return f"http://{host}:{port}{path}", {"Authorization": f"Bearer {token.get_secret_value()}"} if token is not None else {}


async def _status(session: Any, url: str) -> dict[str, Any]:
    import aiohttp

    try:
        async with session.get(url, allow_redirects=False) as reply:
            if reply.status != 200:
                raise GizziError(f"{url} answers with status {reply.status}" + ("; it wants a token" if reply.status == 401 else ""))
            found = json.loads(await reply.content.read(MOST_BYTES))
            return {"network": str(found["network"]), "at": str(found["at"]), "validators": list(found["validators"])}
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise GizziError(f"no Gizzi answers at {url} ({one_line(str(error) or type(error).__name__, 100)}); start `gizzi watch`") from None
    except (ValueError, KeyError, TypeError):
        raise GizziError(f"{url} does not answer as Gizzi does; is it another server?") from None


def _table(status: dict[str, Any]) -> Table:
    table = Table(
        title=Text(f"{one_line(status['network'], 60)} Network Status"), caption=Text(status["at"][:19].replace("T", " ") + " UTC")
    )
    for column, style in COLUMNS.items():
        table.add_column(column, style=style)
    for shown in status["validators"]:
        cells = [_cell(shown.get(key)) for key in ("number", "name", "block_height", "peers", "finalization_lag")]
        health = _cell(shown.get("health"))
        table.add_row(*cells, Text(health.plain, HEALTH.get(health.plain, "")))
    return table


def _cell(value: Any) -> Text:
    return Text("–" if value is None else one_line(str(value), 20))


def _number(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.2 <= value <= 1e6:
        raise GizziError(f"{option} {text!r}: write a number, 0.2 or more")
    return value

"""`gizzi approvals`, `approve` and `deny`: what only a person may say."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.console import RenderableType
from rich.text import Text

from gizzi.cli.terminal import clean, grid, print_json, show, text
from gizzi.cli.words import settings_of, settings_to_write_to, store_exists, who
from gizzi.clock import LiveClock, duration_text
from gizzi.config import Settings, inside_coding_agent, is_terminal
from gizzi.engine.act.desk import ONLY_PEOPLE, ActionDesk
from gizzi.errors import GizziError, NotFound
from gizzi.store import open_store

ASK_S = 10.0


def list_approvals(config: Path | None, *, as_json: bool) -> int:
    settings = settings_of(config)
    found: list[dict[str, Any]] = []
    if store_exists(settings.store.url):
        store = open_store(settings.store.url)
        try:
            found = asyncio.run(ActionDesk(store, LiveClock()).approvals())
        finally:
            store.close()
    if as_json:
        print_json(found)
    elif found:
        show(*_page(found))
    else:
        show("no approval waits")
    return 0


def answer(config: Path | None, name: str, *, yes: bool, why: str) -> int:
    """Exit code 0 where the answer counts."""
    if inside_coding_agent():
        raise GizziError(ONLY_PEOPLE)
    settings = settings_to_write_to(config)
    if not store_exists(settings.store.url):
        raise NotFound(f"there is no approval {name}: nobody has watched yet; start with `gizzi watch`")
    if not is_terminal():
        return _by_token(settings, name, yes=yes, why=why)
    store = open_store(settings.store.url)
    try:
        desk = ActionDesk(store, LiveClock())
        approval = asyncio.run(desk.approval(name))
        show(*_page([approval]))
        if not _typed(approval["validator"], "approve" if yes else "deny"):
            raise GizziError(f"{approval['id']} still waits: the validator's number was not typed back")
        decided = asyncio.run(desk.decide(name, yes=yes, by=who(), why=why))
    finally:
        store.close()
    print(f"{decided['id']} is {decided['state']} by {decided['decided_by']}")
    return 0


def _typed(validator: int, word: str) -> bool:
    """Whether the person typed the validator's number back."""
    print(f"Type the validator's number to {word} it: ", end="", flush=True)
    return sys.stdin.readline().strip() == str(validator)


def _by_token(settings: Settings, name: str, *, yes: bool, why: str) -> int:
    """Where no person sits at a terminal: an approver's token, which only the daemon can judge."""
    names = [settings.api.token_env, *(token.token_env for token in settings.api.tokens if token.role == "approver")]
    token = next((secret for wanted in names if (secret := settings.secret(wanted)) is not None), None)
    if token is None:
        raise GizziError("this needs a terminal where you type the validator's number back, or an approver's token in the environment")
    url = f"http://{settings.api.listen}/api/approvals/{name}/{'approve' if yes else 'deny'}"
    head = {"Authorization": f"Bearer {token.get_secret_value()}", "Content-Type": "application/json"}
    try:
        with urlopen(Request(url, json.dumps({"why": why}).encode(), head, method="POST"), timeout=ASK_S) as reply:
            decided = json.loads(reply.read())
    except HTTPError as error:
        raise GizziError(f"the daemon at {settings.api.listen} refuses: {_detail(error)}") from None
    except (URLError, OSError, ValueError) as error:
        raise GizziError(f"no daemon answers at {settings.api.listen} ({error}); start `gizzi watch`") from None
    print(f"{decided['id']} is {decided['state']} by {decided['decided_by']}")
    return 0


def _detail(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, OSError):
        return f"status {error.code}"


def _page(found: list[dict[str, Any]]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for approval in found:
        left_s = (datetime.fromisoformat(approval["expires_at"]) - datetime.now(UTC)).total_seconds()
        state = f"{duration_text(left_s)} left" if approval["state"] == "waiting" and left_s > 0 else approval["state"]
        what = f"{approval['action']} validator {approval['validator']}"
        about = f" for {approval['incident']}" if approval["incident"] else ""
        title = Text.assemble((clean(f"{what}{about}"), "bold"), "  ", (clean(state), "dark_orange"))
        rows = [[text(approval["id"], "bold"), title], [Text(), text(approval["because"])]]
        rows += [[Text(), text(f"asks because {reason}", "dim")] for reason in approval["reasons"]]
        parts += [grid(rows, indent=2), Text()]
    return [Text(), *parts]

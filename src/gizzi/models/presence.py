"""Who would answer: nobody where no server listens, and what to do where nobody is left at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from yarl import URL

from gizzi.errors import GizziError
from gizzi.models.catalogue import Catalogue
from gizzi.models.model import Provider

WITHIN_S = 1.0
THREE_LINES = (
    'providers.mine = { api = "openai", url = "http://127.0.0.1:8000/v1" }',
    'models."mine/NAME" = { tier = "local", price = { input = 0, output = 0 } }',
    'tiers.local = ["mine/NAME"]',
)
HOW_TO = f"start Ollama, set OPENAI_API_KEY or ANTHROPIC_API_KEY, or put three lines at the top of gizzi.toml: {'; '.join(THREE_LINES)}"


async def unserved(catalogue: Catalogue, names: Iterable[str]) -> dict[str, str]:
    """By model id, why nobody answers for it: what a call would find out after its library was loaded, for seconds and 35 MB.

    Only servers that want no key are knocked at, which are our own; all that may answer are left out.
    """
    models = [catalogue.models[name] for name in names]
    asked = {model.provider: catalogue.providers[model.provider] for model in models}
    ours = [of for of in asked.values() if of.key_env is None and of.key_file is None and of.program is None]
    heard = dict(zip((provider.name for provider in ours), await asyncio.gather(*map(_listens, ours)), strict=True))
    return {
        model.id: f"{model.id}: no connection to {asked[model.provider].url}; is it running?"
        for model in models
        if not heard.get(model.provider, True)
    }


async def _listens(provider: Provider) -> bool:
    """True also where that cannot be told: then the call itself will."""
    try:
        url = URL(provider.url)
        host, port = url.host, url.port
    except ValueError:
        return True
    if not host or not port:
        return True
    try:
        async with asyncio.timeout(WITHIN_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def is_away(failure: str) -> bool:
    return "no connection" in failure or "left alone" in failure


def nobody(why: str, explain: bool) -> GizziError:
    return GizziError(f"no model could answer: {why.removeprefix('no model answered: ')}" + (f"; to have one, {HOW_TO}" if explain else ""))

"""Who would answer: nobody where no server listens, and what to do where nobody is left at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from yarl import URL

from gizzi.errors import GizziError
from gizzi.models.catalogue import Catalogue
from gizzi.models.failures import refused_at
from gizzi.models.model import Provider
from gizzi.models.providers import WIRES

WITHIN_S = 1.0
KNOCK_AGAIN_S = 5.0
THREE_LINES = (
    'providers.mine = { api = "openai", url = "http://127.0.0.1:8000/v1" }',
    'models."mine/NAME" = { tier = "local", price = { input = 0, output = 0 } }',
    'tiers.local = ["mine/NAME"]',
)
HOW_TO = f"start Ollama, set OPENAI_API_KEY or ANTHROPIC_API_KEY, or put three lines at the top of gizzi.toml: {'; '.join(THREE_LINES)}"


class Presence:
    """What was found lately, so that many questions at once knock once."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, bool]] = {}
        self._knocking = asyncio.Lock()

    async def unserved(self, catalogue: Catalogue, names: Iterable[str]) -> dict[str, str]:
        """By model id, why nobody answers for it: what a call would find out after its library was loaded, for seconds and 35 MB.

        Only servers of built-in wires that want no key are knocked at, which are our own; all that may answer are left out.
        """
        urls = {name: of.url for name in names if _is_ours(of := catalogue.providers[catalogue.models[name].provider])}
        async with self._knocking:
            now = asyncio.get_running_loop().time()
            unknown = [url for url in set(urls.values()) if url not in self._found or now - self._found[url][0] > KNOCK_AGAIN_S]
            for url, is_there in zip(unknown, await asyncio.gather(*map(_listens, unknown)), strict=True):
                self._found[url] = asyncio.get_running_loop().time(), is_there
            return {name: f"{name}: {refused_at(url)}" for name, url in urls.items() if not self._found[url][1]}


def _is_ours(provider: Provider) -> bool:
    return provider.key_env is None and provider.key_file is None and provider.program is None and provider.api in WIRES


async def _listens(address: str) -> bool:
    """True also where that cannot be told: then the call itself will."""
    try:
        url = URL(address)
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

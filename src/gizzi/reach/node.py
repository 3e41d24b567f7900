"""A validator's node over the network: its metrics page and its JSON-RPC. No time-outs here: patience.PatientNode adds them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp

from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach import Samples
from gizzi.reach.http import MAX_BODY_BYTES, fetch, new_session, place
from gizzi.reach.wire import Odd, Place, Take, Wires, place_of
from gizzi.readers.exposition import Reading, Scanner, UnreadablePage
from gizzi.readers.jsonrpc import MAX_ANSWER_BYTES, RpcError, batch_request, read_answer, read_batch, request

ODD_S = 300.0
"""For so long an address that did not answer plainly is asked by the full HTTP client at once."""
_JSON = {"Content-Type": "application/json"}


class HttpNode:
    """Reads any number of validators over kept connections. Close it after use, unless the session is somebody else's."""

    def __init__(self, session: aiohttp.ClientSession | None = None, *, max_page_bytes: int = MAX_BODY_BYTES) -> None:
        self._session = session
        self._owns_session = session is None
        self._max_page_bytes = max_page_bytes
        self._scanners: dict[frozenset[str], Scanner] = {}
        self._wires = Wires()
        self._places: dict[str, Place | None] = {}
        self._odd_until: dict[str, float] = {}

    async def metrics(self, validator: Validator, names: frozenset[str]) -> Samples:
        """The wanted samples of its metrics page. Raises SourceError."""
        url = validator.metrics_url
        if url is None:
            raise SourceError("refused", f"validator {validator.number} has no metrics_url; add one to gizzi.toml")
        scanner = self._scanners.get(names)
        if scanner is None:
            scanner = self._scanners[names] = Scanner(names)
        reading = Reading(scanner)
        if not await self._ask_plainly(url, None, reading.take, self._max_page_bytes):
            page = await fetch(self._open(), "GET", url, limit_bytes=self._max_page_bytes)
            reading = Reading(scanner)
            reading.take(page, 0, len(page))
        try:
            return reading.samples()
        except UnreadablePage as error:
            raise SourceError("unreadable", f"the page at {place(url)} {error}") from None

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        """The result of one JSON-RPC call. Raises SourceError; where the node answers with an error, its subclass RpcError."""
        body = await self._post(validator, request(method, *params))
        try:
            return read_answer(body)
        except RpcError:
            raise
        except SourceError as error:
            raise SourceError(error.kind, f"{method} at {place(validator.rpc_url or '')}: {error}") from None

    async def batch(self, validator: Validator, calls: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        """What each call gave, its result or its SourceError. Raises SourceError where the node takes no batches, or does not answer."""
        return read_batch(await self._post(validator, batch_request(calls)), len(calls))

    async def _post(self, validator: Validator, body: bytes) -> bytes:
        url = validator.rpc_url
        if url is None:
            raise SourceError("refused", f"validator {validator.number} has no rpc_url; add one to gizzi.toml")
        pieces: list[bytes] = []
        if await self._ask_plainly(url, body, lambda data, start, end: pieces.append(bytes(data[start:end])), MAX_ANSWER_BYTES):
            return b"".join(pieces)
        return await fetch(self._open(), "POST", url, body=body, headers=_JSON, limit_bytes=MAX_ANSWER_BYTES)

    async def _ask_plainly(self, url: str, body: bytes | None, take: Take, limit_bytes: int) -> bool:
        """Ask at the least cost. Returns False where the server does not answer so; why, the full HTTP client will find out."""
        if url not in self._places:
            self._places[url] = place_of(url)
        where = self._places[url]
        if where is None or (url in self._odd_until and asyncio.get_running_loop().time() < self._odd_until[url]):
            return False
        try:
            await self._wires.ask(where, where.get() if body is None else where.post(body), take, limit_bytes)
        except Odd:
            self._odd_until[url] = asyncio.get_running_loop().time() + ODD_S
            return False
        return True

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = new_session()
        return self._session

    async def close(self) -> None:
        self._wires.close()
        if self._session is not None and self._owns_session:
            await self._session.close()
            self._session = None

"""A validator's node over the network: its metrics page and its JSON-RPC. No time-outs here: patience.PatientNode adds them."""

from __future__ import annotations

from typing import Any

import aiohttp

from gizzi.config import Validator
from gizzi.errors import SourceError
from gizzi.reach import Samples
from gizzi.reach.http import MAX_BODY_BYTES, fetch, new_session, place
from gizzi.readers.exposition import Scanner, UnreadablePage
from gizzi.readers.jsonrpc import MAX_ANSWER_BYTES, RpcError, read_answer, request

_JSON = {"Content-Type": "application/json"}


class HttpNode:
    """Reads any number of validators over kept connections. Close it after use, unless the session is somebody else's."""

    def __init__(self, session: aiohttp.ClientSession | None = None, *, max_page_bytes: int = MAX_BODY_BYTES) -> None:
        self._session = session
        self._owns_session = session is None
        self._max_page_bytes = max_page_bytes
        self._scanners: dict[frozenset[str], Scanner] = {}

    async def metrics(self, validator: Validator, names: frozenset[str]) -> Samples:
        """The wanted samples of its metrics page. Raises SourceError."""
        url = validator.metrics_url
        if url is None:
            raise SourceError("refused", f"validator {validator.number} has no metrics_url; add one to gizzi.toml")
        page = await fetch(self._open(), "GET", url, limit_bytes=self._max_page_bytes)
        scanner = self._scanners.get(names)
        if scanner is None:
            scanner = self._scanners[names] = Scanner(names)
        try:
            return scanner.scan(page)
        except UnreadablePage as error:
            raise SourceError("unreadable", f"the page at {place(url)} {error}") from None

    async def rpc(self, validator: Validator, method: str, *params: Any) -> Any:
        """The result of one JSON-RPC call. Raises SourceError; where the node answers with an error, its subclass RpcError."""
        url = validator.rpc_url
        if url is None:
            raise SourceError("refused", f"validator {validator.number} has no rpc_url; add one to gizzi.toml")
        body = await fetch(self._open(), "POST", url, body=request(method, *params), headers=_JSON, limit_bytes=MAX_ANSWER_BYTES)
        try:
            return read_answer(body)
        except RpcError:
            raise
        except SourceError as error:
            raise SourceError(error.kind, f"{method} at {place(url)}: {error}") from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = new_session()
        return self._session

    async def close(self) -> None:
        if self._session is not None and self._owns_session:
            await self._session.close()
            self._session = None

"""HTTP, bounded: no redirects, cookies or proxies, answers of limited size, every failure a SourceError that names host and port."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp
from yarl import URL

from gizzi.errors import SourceError
from gizzi.readers.jsonrpc import read_json
from gizzi.readers.text import one_line

MAX_BODY_BYTES = 50_000_000
_MAX_ERROR_BYTES = 10_000
_JSON = {"Content-Type": "application/json"}
_KEEP_ALIVE_S = 75.0
_DNS_CACHE_S = 30
_READ_BUFFER_BYTES = 2**20
"""A whole metrics page, so that reading it is not paused and resumed."""
_DISCONNECTED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


def new_session() -> aiohttp.ClientSession:
    """A session for any number of hosts. It sets no time-outs: who calls does. Needs a running loop; close it after use."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_DNS_CACHE_S)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        headers={"User-Agent": "gizzi", "Accept": "*/*"},
        read_bufsize=_READ_BUFFER_BYTES,
    )


async def fetch(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    limit_bytes: int = MAX_BODY_BYTES,
) -> bytes:
    """The body of an answer with status 200. Raises SourceError, never anything of aiohttp's.

    For reads only: a kept connection may have died with the server's last restart, so where one ends without an answer the request is
    sent once more, over a new one.
    """
    once = partial(_fetch_once, method=method, url=url, body=body, headers=headers, params=params, limit_bytes=limit_bytes)
    try:
        return await once(session)
    except _DISCONNECTED:
        pass
    async with new_session() as fresh:
        try:
            return await once(fresh)
        except _DISCONNECTED:
            raise SourceError("refused", f"{place(url)} closed the connection without an answer") from None


async def _fetch_once(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str] | None,
    params: Mapping[str, str] | None,
    limit_bytes: int,
    accepted: range = range(200, 201),
) -> bytes:
    try:
        async with session.request(method, url, data=body, headers=headers, params=params, allow_redirects=False) as response:
            if response.status not in accepted:
                raise await _status_error(response, url)
            return await _read(response, limit_bytes, url)
    except aiohttp.ClientConnectorError as error:
        raise _not_connected(error, url) from None
    except _DISCONNECTED:
        raise
    except aiohttp.ClientPayloadError:
        raise SourceError("unreadable", f"the answer of {place(url)} was cut off or is wrongly compressed") from None
    except (aiohttp.InvalidURL, UnicodeError):  # a host name with a part of more than 63 letters is a UnicodeError
        raise SourceError("refused", f"{place(url)} is not an address that can be reached") from None
    except aiohttp.ClientError as error:
        raise SourceError("unreadable", f"{place(url)} does not answer in HTTP ({type(error).__name__})") from None


async def _read(response: aiohttp.ClientResponse, limit_bytes: int, url: str) -> bytes:
    chunks: list[bytes] = []
    size = response.content_length or 0
    while size <= limit_bytes:
        chunk = await response.content.readany()
        if not chunk:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not chunks:
            size = 0
        chunks.append(chunk)
        size += len(chunk)
    response.close()
    raise SourceError("unreadable", f"the answer of {place(url)} is larger than {limit_bytes / 1e6:.3g} MB")


async def _status_error(response: aiohttp.ClientResponse, url: str) -> SourceError:
    """What an answer with another status than 200 means; a server that explains itself in JSON (Prometheus does) is quoted."""
    if response.status in (401, 403):
        response.close()
        return SourceError("unauthorised", f"{place(url)} answered HTTP {response.status}; it wants a user and a password in its address")
    why = ""
    if 300 <= response.status < 400:
        why = "; redirects are not followed, so configure the address it leads to"
    elif response.content_type == "application/json":
        start = await response.content.read(_MAX_ERROR_BYTES)
        try:
            explained = read_json(start, _MAX_ERROR_BYTES)
        except SourceError:
            explained = None
        if isinstance(explained, dict) and isinstance(explained.get("error"), str):
            why = f": {one_line(explained['error'])}"
    response.close()
    return SourceError("http", f"{place(url)} answered HTTP {response.status}{why}")


def _not_connected(error: aiohttp.ClientConnectorError, url: str) -> SourceError:
    reason = one_line(error.strerror or "no connection")
    if error.errno and reason.startswith("Connect call failed"):
        reason = os.strerror(error.errno)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return SourceError("internal", "too many open files here; raise the limit of file descriptors (ulimit -n) and start again")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return SourceError("refused", f"the name in {place(url)} cannot be looked up: {reason}")
    if isinstance(error, aiohttp.ClientSSLError):
        return SourceError("refused", f"no trusted TLS connection to {place(url)}: {one_line(str(error.__cause__ or error))}")
    return SourceError("refused", f"no connection to {place(url)}: {reason}")


def place(url: str) -> str:
    """host:port of an address, without user and password, for messages."""
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
    except ValueError:
        return "the address"
    if not host:
        return "the address"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpClient:
    """Plain GETs for sources, each within `timeout_s`. Close it after use."""

    def __init__(self, timeout_s: float, session: aiohttp.ClientSession | None = None) -> None:
        self._timeout_s = timeout_s
        self._session = session

    async def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of an HTTP answer. Raises SourceError."""
        body = await self._get(url, params)
        try:
            return read_json(body, MAX_BODY_BYTES)
        except SourceError as error:
            raise SourceError(error.kind, f"{place(url)}: {error}") from None

    async def get(self, url: str) -> bytes:
        """The body of an HTTP answer, at most 50 MB. Raises SourceError."""
        return await self._get(url, None)

    async def post_json(self, url: str, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Send JSON, once, over a connection of its own. Raises SourceError where the answer is not one of success (200 to 299)."""
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(self._timeout_s), new_session() as session:
                await _fetch_once(session, "POST", url, data, {**_JSON, **(headers or {})}, None, _MAX_ERROR_BYTES, range(200, 300))
        except TimeoutError:
            raise SourceError("timeout", f"{place(url)} did not answer in {self._timeout_s:.3g} s") from None
        except _DISCONNECTED:
            raise SourceError("refused", f"{place(url)} closed the connection without an answer") from None

    async def _get(self, url: str, params: Mapping[str, str] | None) -> bytes:
        if self._session is None:
            self._session = new_session()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await fetch(self._session, "GET", url, params=params)
        except TimeoutError:
            raise SourceError("timeout", f"{place(url)} did not answer in {self._timeout_s:.3g} s") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

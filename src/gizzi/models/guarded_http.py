"""The HTTP client under every provider's SDK: no redirects, no environment, no compressed answers, and only so many bytes of any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

LONGEST_ANSWER_BYTES = 8 * 2**20
CONNECT_S = 5.0
CONNECTIONS = 256


def client() -> Any:
    """Times to read are the caller's: only connecting has a limit of its own."""
    import httpx2

    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=64)
    transport = _transport_class()(httpx2.AsyncHTTPTransport(limits=limits, trust_env=False))
    timeout = httpx2.Timeout(None, connect=CONNECT_S)
    return httpx2.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)


@cache
def _transport_class() -> Any:
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            seen = 0
            async for chunk in self._inner:
                seen += len(chunk)
                if seen > LONGEST_ANSWER_BYTES:
                    raise httpx2.RemoteProtocolError(f"the answer is longer than {LONGEST_ANSWER_BYTES} bytes")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    class Guarded(httpx2.AsyncBaseTransport):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def handle_async_request(self, request: Any) -> Any:
            request.headers["accept-encoding"] = "identity"
            response = await self._inner.handle_async_request(request)
            if response.headers.get("content-encoding", "identity") != "identity":
                await response.aclose()
                raise httpx2.RemoteProtocolError("the answer is compressed, which was not asked for")
            response.stream = Bounded(response.stream)
            return response

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Guarded

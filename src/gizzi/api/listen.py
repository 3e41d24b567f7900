"""HOST:PORT, and a socket that listens there."""

from __future__ import annotations

import errno
import re
import socket

from gizzi.errors import ConfigError

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\[\]\s/@]+)):(?P<port>\d{1,5})")
_WHY = {
    errno.EADDRINUSE: "something listens there already; stop it, or choose another address with [api] listen or --listen",
    errno.EACCES: "ports below 1024 need root; choose another with [api] listen or --listen",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with [api] listen or --listen",
}


def address_of(text: str) -> tuple[str, int]:
    """("127.0.0.1", 8080) of "127.0.0.1:8080", ("::1", 8080) of "[::1]:8080". Port 0 is any free one. Raises ConfigError."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65535:
        raise ConfigError(f"[api] listen: {text!r} is not HOST:PORT; write it like 127.0.0.1:8080 or [::1]:8080")
    return match["six"] or match["host"], int(match["port"])


def bind(text: str) -> socket.socket:
    """A listening socket. Raises ConfigError, which names [api] listen."""
    host, port = address_of(text)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"[api] listen {text!r}: {getattr(error, 'strerror', None) or 'no such host name'}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise ConfigError(f"[api] listen {text!r}: {_WHY.get(error.errno or 0, error.strerror)}") from None
    bound.setblocking(False)
    return bound


def url_of(bound: socket.socket) -> str:
    """The address it listens on, as a browser takes it."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"

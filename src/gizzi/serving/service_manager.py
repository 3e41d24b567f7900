"""What systemd hears of the daemon: NAME=value lines in datagrams on the socket it named, as sd_notify(3) says."""

from __future__ import annotations

import socket

import structlog

log = structlog.get_logger("gizzi")


class ServiceManager:
    """address: of its socket, "@" first for an abstract one; None: nobody listens, and nothing is said."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._socket: socket.socket | None = None
        self._failing = False

    def say(self, *lines: str) -> None:
        """Never waits, and never fails: what did not arrive is said anew, and a lasting silence is for systemd to judge."""
        if self.address is None:
            return
        place = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(lines).encode(), place)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("service_manager_unheard", socket=self.address, error=str(error))
            self._failing = True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

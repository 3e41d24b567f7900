"""`gizzi watch` as a process of its own, which a test may kill at any moment, and what it leaves in its store."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gizzi.store import open_store
from tools.fleet import start

LISTENS = re.compile(r"gizzi watches .* status at (http://\S+)/api/network/status")


class Daemon:
    """lines: what it has said on stderr so far."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.process = process
        self.lines: list[str] = []
        self.url = ""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, folder: Path, *, env: dict[str, str] | None = None) -> Daemon:
        """With the gizzi.toml in that folder; its API on a free port."""
        return cls(folder, await start("watch", "--listen", "127.0.0.1:0", cwd=folder, env=env))

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line = raw.decode().rstrip("\n")
            self.lines.append(line)
            if match := LISTENS.search(line):
                self.url = match[1]

    async def ready(self, within_s: float = 90.0) -> Daemon:
        await self.until(lambda: self.url or self.process.returncode is not None, within_s)
        assert self.url, f"it did not start:\n{self.said}"
        return self

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    async def until(self, condition: Callable[[], Any], within_s: float = 90.0) -> None:
        """Wait until it holds; fails with what was said."""
        give_up_at = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < give_up_at, f"not within {within_s:.0f} s; it said:\n{self.said}"
            await asyncio.sleep(0.05)

    async def until_said(self, *words: str, within_s: float = 90.0) -> str:
        """Wait for a line with all these words; gives it."""
        found: list[str] = []

        def is_there() -> bool:
            found[:] = [line for line in self.lines if all(word in line for word in words)]
            return bool(found)

        await self.until(is_there, within_s)
        return found[0]

    async def kill(self) -> None:
        """SIGKILL: it has no chance to tidy up."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def stop(self) -> int:
        """SIGTERM; gives its exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        code = await asyncio.wait_for(self.process.wait(), 60)
        await self._reading
        return code

    async def get(self, path: str) -> Any:
        """The JSON at a path of its API."""
        return await asyncio.to_thread(_get, self.url + path)

    async def statuses(self) -> dict[int, dict[str, Any]]:
        return {shown["number"]: shown for shown in (await self.get("/api/network/status"))["validators"]}


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.loads(answer.read())


class Kept:
    """What a store holds, read beside the daemon."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    def close(self) -> None:
        self._store.close()

    async def incidents(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return sorted(await self._store.incident_rows(limit=1000), key=lambda row: row["id"])

    async def alerts(self) -> list[dict[str, Any]]:
        return await self._store.alert_rows()

    async def timeline(self, incident: int) -> list[str]:
        """What happened to the incident itself."""
        return [event["kind"] for event in await self._store.event_rows(incident) if event["kind"] not in ("joined", "alert_resolved")]

    async def check(self) -> None:
        """Fails where anything is lost, doubled or stuck that must never be, whenever one looks."""
        incidents, alerts = await self.incidents(), await self.alerts()
        assert [row["id"] for row in incidents] == list(range(1, len(incidents) + 1)), "numbers are given once, in order"
        firing = [row for row in alerts if row["state"] == "firing"]
        assert len({(row["subject"], row["rule"]) for row in firing}) == len(firing), "one alert fires once"
        still_open = {row["id"] for row in incidents if row["state"] != "resolved"}
        assert {row["incident"] for row in firing if row["muted"] is None or row["incident"]} == still_open
        for row in incidents:
            kinds = await self.timeline(row["id"])
            assert kinds.count("opened") == 1, (row["id"], kinds)
            ends, begins = kinds.count("resolved") + kinds.count("merged"), 1 + kinds.count("reopened")
            assert ends == begins - (row["state"] != "resolved"), (row["id"], kinds)

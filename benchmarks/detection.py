"""From fault to incident, live: Gizzi and a real Prometheus with Alertmanager watch the same simulated fleet of 21, polled every 5 s.

Their rules are those the field agrees on: peers below 3 for 3 minutes, best or finalized height not rising over 5 minutes for 3 minutes
(critical after 10). Faults of one validator run at once, each on another, and end before those of its votes and the chain's finality.
Takes 15 minutes; `--quick` leaves Prometheus out, ends faults sooner, and takes 7.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
import time
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from _live import finish, get, post, say, simulated, watching
from aiohttp import web

from tools import prometheus as servers

Fault = tuple[dict[str, Any], dict[str, Any], str, float, str]
"""Whom it hits, its parameters, our rule, within how many seconds we must tell, and their rule."""
FAULTS: dict[str, Fault] = {
    "node_down": ({"validators": [2]}, {}, "node_down", 15, "down"),
    "rpc_down": ({"validators": [5]}, {}, "rpc_down", 15, ""),
    "peers_drop": ({"validators": [8]}, {"peers": 1}, "peers_low", 30, "peers"),
    "best_stall": ({"validators": [11]}, {}, "best_stalled", 30, "best"),
    "hang": ({"validators": [14]}, {}, "node_unresponsive", 30, "down"),
    "garbage": ({"validators": [17]}, {}, "metrics_unreadable", 30, "down"),
}
SLOW: dict[str, Fault] = {
    "not_voting": ({"validators": [20]}, {}, "not_voting", 600, ""),
    "para_silent": ({"validators": [21]}, {}, "not_validating", 600, ""),
}
CHAIN: dict[str, Fault] = {"chain_finality_stall": ({}, {}, "chain_finality_stalled", 60, "finality")}
THEIR_RULES = {
    "peers": ("substrate_sub_libp2p_peers_count < 3", "3m"),
    "best": ('increase(substrate_block_height{status="best"}[5m]) == 0', "3m"),
    "finality": ('increase(substrate_block_height{status="finalized"}[5m]) == 0', "3m"),
    "down": ("up == 0", "3m"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Theirs:
    """A webhook that notes when Alertmanager first tells of a rule on an instance."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], float] = {}

    async def hear(self, request: web.Request) -> web.Response:
        for alert in (await request.json())["alerts"]:
            key = (alert["labels"]["alertname"], alert["labels"].get("instance", ""))
            self.told.setdefault(key, time.time())
        return web.Response()


async def main() -> None:
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory() as name, simulated(Path(name), 21) as (faults, config), watching(config) as (_, api):
        async with _theirs(Path(name), config, quick) as theirs:
            say("30 s of health first")
            await asyncio.sleep(30)
            started = await _inject(faults, FAULTS, lasts_s=45 if quick else 270)
            await asyncio.sleep(80 if quick else 305)
            started |= await _inject(faults, SLOW, lasts_s=210)
            await asyncio.sleep(240)
            started |= await _inject(faults, CHAIN, lasts_s=600)
            await asyncio.sleep(70 if quick else 270)
            incidents = await asyncio.to_thread(get, f"{api}/api/incidents?limit=500")
            finish(_result(incidents, started, theirs.told if theirs else {}, _addresses(config)))


async def _inject(faults: str, kinds: dict[str, Fault], lasts_s: float) -> dict[str, float]:
    """Begin these faults, at ever other moments of the poll, to end by themselves. Returns when each began."""
    started = {}
    for kind, (validators, parameters, *_) in kinds.items():
        say(kind)
        started[kind] = time.time()
        await asyncio.to_thread(post, faults, {"kind": kind, "clears_on": lasts_s, **validators, **parameters})
        await asyncio.sleep(1.7)
    return started


def _opened_at(incident: dict[str, Any]) -> float:
    return datetime.fromisoformat(incident["opened_at"]).timestamp()


def _result(
    incidents: list[dict[str, Any]], started: dict[str, float], told: dict[tuple[str, str], float], addresses: dict[int, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, (whom, _, rule, floor_s, their_rule) in (FAULTS | SLOW | CHAIN).items():
        numbers = set(whom.get("validators", ()))
        times = [_opened_at(i) - started[kind] for i in incidents if i["rule"] == rule and numbers <= set(i["validators"])]
        at = [when - started[kind] for (name, where), when in told.items() if name == their_rule and _is_about(where, numbers, addresses)]
        found[kind] = {
            "ours_s": round(min(times), 1) if times else None,
            "floor_s": floor_s,
            "theirs_s": round(min((s for s in at if s > 0), default=0.0), 1) or None,
        }
    ok = all(f["ours_s"] is not None and 0 < f["ours_s"] <= f["floor_s"] for f in found.values())
    return {"benchmark": "detection", "every_s": 5, "faults": found, "ok": ok}


def _is_about(address: str, numbers: set[int], addresses: dict[int, str]) -> bool:
    return not numbers or address in {addresses[number] for number in numbers}


def _addresses(config: Path) -> dict[int, str]:
    return {v["number"]: v["metrics_url"].split("/")[2] for v in tomllib.loads(config.read_text())["validators"]}


class _Nothing:
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


def _theirs(folder: Path, config: Path, quick: bool) -> Any:
    return _Nothing() if quick else _Field(folder, config)


class _Field:
    """Prometheus and Alertmanager with the field's rules, and the webhook they tell."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder, self._config = folder, config

    async def __aenter__(self) -> Theirs:
        theirs = Theirs()
        app = web.Application()
        app.router.add_post("/", theirs.hear)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        hook, manager_port = free_port(), free_port()
        await web.TCPSite(self._runner, "127.0.0.1", hook).start()
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "1s", "group_interval": "5s"}
        manager = {"route": route, "receivers": [{"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{hook}/"}]}]}
        self._manager = servers.alertmanager(self._folder / "am", manager_port, manager)
        await self._manager.__aenter__()
        rules = [{"alert": name, "expr": expression, "for": hold} for name, (expression, hold) in THEIR_RULES.items()]
        file = self._folder / "rules.yml"
        file.write_text(json.dumps({"groups": [{"name": "field", "interval": "5s", "rules": rules}]}))
        jobs = [servers.static_job("nodes", *_addresses(self._config).values())]
        more = {
            "rule_files": [str(file)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager_port}"]}]}]},
        }
        self._prometheus = servers.prometheus(self._folder / "prom", free_port(), jobs, interval="5s", **more)
        await self._prometheus.__aenter__()
        return theirs

    async def __aexit__(self, *error: Any) -> None:
        await self._prometheus.__aexit__(*error)
        await self._manager.__aexit__(*error)
        await self._runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())

"""From fault to incident, live: Gizzi and a real Prometheus with Alertmanager watch the same simulated fleet of 21, polled every 5 s.

Their rules are those the field agrees on: peers below 3 for 3 minutes, best or finalized height not rising over 5 minutes for 3 minutes
(critical after 10). Each kind of fault hits a validator of its own, so that all run at once; the chain's finality stalls last. Takes about
9 minutes; `--quick` leaves Prometheus and the slow faults out and takes 2.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from _live import finish, get, post, say, simulated, watching
from aiohttp import web

from tools import prometheus as servers

FAULTS: dict[str, tuple[int, dict[str, Any], str, float]] = {
    "node_down": (2, {}, "node_down", 15),
    "rpc_down": (5, {}, "rpc_down", 15),
    "peers_drop": (8, {"peers": 1}, "peers_low", 30),
    "best_stall": (11, {}, "best_stalled", 30),
    "hang": (14, {}, "node_unresponsive", 30),
    "garbage": (17, {}, "metrics_unreadable", 30),
}
SLOW: dict[str, tuple[int, dict[str, Any], str, float]] = {
    "not_voting": (20, {}, "not_voting", 600),
    "para_silent": (21, {}, "not_validating", 600),
}
FINALITY_S = 60
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
            started = {}
            for kind, (validator, parameters, _, _) in (FAULTS if quick else FAULTS | SLOW).items():
                started[kind] = time.time()
                await asyncio.to_thread(post, faults, {"kind": kind, "validators": [validator], **parameters})
                await asyncio.sleep(1.7)
            await asyncio.sleep(45 if quick else 250)
            say("now the chain's finality")
            stalled_at = time.time()
            await asyncio.to_thread(post, faults, {"kind": "chain_finality_stall"})
            await asyncio.sleep(75 if quick else 260)
            incidents = await asyncio.to_thread(get, f"{api}/api/incidents?limit=500")
            finish(_result(incidents, started, stalled_at, theirs.told if theirs else {}, config, quick))


def _opened_at(incident: dict[str, Any]) -> float:
    return datetime.fromisoformat(incident["opened_at"]).timestamp()


def _result(
    incidents: list[dict[str, Any]],
    started: dict[str, float],
    stalled_at: float,
    told: dict[tuple[str, str], float],
    config: Path,
    quick: bool,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, (validator, _, rule, floor_s) in (FAULTS if quick else FAULTS | SLOW).items():
        times = [_opened_at(i) - started[kind] for i in incidents if i["rule"] == rule and validator in i["validators"]]
        found[kind] = {"ours_s": round(min(times), 1) if times else None, "floor_s": floor_s}
    ours = [_opened_at(i) - stalled_at for i in incidents if i["rule"] == "chain_finality_stalled"]
    found["chain_finality_stall"] = {"ours_s": round(min(ours), 1) if ours else None, "floor_s": FINALITY_S}
    since = {
        "node_down": ("down", 2),
        "peers_drop": ("peers", 8),
        "best_stall": ("best", 11),
        "hang": ("down", 14),
        "garbage": ("down", 17),
    }
    addresses = _addresses(config)
    for kind, (rule, validator) in since.items():
        at = told.get((rule, addresses[validator]))
        found[kind]["theirs_s"] = round(at - started[kind], 1) if at else None
    finality = [at - stalled_at for (rule, _), at in told.items() if rule == "finality" and at > stalled_at]
    found["chain_finality_stall"]["theirs_s"] = round(min(finality), 1) if finality else None
    ok = all(f["ours_s"] is not None and f["ours_s"] <= f["floor_s"] for f in found.values())
    return {"benchmark": "detection", "every_s": 5, "faults": found, "ok": ok}


def _addresses(config: Path) -> dict[int, str]:
    import tomllib

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

"""From fault to incident, live: Gizzi and a real Prometheus with Alertmanager watch the same simulated fleet of 21, polled every 5 s.

Their rules are upstream's: peers below 3, or the best or finalized height not rising over a minute, each for 3 minutes (critical after
10). Each fault hits a validator of its own and lasts until they have told of it; meanwhile the quick ones come again and
again on others, at other moments of the poll. Last the whole chain's finality stands still. `worst_s` is what is judged.
Takes 10 minutes; `--quick` leaves Prometheus out, and takes 6. The chain has ten authorities that nobody watches, so that so many faults at
once put no quorum at risk.
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
from statistics import median
from typing import Any

from _live import finish, get, post, say, simulated, watching
from aiohttp import web

from tools import prometheus as servers

Fault = tuple[int, dict[str, Any], str, float, str]
"""Whom it hits, its parameters, our rule, within how many seconds we must tell, and their rule."""
FAULTS: dict[str, Fault] = {
    "node_down": (2, {}, "node_down", 15, "down"),
    "rpc_down": (5, {}, "rpc_down", 15, ""),
    "peers_drop": (8, {"peers": 1}, "peers_low", 30, "peers"),
    "best_stall": (11, {}, "best_stalled", 30, "best"),
    "hang": (14, {}, "node_unresponsive", 30, "down"),
    "garbage": (17, {}, "metrics_unreadable", 30, "down"),
}
SLOW: dict[str, Fault] = {
    "not_voting": (20, {}, "not_voting", 600, ""),
    "para_silent": (21, {}, "not_validating", 600, ""),
}
CHAIN: dict[str, Fault] = {"chain_finality_stall": (0, {}, "chain_finality_stalled", 60, "finality")}
OTHERS = (1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18)
"""On whom the quick faults come again. No validator has one in two rounds running, or the same one twice."""
ROUNDS_AT_S = (50, 100, 150, 200)
"""When they do. What begins within 30 s counts as one cause and joins the incident there is; as a stall is known 8 to 21 s after the fault,
one round may seem 13 s nearer to the next than it is.
"""
UNHURT = 19
"""Nothing befalls it but what befalls the chain."""
AGAIN_S = 40
FIRST_S = 250
"""Their slowest rule for one validator takes 232 s, ours 210."""
AUTHORITIES = 31
THEIR_RULES = {
    "peers": ("substrate_sub_libp2p_peers_count < 3", "3m"),
    "best": ('increase(substrate_block_height{status="best"}[1m]) < 1', "3m"),
    "finality": ('increase(substrate_block_height{status="finalized"}[1m]) < 1', "3m"),
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
    with tempfile.TemporaryDirectory() as name, simulated(Path(name), 21, AUTHORITIES) as (faults, config), watching(config) as (_, api):
        async with _theirs(Path(name), config, quick) as theirs:
            say("30 s of health first")
            await asyncio.sleep(30)
            began = time.monotonic()
            started = {kind: [moment] for kind, moment in (await _inject(faults, FAULTS | SLOW, FIRST_S)).items()}
            for place, at_s in enumerate(ROUNDS_AT_S):
                await asyncio.sleep(began + at_s + place * 0.7 - time.monotonic())
                again = {kind: (OTHERS[(2 * nth + place) % 12], *fault[1:]) for nth, (kind, fault) in enumerate(FAULTS.items())}
                for kind, moment in (await _inject(faults, again, AGAIN_S)).items():
                    started[kind].append(moment)
            await asyncio.sleep(began + FIRST_S - time.monotonic())
            started |= {kind: [moment] for kind, moment in (await _inject(faults, CHAIN, 600)).items()}
            await asyncio.sleep(70 if quick else 265)
            incidents = await asyncio.to_thread(get, f"{api}/api/incidents?limit=500")
            finish(_result(incidents, started, theirs.told if theirs else {}, _addresses(config)))


Moment = tuple[int, float]
"""Whom a fault hit, and when (epoch seconds)."""


async def _inject(faults: str, kinds: dict[str, Fault], lasts_s: float) -> dict[str, Moment]:
    """Begin these faults, at ever other moments of the poll, to end by themselves."""
    started = {}
    for kind, (number, parameters, *_) in kinds.items():
        say(f"{kind} {number or 'chain'}")
        started[kind] = (number, time.time())
        whom = {"validators": [number]} if number else {}
        await asyncio.to_thread(post, faults, {"kind": kind, "clears_on": lasts_s, **whom, **parameters})
        await asyncio.sleep(1.7)
    return started


def _result(
    incidents: list[dict[str, Any]], started: dict[str, list[Moment]], told: dict[tuple[str, str], float], addresses: dict[int, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, (_, _, rule, floor_s, their_rule) in (FAULTS | SLOW | CHAIN).items():
        ours = [_ours_s(incidents, rule, moment) for moment in started[kind]]
        known = [seconds for seconds in ours if seconds is not None]
        for moment, seconds in zip(started[kind], ours, strict=True):
            if seconds is None:
                _say_what_there_was(incidents, rule, moment)
        number, at = started[kind][0]
        where = addresses[number or UNHURT]
        theirs = [when - at for (name, instance), when in told.items() if (name, instance) == (their_rule, where)]
        found[kind] = {
            "times": len(ours),
            "missed": len(ours) - len(known),
            "median_s": round(median(known), 1) if known else None,
            "worst_s": round(max(known), 1) if known else None,
            "floor_s": floor_s,
            "theirs_s": round(min((s for s in theirs if s > 0), default=0.0), 1) or None,
        }
    ok = all(f["missed"] == 0 and f["worst_s"] <= f["floor_s"] for f in found.values())
    return {"benchmark": "detection", "every_s": 5, "faults": found, "incidents": len(incidents), "ok": ok}


def _ours_s(incidents: list[dict[str, Any]], rule: str, moment: Moment) -> float | None:
    """From a fault to our incident about it; None where there is none."""
    number, at = moment
    about = [i for i in incidents if i["rule"] == rule and (number == 0 or number in i["validators"])]
    times = [datetime.fromisoformat(i["opened_at"]).timestamp() - at for i in about]
    return min((seconds for seconds in times if seconds > 0), default=None)


def _say_what_there_was(incidents: list[dict[str, Any]], rule: str, moment: Moment) -> None:
    number, at = moment
    told = [
        f"{i['id']} {i['rule']} of {i['validators']} at {datetime.fromisoformat(i['opened_at']).timestamp() - at:+.1f} s, {i['state']}: "
        + ", ".join(f"{a['rule']} {a['subject']} {datetime.fromisoformat(a['since']).timestamp() - at:+.1f}" for a in i.get("alerts", ()))
        for i in incidents
        if number in i["validators"]
    ]
    say(f"no {rule} of validator {number}; it had {'; '.join(told) or 'nothing'}")


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

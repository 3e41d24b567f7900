"""A watched fleet and its people: the daemon, real HTTP, and the ping for who watches the watcher."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from gizzi.config import parse
from gizzi.engine.tell.alive import ping_while_well
from gizzi.registry import load
from gizzi.sections import Notify
from gizzi.sim.runner import run_scenario
from tools.daemon import Daemon
from tools.fleet import served, write_config
from tools.loopback import Request, loopback, reply
from tools.watching import Watched, in_virtual_time

QUICK = '[rules.peers_low]\nhold = "1s"\n[rules.chain_peers_low]\nenabled = false\n'


async def test_the_daemon_tells_of_an_incident_and_pings(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []
    pings: list[bytes] = []

    def answer(request: Request) -> bytes:
        if request.head.startswith(b"GET /alive"):
            pings.append(request.head)
        else:
            got.append(json.loads(request.body))
        return reply(b"ok")

    fault = {"kind": "peers_drop", "validators": [2], "peers": 1, "clears_on": "never"}
    async with loopback(answer) as server, served(4, fault) as fleet:
        notify = f'[notify]\nurls = ["webhook+http://127.0.0.1:{server.port}/x"]\ngroup = "1s"\n'
        notify += f'dead_man_url = "http://127.0.0.1:{server.port}/alive"\ndead_man_every = "1s"\n'
        write_config(tmp_path, fleet, notify + QUICK)
        daemon = await Daemon.start(tmp_path)
        try:
            await daemon.ready()
            await daemon.until(lambda: got and len(pings) >= 2)
            assert got[0]["change"] == "opened" and "1 peer" in got[0]["title"] and got[0]["details"]["validators"] == [2]
            assert "Traceback" not in daemon.said
        finally:
            await daemon.kill()


@in_virtual_time
async def test_the_ping_ceases_while_gizzi_is_unwell() -> None:
    watched = Watched(validators=4)
    app = await watched.start()
    asked: list[float] = []

    class Http:
        async def get(self, url: str) -> bytes:
            asked.append(watched.now_s)
            return b""

    app.watch.reach = type(app.watch.reach)(app.watch.reach.node, None, Http())  # type: ignore[arg-type]
    notify = Notify.model_validate({"dead_man_url": "http://127.0.0.1/x", "dead_man_every": "10s"})
    pinging = asyncio.create_task(ping_while_well(app.watch, notify))
    await watched.until(95)
    assert len(asked) == 9
    app.watch.books.trouble = "the store is full"
    await watched.until(195)
    assert len(asked) == 9
    app.watch.books.trouble = None
    await watched.until(245)
    assert len(asked) == 14
    pinging.cancel()
    await watched.kill()


def test_a_notifier_in_the_plugins_folder_is_found_by_its_name(tmp_path: Path) -> None:
    text = 'from gizzi import notifier\n\n@notifier("bell")\ndef bell(url, message):\n    """bell://"""\n'
    (tmp_path / "bell.py").write_text(text)
    (tmp_path / "odd.py").write_text('from gizzi import notifier\n\n@notifier("odd")\ndef odd(teapot):\n    pass\n')
    found = load(parse({"plugins": {"folder": str(tmp_path)}}, "test"))
    assert {"apprise", "bell", "opsgenie", "pagerduty", "webhook"} == {item.name for item in found.notifiers}
    assert "asks for 'teapot'" in found.failures[0].error


def test_a_scenario_counts_what_a_person_is_told(tmp_path: Path) -> None:
    text = """
        duration_s = 300
        [[faults]]
        at_s = 60
        validators = [6]
        kind = "peers_drop"
        peers = 1
        clears_on = 90
        [expect]
        max_notifications = {}
    """
    (tmp_path / "scenario.toml").write_text(text.format(2))
    result = run_scenario(tmp_path)
    assert (result["notifications"], result["failures"]) == (2, [])
    (tmp_path / "scenario.toml").write_text(text.format(1))
    assert run_scenario(tmp_path)["failures"] == ["expected at most 1 notifications, there were 2"]

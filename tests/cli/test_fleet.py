"""The commands over a fleet on loopback, as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gizzi.api import models
from gizzi.cli.words import who
from tools.fleet import gizzi, served, start, write_config

PEERS = {"kind": "peers_drop", "validators": [2], "peers": 1}
AT_ONCE = '[rules.peers_low]\nhold = "0s"\n'


@contextlib.asynccontextmanager
async def watching(folder: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A daemon, and the address of its API."""
    process = await start("watch", "--listen", "127.0.0.1:0", *options, cwd=folder)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stderr.readline()).decode()
        assert "gizzi watches 4 validators" in line, line
        url = line[line.index("http://") :].split("/api/")[0]
        yield process, url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def until_incident(folder: Path) -> dict[str, Any]:
    """The first open incident that has been decided."""
    async with asyncio.timeout(30):
        while True:
            found = json.loads((await gizzi("incidents", "--open", "--json", cwd=folder)).stdout)
            if found and found[0]["decision"]:
                return dict(found[0])
            await asyncio.sleep(0.3)


async def test_status_of_a_healthy_fleet(tmp_path: Path) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        ended = await gizzi("status", "--json", "--check", cwd=tmp_path)
        plain = await gizzi("status", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    page = json.loads(ended.stdout)
    assert list(page) == ["network", "at", "validators"]
    shape = models.NetworkStatus.model_validate(page)
    assert [(v.number, v.health, v.reasons) for v in shape.validators] == [(n, "healthy", []) for n in (1, 2, 3, 4)]
    assert not (tmp_path / "gizzi.db").exists()
    assert (plain.returncode, plain.stderr) == (0, "")
    assert "\x1b" not in plain.stdout
    assert len(plain.stdout.splitlines()) == 7
    assert "Nobody watches this fleet now" in plain.stdout


async def test_status_check_fails_for_a_critical_validator(tmp_path: Path) -> None:
    async with served(4, {"kind": "node_down", "validators": [3]}) as server:
        write_config(tmp_path, server)
        ended = await gizzi("status", "--check", cwd=tmp_path)
        json_too = await gizzi("status", "--check", "--json", cwd=tmp_path)
    assert ended.returncode == json_too.returncode == 1
    assert "✗ 1 critical" in ended.stdout
    assert json.loads(json_too.stdout)["validators"][2]["health"] == "critical"


async def test_unreachable_everything(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text(
        '[[validators]]\nnumber = 1\nmetrics_url = "http://127.0.0.1:1/metrics"\n[[validators]]\nnumber = 2\nhost = "x"\n'
    )
    status = await gizzi("status", cwd=tmp_path)
    doctor = await gizzi("doctor", "--json", cwd=tmp_path)
    assert (status.returncode, status.stderr) == (0, "")
    assert "healthy" not in status.stdout
    assert (doctor.returncode, doctor.stderr) == (1, "")
    report = json.loads(doctor.stdout)
    assert [(s["source"], s["kind"]) for v in report["validators"] for s in v["sources"]] == [("metrics", "refused"), ("none", "config")]
    assert report["next"][0] == "give every validator a metrics_url or an rpc_url"


async def test_status_adds_what_a_daemon_knows(tmp_path: Path) -> None:
    """One look cannot see a vote that is missing; the daemon's alert makes it a reason."""
    async with served(4) as server:
        write_config(tmp_path, server, AT_ONCE)
        async with watching(tmp_path) as (process, _):
            handle = server.fleet.inject(peers_fault(server.fleet))
            await until_incident(tmp_path)
            process.send_signal(signal.SIGSTOP)  # so that it does not see the end of it
            server.fleet.withdraw(handle, server.fleet.now())
            ended = await gizzi("status", cwd=tmp_path)
    assert "▲ warning" in ended.stdout or "✗ critical" in ended.stdout
    assert "1 peer" in ended.stdout
    assert "1 open incident" in ended.stdout
    assert "Nobody watches" not in ended.stdout


def peers_fault(fleet: Any) -> Any:
    from gizzi.sim.faults import read_fault

    return read_fault(PEERS, "the test", list(fleet.nodes), list(fleet.chains), at_s=fleet.now() - fleet.start_at)


async def test_a_watch_from_begin_to_end(tmp_path: Path) -> None:
    async with served(4, PEERS) as server:
        write_config(tmp_path, server, AT_ONCE)
        async with watching(tmp_path) as (process, url):
            incident = await until_incident(tmp_path)
            await over_http(url, incident["id"])
            other = await gizzi("watch", "--listen", "127.0.0.1:0", cwd=tmp_path)
            assert other.returncode == 1
            assert "another Gizzi" in other.stderr and other.stderr.count("\n") == 1
            await say_things(tmp_path, incident["id"])
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            out, err = await process.communicate()
            assert time.monotonic() - began < 4
            assert (process.returncode, out) == (0, b"")
        lines = err.decode().splitlines()
        assert any(" warning opened incident=inc-1 " in line for line in lines)
        assert any(" info decided incident=inc-1 " in line for line in lines)
        left = await gizzi("status", cwd=tmp_path)
    assert "as the last watch left them" in left.stdout


async def over_http(url: str, name: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/api/incidents/{name}") as answer:
            assert models.IncidentDetail.model_validate(await answer.json()).rule == "peers_low"
        async with http.get(f"{url}/health") as answer:
            assert (await answer.json())["status"] == "ok"


async def say_things(folder: Path, name: str) -> None:
    ended = await gizzi("ack", name, cwd=folder)
    assert (ended.returncode, ended.stdout) == (0, f"{name} is acknowledged by {who()}\n")
    shown = json.loads((await gizzi("incident", name, "--json", cwd=folder)).stdout)
    assert (shown["state"], shown["acknowledged_by"]) == ("acknowledged", who())
    page = (await gizzi("incident", name[4:], cwd=folder)).stdout
    for words in ("Decision", "Evidence", "2/peers", "Alerts", "peers_low", "Timeline", "acknowledged by"):
        assert words in page
    assert "\x1b" not in page
    listed = (await gizzi("incidents", cwd=folder)).stdout
    assert name in listed and "acknowledged" in listed
    silence = await gizzi("silence", "peers_low", "--validator", "2", "--for", "2h", "--why", "moving a rack", cwd=folder)
    assert silence.returncode == 0 and "of validator 2 until" in silence.stdout
    maintenance = await gizzi("maintenance", "3", "--for", "90s", "--why", "disk", cwd=folder)
    assert maintenance.returncode == 0 and "validator 3 is under maintenance" in maintenance.stdout
    chain = await gizzi("maintenance", "testnet", "--for", "90s", "--why", "upgrade", cwd=folder)
    assert chain.returncode == 0 and "the chain testnet" in chain.stdout


async def test_interrupt_ends_a_watch_cleanly(tmp_path: Path) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        async with watching(tmp_path) as (process, _):
            process.send_signal(signal.SIGINT)
            await process.communicate()
            assert process.returncode == 0
        again = await gizzi("status", cwd=tmp_path)
    assert "Nobody watches this fleet now" in again.stdout


async def test_doctor_of_a_healthy_fleet(tmp_path: Path) -> None:
    async with served(4) as server:
        write_config(tmp_path, server)
        ended = await gizzi("doctor", cwd=tmp_path)
        report = json.loads((await gizzi("doctor", "--json", cwd=tmp_path)).stdout)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "4 of 4" in ended.stdout
    assert str(tmp_path / "gizzi.toml") in ended.stdout
    assert "not there yet" in ended.stdout
    assert not (tmp_path / "gizzi.db").exists()
    assert report["broken"] == []
    assert {rule["why"] for rule in report["rules"]["dead"] if not rule["optional"]} == {"unfed"}


async def test_doctor_tells_a_rule_that_can_never_fire_and_a_plugin_that_failed(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "broken.py").write_text("import no_such_module\n")
    (plugins / "never.py").write_text(
        "from gizzi import rule, source\n\n"
        "@source('probe', every='1s', gives=('old_spelling',))\ndef probe(validator):\n    return {'new_spelling': 1}\n\n"
        "@rule('never', needs=('old_spelling',))\ndef never(v, fleet):\n    '''Fires.'''\n    return None\n"
    )
    async with served(4) as server:
        write_config(tmp_path, server)
        ended = await gizzi("doctor", cwd=tmp_path)
    assert ended.returncode == 1
    assert "never can never fire: old_spelling is absent everywhere, though the source probe answers" in ended.stdout
    assert "broken.py" in ended.stdout and "no_such_module" in ended.stdout
    assert ended.stderr == ""


async def test_doctor_groups_what_is_alike(tmp_path: Path) -> None:
    async with served(4, {"kind": "rpc_down", "validators": "all"}) as server:
        write_config(tmp_path, server)
        ended = await gizzi("doctor", cwd=tmp_path)
    assert ended.returncode == 1
    lines = [line for line in ended.stdout.splitlines() if "rpc, identity" in line]
    assert len(lines) == 1
    assert "4 validators" in lines[0] and "(and alike: 1-4)" in lines[0]


@pytest.mark.parametrize("words", [["incidents"], ["incidents", "--json"]])
async def test_no_store_yet(tmp_path: Path, words: list[str]) -> None:
    ended = await gizzi(*words, cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stdout == ("[]\n" if "--json" in words else "no incident\n")
    assert "nobody has watched" in ended.stderr
    assert not (tmp_path / "gizzi.db").exists()

"""One incident from end to end: a node's metrics break, the daemon restarts its unit over SSH, sees that it helped, and remembers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gizzi.config import Validator
from gizzi.reach.ssh import SshRunner
from tools.actions import act, settings_for
from tools.daemon import Daemon
from tools.fleet import gizzi, served, write_config
from tools.sshd import SystemdHost

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
NODE = 2

# The node's process: what the simulated node serves, with one peer left while `ill` is there. A new process begins without it.
FRONT = r"""
import http.server, json, os, re, sys, urllib.request
port, home = int(sys.argv[1]), os.path.dirname(os.path.abspath(__file__))
ill, upstream = os.path.join(home, "ill"), json.load(open(os.path.join(home, "upstream.json")))
if os.path.exists(ill):
    os.remove(ill)
with open(os.path.join(home, "starts"), "a") as file:
    file.write("%d\n" % os.getpid())
class Front(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with urllib.request.urlopen(upstream["metrics"], timeout=5) as answer:
            page = answer.read().decode()
        if os.path.exists(ill):
            page = re.sub(r"(?m)^(substrate_sub_libp2p_peers_count\S*) \S+$", r"\1 1", page)
        self.answer(page.encode(), "text/plain")
    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        request = urllib.request.Request(upstream["rpc"], asked, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            said = answer.read()
        if os.path.exists(ill):
            said = re.sub(rb'"peers": ?\d+', b'"peers":1', said)
        self.answer(said, "application/json")
    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Front).serve_forever()
"""


@pytest.fixture
def host(free_port: Callable[[], int]) -> Iterator[SystemdHost]:
    found = SystemdHost(free_port())
    yield found
    found.remove()


def install(host: SystemdHost, upstream: Validator) -> None:
    """The unit front@PORT on that host, whose process passes on what this validator serves."""
    (host.home / "front.py").write_text(FRONT)
    (host.home / "upstream.json").write_text(json.dumps({"metrics": upstream.metrics_url, "rpc": upstream.rpc_url}))
    unit = f"[Unit]\nDescription=Node %i\n[Service]\nExecStart=/usr/bin/python3 {host.home}/front.py %i\nRestart=no\n"
    (host.home / ".config/systemd/user/front@.service").write_text(unit)
    for path in host.home.rglob("*"):
        shutil.chown(path, host.user, host.user)


def configure(folder: Path, server: Any, host: SystemdHost, port: int, store: str) -> None:
    ssh = host.settings()
    more = f"""
        [ssh]
        user = "{ssh.user}"
        port = {ssh.port}
        key_file = "{ssh.key_file}"
        known_hosts = "{ssh.known_hosts}"
        manager = "systemctl --user"
        [policy]
        mode = "auto"
        reserve = 0
        verify_after = "10s"
        [rules.peers_low]
        hold = "1s"
        grace_s = 0.0
        [rules.rule_dead]
        enabled = false
        [store]
        url = "{store}"
    """
    file = write_config(folder, server, textwrap.dedent(more), host_every="1s")
    text = file.read_text()
    front = f"http://127.0.0.1:{port}"
    table = next(part for part in re.split(r"(?=\[\[validators\]\])", text) if part.startswith(f"[[validators]]\nnumber = {NODE}\n"))
    mine = re.sub(r'metrics_url = ".*"', f'metrics_url = "{front}/metrics"', re.sub(r'rpc_url = ".*"', f'rpc_url = "{front}"', table))
    where = f'host = "127.0.0.1"\nunit = "front@{port}"\ndata_dir = "{host.home}"\n'
    mine = mine.replace(f"number = {NODE}\n", f"number = {NODE}\n{where}", 1)
    file.write_text(text.replace(table, mine))


async def test_a_restart_that_helps(tmp_path: Path, host: SystemdHost, free_port: Callable[[], int]) -> None:
    port = free_port()
    async with served(4) as server:
        install(host, server.validators()[NODE - 1])
        host.start()
        runner = SshRunner(host.settings())
        await act("start", host.validator(NODE, unit=f"front@{port}"), runner, settings_for(host.settings()))
        await runner.close()
        configure(tmp_path, server, host, port, f"sqlite:///{tmp_path}/gizzi.db")
        daemon = await (await Daemon.start(tmp_path)).ready()
        try:
            await daemon.until(lambda: (host.home / "starts").exists())
            await asyncio.sleep(3)
            (host.home / "ill").touch()
            shutil.chown(host.home / "ill", host.user, host.user)
            await daemon.until_said("opened", "peers_low", within_s=30)
            (incident,) = [one for one in await daemon.get("/api/incidents") if one["rule"] == "peers_low"]
            action = await verdict(daemon)
            assert (action["permission"], action["outcome"], action["verdict"]) == ("allow", "done", "resolved"), action
            assert (action["action"], action["validator"], action["incident"]) == ("restart", NODE, incident["id"])
            assert "systemctl --user restart" in action["detail"] and action["proposed_by"] == "the reflex tier"
            starts = (host.home / "starts").read_text().split()
            assert len(starts) == 2 and len(set(starts)) == 2, "one restart, another process"
            await daemon.until_said("resolved", "peers_low", within_s=30)
            assert (await daemon.statuses())[NODE]["peers"] > 3
            shown = await daemon.get(f"/api/incidents/{incident['id']}")
            assert {moment["kind"] for moment in shown["timeline"]} >= {"decided", "proposed", "acting", "acted", "verdict", "resolved"}
            case = await remembered(tmp_path, incident["id"])
            assert "restart" in case
        finally:
            await daemon.stop()
    assert "Traceback" not in daemon.said


async def verdict(daemon: Daemon) -> dict[str, Any]:
    for _ in range(400):
        found: list[dict[str, Any]] = await daemon.get("/api/actions")
        if found and found[0]["state"] == "closed":
            return found[0]
        await asyncio.sleep(0.2)
    raise AssertionError(f"no verdict: {found}\n{daemon.said}")


async def remembered(folder: Path, incident: str) -> str:
    """The case of that incident, as text."""
    for _ in range(50):
        found = json.loads((await gizzi("memory", "tail", "--json", cwd=folder)).stdout)
        cases = [json.dumps(entry) for entry in found if entry["kind"] == "case" and incident.removeprefix("inc-") in json.dumps(entry)]
        if cases:
            assert (await gizzi("memory", "verify", cwd=folder)).returncode == 0
            return cases[0]
        await asyncio.sleep(0.2)
    raise AssertionError(f"no case of {incident}: {found}")

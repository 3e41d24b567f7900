"""A small fleet whose nodes are units of a real `systemd --user` behind a real sshd: each validator has an address, a binary and a process.

The processes pass on what a simulated fleet in the test answers, at the ports a node uses. A process that begins tells the test which
version it found on its host; then the simulated node behind it is away, finds its peers and votes again, as after a restart.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gizzi.clock import LiveClock
from gizzi.config import Validator
from gizzi.reach.ssh import SshRunner
from gizzi.sim.__main__ import config_text
from gizzi.sim.fleet import ChainPlan, SimFleet
from gizzi.sim.samples import VERSION
from gizzi.sim.server import SimServer
from tools.actions import act, settings_for
from tools.daemon import Daemon
from tools.loopback import Request, loopback, reply
from tools.sshd import SystemdHost

NEW = "1.21.0"
TOKEN = {"GIZZI_API_TOKEN": "open-sesame-2f7c"}
SESSION_S = 6.0
AWAY_S = 2.0
"""A node that was restarted answers nothing for so long."""

_NODE = r"""
import asyncio, json, os, sys, urllib.request
number, home = sys.argv[1], os.path.dirname(os.path.abspath(__file__))
mine = json.load(open(os.path.join(home, "fleet.json")))[number]
version = open(os.path.join(home, "bin-" + mine["host"])).read().strip()

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

def door(port):
    async def serve(reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
    return serve

async def main():
    for port, upstream in ((9615, mine["metrics"]), (9944, mine["rpc"])):
        await asyncio.start_server(door(upstream), mine["host"], port)
    await asyncio.Event().wait()

urllib.request.urlopen("%s/%s/%s" % (mine["boss"], number, version), timeout=60).read()
asyncio.run(main())
"""

# What `[upgrade] command` calls: puts a version on the host that it was called on, which takes as long as a file `slow` is there.
_UPGRADE = r"""#!/bin/sh
set -eu
version=$1
set -- $SSH_CONNECTION
cd "$(dirname "$0")"
echo "$3 $version" >> installs
while [ -e slow ]; do sleep 0.05; done
echo "$version" > "new-$3"
mv "new-$3" "bin-$3"
"""


@dataclass
class Start:
    """A node's process that began. others_away: validators that did not vote at that moment, itself apart."""

    at: float
    number: int
    version: str
    others_away: list[int]


@dataclass
class RealFleet:
    """folder: where the daemon's gizzi.toml lies. starts: in order. asked: the approvals that people were asked for an upgrade."""

    folder: Path
    host: SystemdHost
    server: SimServer
    starts: list[Start] = field(default_factory=list)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    daemon: Daemon | None = None
    said: str = ""

    @property
    def fleet(self) -> SimFleet:
        return self.server.fleet

    def address(self, number: int) -> str:
        """Of its host: the sshd's port makes it this test's own."""
        return f"127.{self.host.port >> 8}.{self.host.port & 255}.{number}"

    def validators(self) -> list[Validator]:
        found = []
        for v in self.fleet.settings_validators():
            at = self.address(v.number)
            changes = {"host": at, "metrics_url": f"http://{at}:9615/metrics", "rpc_url": f"http://{at}:9944", "unit": f"node@{v.number}"}
            found.append(v.model_copy(update={**changes, "data_dir": str(self.host.home)}))
        return found

    def install(self, boss: str) -> None:
        """Units, binaries and keys, before the host starts."""
        home = self.host.home
        plan = {
            n: {"host": self.address(n), "metrics": s.metrics.port, "rpc": s.rpc.port, "boss": boss} for n, s in self.server.served.items()
        }
        (home / "fleet.json").write_text(json.dumps(plan))
        (home / "node.py").write_text(_NODE)
        (home / "upgrade-node").write_text(_UPGRADE)
        (home / "upgrade-node").chmod(0o755)
        for number in plan:
            (home / f"bin-{self.address(number)}").write_text(VERSION)
        unit = f"[Unit]\nDescription=Node %i\n[Service]\nExecStart=/usr/bin/python3 {home}/node.py %i\nRestart=no\n"
        (home / ".config/systemd/user/node@.service").write_text(unit)
        for path in home.rglob("*"):
            shutil.chown(path, self.host.user, self.host.user)
        self.host.listen(*(self.address(number) for number in plan))

    def configure(self, store: str, more: str = "") -> None:
        ssh, home = self.host.settings(), self.host.home
        text = config_text(self.fleet.settings_chains(), self.validators())
        for v in self.validators():
            where = f'host = "{v.host}"\nunit = "{v.unit}"\ndata_dir = "{v.data_dir}"\n'
            text = text.replace(f"[[validators]]\nnumber = {v.number}\n", f"[[validators]]\nnumber = {v.number}\n{where}")
        text += f'[store]\nurl = "{store}"\n[collect]\nevery = "1s"\nhost_every = "2s"\n[rules.rule_dead]\nenabled = false\n'
        text += f'[ssh]\nuser = "{ssh.user}"\nport = {ssh.port}\nkey_file = "{ssh.key_file}"\nknown_hosts = "{ssh.known_hosts}"\n'
        text += f'manager = "systemctl --user"\n[upgrade]\ncommand = ["{home}/upgrade-node", "{{version}}"]\nsession = "{SESSION_S:g}s"\n'
        (self.folder / "gizzi.toml").write_text(f'{text}[policy]\nmode = "auto"\nreserve = 0\nverify_after = "15s"\n{more}')

    async def heard(self, request: Request) -> bytes:
        """A node's process has begun."""
        _, number_text, version = request.head.split()[1].decode().split("/")
        number = int(number_text)
        node, again = self.fleet.nodes[number], any(start.number == number for start in self.starts)
        self.fleet.now()
        away = [n for n, other in self.fleet.nodes.items() if n != number and not other.own_voting]
        self.starts.append(Start(time.monotonic(), number, version, away))
        if again:
            node.installed = version
            with patch("gizzi.sim.node.RESTART_S", AWAY_S):
                self.fleet.restart(number)
            await self.server.settle()
        return reply(b"ok")

    async def statuses(self, verb: str = "unit_status") -> dict[int, str]:
        """What the service manager says of each unit; with the verb `start`, once it has started it."""
        runner = SshRunner(self.host.settings())
        try:
            return {v.number: await act(verb, v, runner, settings_for(self.host.settings())) for v in self.validators()}
        finally:
            await runner.close()

    async def watch(self) -> Daemon:
        """Start the daemon, after a SIGKILL where one runs."""
        if self.daemon is not None:
            await self.daemon.kill()
            self.said += self.daemon.said
        self.daemon = await (await Daemon.start(self.folder, env=TOKEN)).ready(120)
        return self.daemon

    async def people(self) -> None:
        """Say yes to each upgrade, and to nothing else, without end."""
        while True:
            with suppress(OSError, ValueError):
                await asyncio.to_thread(self._answer)
            await asyncio.sleep(0.5)

    def _answer(self) -> None:
        assert self.daemon is not None
        url = self.daemon.url
        with urllib.request.urlopen(f"{url}/api/approvals", timeout=20) as answer:
            found = json.loads(answer.read())
        for approval in found:
            if approval["action"] == "upgrade":
                headers = {"Authorization": f"Bearer {TOKEN['GIZZI_API_TOKEN']}", "Content-Type": "application/json"}
                request = urllib.request.Request(f"{url}/api/approvals/{approval['id']}/approve", b"{}", headers)
                with suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(request, timeout=20).close()
                    self.asked[approval["id"]] = approval

    def times(self) -> dict[int, int]:
        """How often each unit's process began."""
        return {number: sum(start.number == number for start in self.starts) for number in self.fleet.nodes}

    def installs(self) -> list[int]:
        """On whose host a version was installed, in order."""
        file = self.host.home / "installs"
        numbers = {self.address(number): number for number in self.fleet.nodes}
        return [numbers[line.split()[0]] for line in file.read_text().splitlines()] if file.exists() else []

    async def until(self, condition: Callable[[], Any], what: str, within_s: float = 400.0) -> Any:
        """Wait for a condition, plain or async; gives what it gave."""
        give_up_at = time.monotonic() + within_s
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            assert time.monotonic() < give_up_at, f"not within {within_s:.0f} s: {what}\n{self.said}\n{self.daemon and self.daemon.said}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def real_fleet(folder: Path, port: int, validators: int, store: str) -> AsyncIterator[RealFleet]:
    """Running, watched by nobody yet; a person is there who answers. port: the sshd's."""
    fleet = SimFleet(LiveClock(), validators=validators, seed=1, chains=(ChainPlan(id="testnet", block_time_s=2.0),))
    host = SystemdHost(port)
    try:
        async with SimServer(fleet) as server:
            here = RealFleet(folder, host, server)
            async with loopback(here.heard) as boss:
                here.install(boss.url)
                here.configure(store)
                await asyncio.to_thread(host.start)
                await here.statuses("start")
                await here.until(lambda: len(here.starts) == validators, "all begin", 60)
                answering = asyncio.create_task(_answering(here))
                try:
                    yield here
                finally:
                    answering.cancel()
                    await asyncio.gather(answering, return_exceptions=True)
                    if here.daemon is not None:
                        await here.daemon.kill()
                        here.said += here.daemon.said
    finally:
        await asyncio.to_thread(host.remove)


async def _answering(here: RealFleet) -> None:
    while here.daemon is None:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.2)
    await here.people()


def one_at_a_time(starts: Iterable[Start]) -> bool:
    """Whether everybody else voted whenever a process began."""
    return not any(start.others_away for start in starts)

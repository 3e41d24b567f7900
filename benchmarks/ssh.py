"""What reading 21 hosts over SSH takes: real sshd, systemd and journal on this machine, so both ends' work is in it. One JSON object.

`poll_s`: one poll of the sources host and journal of all 21 at once, over kept connections (`first_poll_s`: with opening them).
`cpu_ms_per_host`: our own processor time for one such poll of one host. `commands_per_s`: `true` on one kept connection.
Needs root and Debian's openssh-server and systemd; without them it says so and ends well.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gizzi import Settings, Validator
from gizzi.reach.ssh import SshRunner
from gizzi.sources.host import host
from gizzi.sources.journal import journal
from tools.sshd import SystemdHost

MACHINES = (11, 10)
"""Hosts, as addresses of two machines: one sshd listens on at most 16."""
HOSTS = sum(MACHINES)
ROUNDS = 5
COMMANDS = 400


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machine(SystemdHost):
    """One machine under several addresses, each with a unit of its own."""

    def __init__(self, hosts: int) -> None:
        super().__init__(free_port())
        self.fleet = [self.validator(n, host=f"127.0.0.{n}", unit=f"substrate@val{n}") for n in range(1, hosts + 1)]
        listen = "".join(f"ListenAddress {validator.host}\n" for validator in self.fleet[1:])
        self._config.write_text(f"{self._config.read_text()}{listen}")
        self.known_hosts.write_text(self.known_hosts.read_text().replace("127.0.0.1", "127.0.0.*"))

    async def start_units(self) -> None:
        runner = SshRunner(self.settings())
        await runner.run(self.fleet[0], ["systemctl", "--user", "start", *(validator.unit for validator in self.fleet)])
        await runner.close()


class Polled:
    """A host and what its two sources keep between polls."""

    def __init__(self, validator: Validator, runner: SshRunner, settings: Settings) -> None:
        self._known = {"validator": validator, "ssh": runner, "settings": settings}
        self._of_host: dict[str, Any] = {}
        self._of_journal: dict[str, Any] = {}

    async def poll(self) -> None:
        seen = await asyncio.gather(host(**self._known, memory=self._of_host), journal(**self._known, memory=self._of_journal))
        assert seen[0]["unit_active"] and seen[1]["genesis_line"], seen


async def measure(machines: list[Machine]) -> dict[str, Any]:
    runners = [SshRunner(machine.settings()) for machine in machines]
    fleet = []
    for machine, runner in zip(machines, runners, strict=True):
        await machine.start_units()
        settings = Settings.model_validate({"ssh": machine.settings().model_dump(by_alias=True)})
        fleet += [Polled(validator, runner, settings) for validator in machine.fleet]
    await asyncio.sleep(1)
    first_s, _ = await timed(*(polled.poll() for polled in fleet))
    polls = sorted([await timed(*(polled.poll() for polled in fleet)) for _ in range(ROUNDS)])
    took_s, cpu_s = await timed(*(runners[0].run(machines[0].fleet[0], ["true"]) for _ in range(COMMANDS)))
    for runner in runners:
        await runner.close()
    return {
        "hosts": HOSTS,
        "first_poll_s": round(first_s, 2),
        "poll_s": round(polls[ROUNDS // 2][0], 2),
        "cpu_ms_per_host": round(polls[ROUNDS // 2][1] / HOSTS * 1000, 1),
        "commands_per_s": round(COMMANDS / took_s),
        "cpu_ms_per_command": round(cpu_s / COMMANDS * 1000, 2),
    }


async def timed(*calls: Coroutine[Any, Any, Any]) -> tuple[float, float]:
    """Wall time and our own processor time, both in seconds, of all calls at once."""
    started, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*calls)
    return time.perf_counter() - started, time.process_time() - used


def main() -> None:
    machines: list[Machine] = []
    try:
        for hosts in MACHINES:
            machines.append(Machine(hosts))
            machines[-1].start()
        print(json.dumps({"benchmark": "ssh", **asyncio.run(measure(machines))}))
    except pytest.skip.Exception as reason:
        print(json.dumps({"benchmark": "ssh", "skipped": str(reason)}))
    finally:
        for machine in machines:
            machine.remove()


if __name__ == "__main__":
    main()

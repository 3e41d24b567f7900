"""`python -m gizzi.sim`: a simulated fleet on loopback until Ctrl-C, and a gizzi.toml that points at it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from gizzi.clock import LiveClock
from gizzi.config import Chain, Validator
from gizzi.errors import GizziError
from gizzi.sim.control import Control
from gizzi.sim.fleet import ChainPlan, SimFleet
from gizzi.sim.scenario import load_scenario
from gizzi.sim.server import LOOPBACK, SimServer

CHAIN = "simulated_testnet"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(given))
    except GizziError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"the simulated fleet cannot be served: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gizzi.sim", description="A simulated fleet of validators on loopback.")
    parser.add_argument("--validators", type=int, default=21, metavar="N", help="how many (21)")
    parser.add_argument("--authorities", type=int, metavar="N", help="how many vote, those included (as many)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed gives the same fleet (1)")
    parser.add_argument("--block-time", type=float, default=6.0, metavar="S", help="seconds between blocks (6)")
    parser.add_argument("--chain", default=CHAIN, metavar="ID", help=f"what the chain is called ({CHAIN})")
    parser.add_argument("--scenario", type=Path, metavar="DIR", help="the fleet and the faults of a scenario instead")
    parser.add_argument("--write-config", type=Path, metavar="FILE", help="write a gizzi.toml that points at the fleet")
    parser.add_argument("--control-port", type=int, default=0, metavar="PORT", help="where faults are injected (any free port)")
    return parser


def _fleet(given: argparse.Namespace) -> SimFleet:
    if given.scenario is not None:
        return load_scenario(given.scenario).fleet(LiveClock())
    if given.validators < 1 or given.block_time <= 0:
        raise GizziError("--validators and --block-time must be more than 0")
    plan = ChainPlan(id=given.chain, block_time_s=given.block_time, authorities=given.authorities)
    return SimFleet(LiveClock(), validators=given.validators, seed=given.seed, chains=(plan,))


async def _serve(given: argparse.Namespace) -> None:
    _allow_many_sockets()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with SimServer(_fleet(given)) as server:
        control = Control(server)
        await control.start(given.control_port)
        try:
            validators = server.validators()
            if given.write_config is not None:
                text = config_text(server.fleet.settings_chains(), validators)
                given.write_config.write_text(text, encoding="utf-8")
            gc.collect()
            gc.freeze()
            print(f"ready: {len(validators)} validators on {LOOPBACK}; faults: http://{LOOPBACK}:{control.port}/faults", flush=True)
            await stop.wait()
        finally:
            await control.stop()


def _allow_many_sockets() -> None:
    """Each validator takes two listening sockets and a connection or two on each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def config_text(chains: Iterable[Chain], validators: Iterable[Validator]) -> str:
    """A gizzi.toml of this fleet. There is no host to log in to."""
    lines = ['[network]\nname = "Simulated fleet"\n']
    for chain in chains:
        lines.append("[[chains]]")
        lines += _pairs(id=chain.id, parent=chain.parent, block_time_s=chain.block_time_s, authorities=chain.authorities)
    for v in validators:
        lines.append("[[validators]]")
        lines += _pairs(number=v.number, name=v.name, chain=v.chain, metrics_url=v.metrics_url, rpc_url=v.rpc_url)
        lines += _pairs(authority=v.authority, authority_id=v.authority_id, standby_hosts=[], role=v.role)
    return "\n".join(lines) + "\n"


def _pairs(**values: object) -> list[str]:
    """JSON's texts, numbers and lists are TOML's too."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]


if __name__ == "__main__":
    sys.exit(main())

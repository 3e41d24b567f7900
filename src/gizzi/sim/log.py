"""Lines that a simulated node and its systemd write, in the words of polkadot-sdk and systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gizzi.sim.chain import SimChain
    from gizzi.sim.identity import Identity

UNIT = "sim-node.service"
NODE = "sim-node"
SYSTEMD = "systemd"

START_LINE = f"Started {UNIT} - Simulated validator."


def end_lines(clean: bool) -> tuple[str, ...]:
    if clean:
        return (f"Stopping {UNIT} - Simulated validator...", f"{UNIT}: Deactivated successfully.")
    return (f"{UNIT}: Main process exited, code=killed, status=9/KILL", f"{UNIT}: Failed with result 'signal'.")


def identity_line(who: Identity) -> str:
    return f"🏷  Local node identity is: {who.peer_id}"


def genesis_line(chain: SimChain) -> str:
    return f"🔨 Initializing Genesis block/state (state: {_short(chain.hash_at(0)[::-1])}, header-hash: {_short(chain.hash_at(0))})"


def equivocation_line(who: Identity, chain: SimChain) -> str:
    """What another node writes when it sees two prevotes of one voter in one round."""
    one, other = chain.hash_at(chain.height), chain.hash_at(chain.height, True)
    first, second = (f"(Prevote {{ target_hash: {h}, target_number: {chain.height} }}, Signature({h[2:]}{h[2:]}))" for h in (one, other))
    return (
        "Detected prevote equivocation in the finality worker: "
        f"Equivocation {{ round_number: {chain.round}, identity: Public({who.authority_id[2:]} ({who.ss58[:8]}...)), "
        f"first: {first}, second: {second} }}"
    )


def idle_line(chain: SimChain, peers: int, best: int, finalized: int) -> str:
    return (
        f"💤 Idle ({peers} peers), best: #{best} ({_short(chain.hash_at(best))}), "
        f"finalized #{finalized} ({_short(chain.hash_at(finalized))}), ⬇ 1.2MiB/s ⬆ 1.1MiB/s"
    )


def _short(block_hash: str) -> str:
    return f"{block_hash[:6]}…{block_hash[-4:]}"

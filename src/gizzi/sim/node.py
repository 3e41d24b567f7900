"""One simulated validator: what its process, its view of the chain and its faults are now, and what its page and RPC show of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gizzi.sim import log
from gizzi.sim.answers import RpcAnswers
from gizzi.sim.chain import SimChain, mix
from gizzi.sim.faults import DOWN, Fault
from gizzi.sim.identity import Identity
from gizzi.sim.samples import VERSION, PageSamples

RESTART_S = 6.0
"""How long a restart takes."""
REJOIN_S = 6.0
"""How long a node that has started needs before it votes and authors again."""
PEERS_A_SECOND = 1.5
"""How fast a node that has just started finds peers."""
DB_SYNC_BLOCKS_A_SECOND = 40.0
"""How fast a node with an empty database syncs."""
PAGE_EVERY_S = 5.0
"""A node renews the gauges of its page this often."""
MAX_LOG_LINES = 400
ALONE_PEERS = 1
"""What a restart loop shows where nothing else is wrong with the validator: almost no peers."""


class Active:
    """A fault at work on one validator, and what the validator showed when it began."""

    __slots__ = ("best", "chain_height", "fault", "finalized", "since")

    def __init__(self, fault: Fault, since: float, best: int, finalized: int, chain_height: int) -> None:
        self.fault = fault
        self.since = since
        self.best = best
        self.finalized = finalized
        self.chain_height = chain_height


class Gate:
    """What stands between a request and one of the node's two doors."""

    __slots__ = ("delay_s", "garbage", "hang", "loss", "refused")

    def __init__(self, refused: bool, hang: bool, garbage: bool, delay_s: float, loss: float) -> None:
        self.refused = refused
        self.hang = hang
        self.garbage = garbage
        self.delay_s = delay_s
        self.loss = loss

    @property
    def open(self) -> bool:
        return not (self.refused or self.hang or self.garbage or self.delay_s or self.loss)


class SimNode:
    """Times are epoch seconds. All that happens to it comes through `begin`, `end`, `restart`, `stop` and `start`, in order of time."""

    def __init__(self, identity: Identity, chain: SimChain, *, seed: int, start_at: float, votes: bool = True) -> None:
        self.identity = identity
        self.number = identity.number
        self.chain = chain
        self.votes = votes
        """It holds session keys and is in the set."""
        chance = mix(seed * 7919 + identity.number)
        self._chance = chance
        self._delay_s = (0.05 + (chance & 255) / 512) * min(1.0, chain.block_time_s / 6)
        self._page_phase_s = (chance >> 8 & 255) / 256 * PAGE_EVERY_S
        self._peers = 30 + (chance >> 16) % 14
        self.faults: list[Active] = []
        self.away_until = 0.0
        self.rejoins_at = 0.0
        self.stopped = False
        self.running = True
        self.version = self.installed = VERSION
        """What runs, and what its next start will run."""
        self.started_at = start_at - 86_400 * (2 + (chance >> 20) % 20)
        self.stopped_at: float | None = None
        self.log: list[tuple[float, str, str]] = []
        """Lines of its unit's log that matter: time, writer, message."""
        self.write(self.started_at, log.START_LINE, log.SYSTEMD)
        self.write(self.started_at, log.identity_line(identity))
        self.genesis_at: float | None = None
        """When it created an empty database anew."""
        self._find_peers_from = self.started_at
        self.authoring = self.own_voting = votes
        self.authored = 400 + chance % 2000 if votes else 0
        self.rounds_missed = 0
        self._rounds_base = -(20_000 + chance % 30_000) if votes else chain.rounds
        self._para_silent_from: int | None = None
        self._para_base = chain.height - (20_000 + chance % 30_000)
        self._cap: Callable[[float, int, int], tuple[int, int]] | None = None
        self.fork_from: int | None = None
        self.page_gate: Gate | None = None
        self.rpc_gate: Gate | None = None
        self.page_due_at = 0.0
        self.page = PageSamples(self)
        self.rpc = RpcAnswers(self)

    # what happens to it

    def begin(self, fault: Fault, at: float) -> Active:
        active = Active(fault, at, *self.heights(at), self.chain.height)
        self.faults.append(active)
        if fault.kind == "db_lost":
            self.away_until = max(self.away_until, at + RESTART_S)
            self.genesis_at = None
        self.settle(at)
        return active

    def end(self, active: Active, at: float) -> None:
        if active in self.faults:
            self.faults.remove(active)
            self.settle(at)

    def restart(self, at: float) -> float:
        """A restart of the unit. Returns when the node is back; a restart loop only begins a new process at once."""
        if self.has("restart_loop"):
            if self.running:
                self.started_at = at
            self.page_due_at = 0.0
            return at
        self.faults = [active for active in self.faults if active.fault.clears_on != "restart"]
        self.stopped = False
        return self.go_away(at, RESTART_S)

    def go_away(self, at: float, for_s: float) -> float:
        """The process ends cleanly and starts again after so many seconds. Returns when."""
        self.away_until = max(self.away_until, at + for_s)
        self.settle(at)
        return self.away_until

    def stop(self, at: float) -> None:
        self.stopped = True
        self.settle(at)

    def start(self, at: float) -> float:
        """Start the unit; nothing where it runs. Returns when the node is there."""
        return at if self.running else self.restart(at)

    def has(self, *kinds: str) -> Active | None:
        """The first fault of these kinds that is at work."""
        for active in self.faults:
            if active.fault.kind in kinds:
                return active
        return None

    def settle(self, at: float) -> None:
        """Work out again what depends on the faults and the process. Call it whenever one of them changes."""
        runs = not self.stopped and at >= self.away_until and not any(a.fault.kind in DOWN for a in self.faults)
        if runs and not self.running:
            self._start_process(at)
        elif self.running and not runs:
            self.stopped_at = at
            self._log_end(at)
        self.running = runs
        self._lose_database(at)
        self._settle_work(at)
        self._settle_gates()
        self._cap = self._capped if any(a.fault.kind in _CAPPING for a in self.faults) else None
        fork = self.has("fork")
        self.fork_from = fork.best if fork else None
        self.page_due_at = 0.0

    def _start_process(self, at: float) -> None:
        self.started_at = self._find_peers_from = at
        if self.version != self.installed:
            self.version = self.installed
            self.page.upgraded()
        self.rejoins_at = at + REJOIN_S
        self.authored = self.rounds_missed = 0
        self._rounds_base = self.chain.rounds
        self._para_base = self.chain.height
        self._para_silent_from = None
        self.write(at, log.START_LINE, log.SYSTEMD)
        lost = self.has("db_lost")
        if lost is not None and (self.genesis_at is None or self.genesis_at < lost.since):
            self.genesis_at = at
            self.write(at, log.genesis_line(self.chain))
        self.write(at, log.identity_line(self.identity))

    def _lose_database(self, at: float) -> None:
        """A node that is kept from running has begun once on its empty database, and says so in its log."""
        if self.running or (at < self.away_until and not any(a.fault.kind in DOWN for a in self.faults)):
            return
        lost = self.has("db_lost")
        if lost is not None and (self.genesis_at is None or self.genesis_at < lost.since):
            self._start_process(at)
            self._log_end(at)

    def _log_end(self, at: float) -> None:
        for line in log.end_lines(clean=not self.has("unclean_stop")):
            self.write(at, line, log.SYSTEMD)

    def write(self, at: float, message: str, writer: str = log.NODE) -> None:
        """One more line in its unit's log."""
        self.log.append((at, writer, message))
        if len(self.log) > MAX_LOG_LINES:
            del self.log[: MAX_LOG_LINES // 2]

    def _settle_work(self, at: float) -> None:
        works = self.running and self.votes and at >= self.rejoins_at and not self.has("hang", "db_lost", "syncing")
        self.authoring = works and not self.has("best_stall")
        self.own_voting = works and not self.has("not_voting")
        if self.votes:
            self.chain.set_voting(self.identity.ss58, self.own_voting or self.has("twin") is not None, at)
        (self.chain.idle.discard if self.own_voting else self.chain.idle.add)(self)
        silent = not works or self.has("para_silent") is not None
        if silent and self._para_silent_from is None:
            self._para_silent_from = self.chain.height
        elif not silent and self._para_silent_from is not None:
            self._para_base += self.chain.height - self._para_silent_from
            self._para_silent_from = None

    def _settle_gates(self) -> None:
        hang, garbage = self.has("hang") is not None, self.has("garbage") is not None
        slow, lost = self.has("slow"), self.has("lost_scrapes")
        rest = (hang, garbage, slow.fault["delay_s"] if slow else 0.0, lost.fault["rate"] if lost else 0.0)
        page = Gate(not self.running or self.has("metrics_down") is not None, *rest)
        rpc = Gate(not self.running or self.has("rpc_down") is not None, *rest)
        self.page_gate = None if page.open else page
        self.rpc_gate = None if rpc.open else rpc

    # what it is now

    def heights(self, now: float) -> tuple[int, int]:
        """Its best and its finalized block. Blocks reach it a little after they are made."""
        chain = self.chain
        best = chain.height if now >= chain.block_at + self._delay_s else chain.height - 1
        finalized = chain.finalized if now >= chain.finalized_at + self._delay_s else chain.finalized_before
        return (best, finalized) if self._cap is None else self._cap(now, best, finalized)

    def _capped(self, now: float, best: int, finalized: int) -> tuple[int, int]:
        for active in self.faults:
            kind = active.fault.kind
            if kind == "best_stall":
                best = min(best, active.best)
            elif kind == "syncing":
                best = min(best, active.best + (self.chain.height - active.chain_height) // 3)
            elif kind == "db_lost":
                synced = 0 if self.genesis_at is None else int(max(0.0, now - self.genesis_at) * DB_SYNC_BLOCKS_A_SECOND)
                best, finalized = min(best, synced), min(finalized, synced)
            elif kind == "finality_stall":
                finalized = min(finalized, active.finalized)
            elif kind == "lag":
                creeping = active.finalized + (self.chain.height - active.chain_height) // 3
                finalized = min(finalized, max(creeping, self.chain.height - int(active.fault["blocks"])))
        return best, min(best, finalized)

    def peers(self, now: float) -> int:
        wiggle = mix(self._chance + int(now / 45)) & 3
        peers = min(self._peers + wiggle, int((now - self._find_peers_from) * PEERS_A_SECOND))
        for active in self.faults:
            given = active.fault.parameters.get("peers")
            if given is not None:
                peers = min(peers, int(given))
            elif active.fault.kind == "peers_fall":
                fallen = int(active.fault["per_min"] * (now - active.since) / 60)
                peers = min(peers, max(int(active.fault["least"]), peers - fallen))
            elif active.fault.kind == "restart_loop" and all(a.fault.kind == "restart_loop" for a in self.faults):
                peers = min(peers, ALONE_PEERS)
        return max(0, peers)

    def ready_transactions(self, now: float) -> int:
        usual = mix(self._chance + int(now / 5) * 31) % 24
        full = self.has("tx_queue") if self.faults else None
        return usual if full is None else int(full.fault["size"]) + usual

    @property
    def syncing(self) -> bool:
        return bool(self.faults) and self.has("syncing", "db_lost") is not None

    @property
    def rounds_voted(self) -> int:
        """Rounds this process has voted in."""
        return self.chain.rounds - self._rounds_base - self.rounds_missed

    @property
    def para_blocks(self) -> int:
        """Blocks for which this process has cast parachain votes."""
        until = self.chain.height if self._para_silent_from is None else self._para_silent_from
        return until - self._para_base

    def hash_at(self, height: int) -> str:
        """How it sees the block at a height that it has."""
        return self.chain.hash_at(height, self.fork_from is not None and height >= self.fork_from)

    def facts(self, now: float) -> dict[str, bool]:
        """The truth behind the guard's facts."""
        return {
            "up": self.running and not self.has("hang"),
            "db_lost": self.has("db_lost") is not None,
            "twin_running": self.has("twin") is not None,
            "unclean_stop": self.has("unclean_stop") is not None,
            "in_session_change": self.chain.in_session_change(now),
            "maintenance": False,
        }

    # what it answers

    def samples(self, now: float) -> dict[str, list[tuple[Mapping[str, str], float]]]:
        """Its page, as of the last time its gauges were renewed."""
        if now >= self.page_due_at:
            self.page_due_at = now - (now - self._page_phase_s) % PAGE_EVERY_S + PAGE_EVERY_S
            self.page.renew(now)
        return self.page.samples


_CAPPING = frozenset({"best_stall", "syncing", "db_lost", "finality_stall", "lag"})

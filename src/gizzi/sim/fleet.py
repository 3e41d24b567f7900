"""The simulated fleet: chains, validators and faults, moved on by whoever looks at it, and the ways in for sources."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gizzi.clock import Clock
from gizzi.config import Chain, Validator
from gizzi.errors import GizziError
from gizzi.reach import Reach
from gizzi.sim.chain import SimChain
from gizzi.sim.faults import KINDS, Fault
from gizzi.sim.host import DATA_DIR, SimHost
from gizzi.sim.identity import Identity, identify
from gizzi.sim.log import UNIT, equivocation_line
from gizzi.sim.node import Active, SimNode
from gizzi.sim.ways import FleetNode, FleetSsh, NoHttp

BACK_BEFORE_NEXT_S = 4.0
"""How long a person who restarts one validator after another looks at each that is back."""
EQUIVOCATION_EVERY_S = 60.0
"""A second signer that meets the first one is seen to equivocate this often."""


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """A chain to simulate. validators: their numbers; None takes those that no other chain names. authorities: at least as many."""

    id: str = "sim"
    parent: str | None = None
    block_time_s: float = 6.0
    validators: tuple[int, ...] | None = None
    authorities: int | None = None


class SimFleet:
    """Everything that happens is an event at its time; looking at the fleet at a later time first lets all that is due happen.

    Seeded: the same arguments, asked the same questions at the same times, answer the same.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        validators: int = 21,
        authorities: int | None = None,
        seed: int = 1,
        block_time_s: float = 6.0,
        chains: Sequence[ChainPlan] = (),
        faults: Iterable[Fault] = (),
    ) -> None:
        self.clock = clock
        self.start_at = clock.now()
        self.seed = seed
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self.next_at = float("inf")
        """When the next thing happens."""
        self.changed: set[int] = set()
        """Numbers of validators whose doors may have opened or closed; whoever serves them empties it."""
        plans = chains or (ChainPlan(block_time_s=block_time_s, authorities=authorities),)
        self.plans: dict[str, ChainPlan] = {plan.id: plan for plan in _fill(plans, validators)}
        self.chains: dict[str, SimChain] = {}
        self.nodes: dict[int, SimNode] = {}
        for plan in _parents_first(self.plans):
            self._add_chain(plan)
        self.nodes = {number: self.nodes[number] for number in sorted(self.nodes)}
        self.hosts = {number: SimHost(self, node) for number, node in self.nodes.items()}
        self.faults: list[Fault] = []
        self._ends: dict[int, list[Callable[[float], None]]] = {}
        self._until_restart: list[tuple[SimChain, int]] = []
        for fault in faults:
            self.inject(fault)

    def _add_chain(self, plan: ChainPlan) -> None:
        numbers = plan.validators or ()
        size = max(plan.authorities or 0, 1) if plan.authorities else len(numbers)
        people = [identify(number, self.seed) for number in numbers]
        others = [identify(1_000_000 + i, self.seed + sum(plan.id.encode())) for i in range(size - len(people))]
        voters = [who.ss58 for who in (people + others)[:size]]
        parent = self.chains.get(plan.parent) if plan.parent else None
        chain = SimChain(plan.id, voters, seed=self.seed, block_time_s=plan.block_time_s, start_at=self.start_at, parent=parent)
        self.chains[plan.id] = chain
        for index, who in enumerate(people):
            node = SimNode(who, chain, seed=self.seed, start_at=self.start_at, votes=index < size)
            self.nodes[who.number] = node
            if node.votes:
                chain.nodes.append(node)
        self._tick(chain, self.start_at)

    # time

    def at(self, when: float, act: Callable[[float], None]) -> None:
        """Let something happen at a time; it is given that time."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, act))
        self.next_at = self._events[0][0]

    def advance(self, now: float) -> None:
        """Let everything happen that is due."""
        events = self._events
        while events and events[0][0] <= now:
            when, _, act = heapq.heappop(events)
            act(when)
        self.next_at = events[0][0] if events else float("inf")

    def now(self) -> float:
        """The time, with everything due by then done."""
        now = self.clock.now()
        if now >= self.next_at:
            self.advance(now)
        return now

    def _tick(self, chain: SimChain, at: float) -> None:
        chain.tick(at)
        self.at(chain.next_slot_at, lambda when: self._tick(chain, when))

    # faults

    def inject(self, fault: Fault) -> int:
        """Let a fault begin at its time. Returns a number by which `withdraw` takes it back."""
        self.faults.append(fault)
        handle = len(self.faults) - 1
        self._ends[handle] = []
        self.at(self.start_at + fault.at_s, lambda when: self._begin(fault, handle, when))
        return handle

    def withdraw(self, handle: int, at: float) -> bool:
        """End a fault now, also one that has not begun. False where it is unknown or was withdrawn before."""
        ends = self._ends.pop(handle, None)
        for end in ends or []:
            end(at)
        return ends is not None

    def _begin(self, fault: Fault, handle: int, at: float) -> None:
        if handle not in self._ends:
            return
        ends = self._begin_on_chains(fault, handle, at) if KINDS[fault.kind].of_chain else self._begin_on_nodes(fault, handle, at)
        self._ends[handle] = ends
        after_s = fault.ends_after_s
        if after_s is not None:
            self.at(at + after_s, lambda when: self._end(handle, when))

    def _end(self, handle: int, at: float) -> None:
        for end in self._ends.get(handle, []):
            end(at)
        self._ends[handle] = []

    def named(self, fault: Fault) -> list[SimNode]:
        """The validators that a fault names."""
        nodes = self.nodes.values() if fault.validators is None else (self.nodes[number] for number in fault.validators)
        return [node for node in nodes if fault.chain is None or node.chain.id == fault.chain]

    def _begin_on_nodes(self, fault: Fault, handle: int, at: float) -> list[Callable[[float], None]]:
        nodes = self.named(fault)
        if fault.kind == "rolling_restart":
            for place, node in enumerate(nodes):
                every_s = fault.parameters.get("every_s", fault["away_s"] + BACK_BEFORE_NEXT_S)
                self.at(at + place * every_s, lambda when, node=node: self._roll(node, fault, handle, when))  # type: ignore[misc]
            return []
        ends: list[Callable[[float], None]] = []
        for node in nodes:
            active = node.begin(fault, at)
            self._follow(node, at, node.away_until)
            if fault.kind == "twin":
                self._equivocate(node, active, at + node.chain.block_time_s)
            ends.append(lambda when, node=node, active=active: self._end_on_node(node, active, when))  # type: ignore[misc]
        return ends

    def _roll(self, node: SimNode, fault: Fault, handle: int, at: float) -> None:
        if handle in self._ends:
            self._follow(node, at, node.go_away(at, fault["away_s"]))

    def _end_on_node(self, node: SimNode, active: Active, at: float) -> None:
        node.end(active, at)
        self._follow(node, at, node.rejoins_at)

    def _begin_on_chains(self, fault: Fault, handle: int, at: float) -> list[Callable[[float], None]]:
        ends: list[Callable[[float], None]] = []
        for chain in {node.chain.id: node.chain for node in self.named(fault)}.values():
            if fault.kind == "slot_gap":
                chain.pause(at, fault["for_s"])
            elif fault.kind == "session_change":
                chain.change_session(at)
            else:
                chain.stalls(1)
                ends.append(lambda when, chain=chain: chain.stalls(-1))  # type: ignore[misc]
                if fault.clears_on == "restart":
                    self._until_restart.append((chain, handle))
        return ends

    def _equivocate(self, node: SimNode, active: Active, at: float) -> None:
        """From then on, as long as both signers vote, the others log that they do."""

        def see(when: float) -> None:
            if active not in node.faults:
                return
            if node.own_voting:
                line = equivocation_line(node.identity, node.chain)
                for other in node.chain.nodes:
                    if other is not node and other.running:
                        other.write(when, line)
            self.at(when + EQUIVOCATION_EVERY_S, see)

        self.at(at, see)

    def _follow(self, node: SimNode, at: float, back_at: float) -> None:
        """Look again when it is back; whoever serves it is told now."""
        self.changed.add(node.number)
        if back_at > at:
            self.at(back_at, lambda when: self._settle(node, when))

    def _settle(self, node: SimNode, at: float) -> None:
        node.settle(at)
        self.changed.add(node.number)
        if node.rejoins_at > at:
            self.at(node.rejoins_at, node.settle)

    # what an action does

    def restart(self, number: int) -> None:
        """`systemctl restart` of its unit."""
        node, now = self.nodes[number], self.now()
        for chain, handle in self._until_restart:
            if chain is node.chain:
                self._end(handle, now)
        self._follow(node, now, node.restart(now))

    def start(self, number: int) -> None:
        node, now = self.nodes[number], self.now()
        self._follow(node, now, node.start(now))

    def stop(self, number: int) -> None:
        node = self.nodes[number]
        node.stop(self.now())
        self.changed.add(number)

    # what it shows

    def facts(self, number: int) -> dict[str, bool]:
        """The truth behind the guard's facts, now."""
        now = self.now()
        return self.nodes[number].facts(now)

    def settings_chains(self) -> list[Chain]:
        return [
            Chain(id=plan.id, parent=plan.parent, block_time_s=plan.block_time_s, authorities=len(self.chains[plan.id].voters) or None)
            for plan in self.plans.values()
        ]

    def settings_validators(self) -> list[Validator]:
        """The fleet as gizzi.toml would list it. Its addresses lead nowhere: read it through `reach()`."""
        return [self._validator(node.identity, node) for node in self.nodes.values()]

    def _validator(self, who: Identity, node: SimNode) -> Validator:
        host = f"{who.name}.sim"
        return Validator(
            number=who.number,
            name=who.name,
            chain=node.chain.id,
            host=host,
            metrics_url=f"http://{host}:9615/metrics",
            rpc_url=f"http://{host}:9944",
            unit=UNIT,
            authority=node.votes,
            authority_id=who.authority_id if node.votes else None,
            standby_hosts=(),
            role=who.role,
            data_dir=DATA_DIR,
        )

    def reach(self) -> Reach:
        """The way in for sources, in simulated time."""
        return Reach(node=FleetNode(self), ssh=FleetSsh(self), http=NoHttp())


def _fill(plans: Sequence[ChainPlan], validators: int) -> list[ChainPlan]:
    """Give the first chain that names no validators those that no chain names. Raises GizziError where one is named twice."""
    named = [number for plan in plans for number in plan.validators or ()]
    if len(set(named)) != len(named):
        raise GizziError("a validator is named by two chains")
    rest = tuple(number for number in range(1, validators + 1) if number not in set(named))
    filled = []
    for plan in plans:
        numbers = plan.validators
        if numbers is None:
            numbers, rest = rest, ()
        filled.append(ChainPlan(plan.id, plan.parent, plan.block_time_s, tuple(sorted(numbers)), plan.authorities))
    return filled


def _parents_first(plans: dict[str, ChainPlan]) -> list[ChainPlan]:
    ordered: dict[str, ChainPlan] = {}
    while len(ordered) < len(plans):
        ready = [p for p in plans.values() if p.id not in ordered and (p.parent is None or p.parent in ordered)]
        if not ready:
            raise GizziError("a chain names a parent that is not there, or itself")
        ordered.update((plan.id, plan) for plan in ready)
    return list(ordered.values())

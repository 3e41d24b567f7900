"""A second opinion on every write: the policy's rules, written anew over what is true in the simulation, without the guard's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gizzi.config import Policy, Validator
from gizzi.reach import Ssh

if TYPE_CHECKING:
    from gizzi.sim.fleet import SimFleet

UNSEEN_S = 45.0
"""A voter that stopped voting less long ago cannot be known to be missing: votes of several rounds must be lacking first."""
NEW_SESSION_UNSEEN_S = 10.0
"""Nor can a session that changed since the last two polls. Lost databases, second signers and unclean stops have no such grace."""
REJOIN_WITHIN_S = 1800.0
VERBS = frozenset({"restart", "start", "stop"})
TO_THE_MS_S = 0.002
"""Rows show times to the millisecond."""


@dataclass(frozen=True, slots=True)
class Write:
    """A command that changed something on a host. against: why it should not have been run at that time without a person."""

    at: float
    action: str
    validator: int
    against: tuple[str, ...]


class Oracle:
    """Stands before the hosts of a simulated fleet, runs each command there, and judges those that change something.

    stopped: whether a person has stopped the guard. maintained: by validator, until when somebody works on it.
    """

    def __init__(self, fleet: SimFleet, policy: Policy, ssh: Ssh) -> None:
        self._fleet = fleet
        self._policy = policy
        self._ssh = ssh
        self.stopped = False
        self.maintained: dict[int, float] = {}
        self.writes: list[Write] = []

    async def run(
        self,
        validator: Validator,
        command: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        timeout_s: float | None = None,
        with_stderr: bool = False,
    ) -> str:
        verb = _write_in(command)
        if verb is not None:
            against = tuple(self._against(verb, validator.number, self._fleet.now()))
            self.writes.append(Write(self._fleet.now(), verb, validator.number, against))
        return await self._ssh.run(validator, command, limit_bytes=limit_bytes, timeout_s=timeout_s, with_stderr=with_stderr)

    def violations(self, actions: Sequence[Mapping[str, Any]]) -> list[str]:
        """What was done that the rules did not allow and no person approved, or that no intent was written for.

        actions: all, as every face shows them. Each accounts for one write.
        """
        left = list(actions)
        found = []
        for write in self.writes:
            row = next((row for row in left if _accounts_for(row, write)), None)
            what = f"{write.action} of validator {write.validator} at {write.at - self._fleet.start_at:.0f} s"
            if row is None:
                found.append(f"{what}: no action accounts for it")
                continue
            left.remove(row)
            if write.against and not row["approved_by"]:
                found.append(f"{what}: {'; '.join(write.against)}")
        return found

    def _against(self, verb: str, number: int, now: float) -> Iterator[str]:
        if self.stopped:
            yield "the guard was stopped"
        if verb == "stop":
            yield "a stop needs a person"
        if self._policy.mode != "auto":
            yield "in suggest mode every write needs a person"
        truth = self._fleet.nodes[number].facts(now)
        yield from (f"{fact} was true" for fact in ("twin_running", "db_lost", "unclean_stop") if truth[fact])
        changed_at = self._fleet.nodes[number].chain.set_changed_at
        if truth["in_session_change"] and changed_at is not None and now - changed_at > NEW_SESSION_UNSEEN_S:
            yield "in_session_change was true"
        if self.maintained.get(number, 0.0) > now:
            yield "somebody was at work on it"
        yield from self._against_again(number, now)
        yield from self._against_quorum(number, now)

    def _against_again(self, number: int, now: float) -> Iterator[str]:
        earlier = [write.at for write in self.writes if write.validator == number and write.action != "stop"]
        if earlier and now - earlier[-1] < self._policy.cooldown_s:
            yield f"it had been restarted {now - earlier[-1]:.0f} s before"
        awaited = self._awaited(now) - {number}
        if awaited:
            yield f"validator {', '.join(map(str, sorted(awaited)))} was restarted and not back yet"

    def _against_quorum(self, number: int, now: float) -> Iterator[str]:
        node = self._fleet.nodes[number]
        chain = node.chain
        gone: set[str] = {voter for voter, since in chain.absent.items() if now - since > UNSEEN_S}
        ours = {other.number: other.identity.ss58 for other in self._fleet.nodes.values() if other.chain is chain}
        away = gone | {ours[other] for other in self._awaited(now) if other in ours} | {node.identity.ss58}
        spare = (len(chain.voters) - 1) // 3 - self._policy.reserve
        if len(away) > spare:
            yield f"{len(away)} of {len(chain.voters)} authorities would be missing, {max(spare, 0)} may be"

    def _awaited(self, now: float) -> set[int]:
        """Validators that were restarted and have not voted since; or have stopped again, for so long that it must be known."""
        awaited: set[int] = set()
        for write in self.writes:
            node = self._fleet.nodes[write.validator]
            gone_since = node.chain.absent.get(node.identity.ss58)
            if gone_since is None or now - write.at > REJOIN_WITHIN_S:
                continue
            if gone_since <= write.at + TO_THE_MS_S or now - gone_since > UNSEEN_S:
                awaited.add(write.validator)
        return awaited


def _write_in(command: Sequence[str]) -> str | None:
    """The verb of a command that starts or stops a unit; None where it only looks."""
    words = [word for word in command if not word.startswith("-") and word != "sudo"]
    return words[1] if len(words) > 1 and words[0].endswith("systemctl") and words[1] in VERBS else None


def _accounts_for(row: Mapping[str, Any], write: Write) -> bool:
    if (row["action"], row["validator"]) != (write.action, write.validator) or row["begun_at"] is None:
        return False
    begun_at = datetime.fromisoformat(row["begun_at"]).timestamp()
    ended_at = datetime.fromisoformat(row["ended_at"]).timestamp() if row["ended_at"] else float("inf")
    return begun_at - TO_THE_MS_S <= write.at <= ended_at + TO_THE_MS_S

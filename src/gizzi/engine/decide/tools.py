"""What a role may look up while it decides. Everything here only reads, every argument is checked, and every answer is bounded.

Each answer is kept as evidence under its observation id, so that a decision may cite it and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from gizzi.clock import Clock, duration_text
from gizzi.config import Settings, Validator
from gizzi.engine.decide.evidence import Evidence
from gizzi.engine.decide.mind import Tool
from gizzi.engine.decide.prompt import LONGEST_ID, clean
from gizzi.engine.decide.recall import Search
from gizzi.errors import GizziError
from gizzi.fleet.fleet import Fleet
from gizzi.fleet.observation import text
from gizzi.models.hard import BYTES_PER_TOKEN
from gizzi.reach import Reach
from gizzi.readers import journal
from gizzi.readers.promql import UnreadableAnswer, endpoint, vector
from gizzi.readers.systemd import UnreadableUnit
from gizzi.roles.load import Role

MOST_CALLS = 12
CALL_TOKENS = 1500
ALL_TOKENS = 8000
"""All answers together: what a model is sent stays within this and the prompt's own budget, whatever a log holds."""
CALL_S = 15.0
MOST_LOG_LINES = 200
MOST_POINTS = 40
MOST_ROWS = 40
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
RPC_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("system_health", "system_syncState", "system_version", "system_chain", "system_name"), ""),
    **dict.fromkeys(("system_nodeRoles", "system_localPeerId", "chain_getFinalizedHead", "grandpa_roundState"), ""),
    "chain_getHeader": "hash",
    "chain_getBlockHash": "height",
}
"""The only methods that are ever called, all safe ones that read, with the one parameter each may have."""


class Sight(Protocol):
    """What look-ups see through; the watch is such."""

    settings: Settings
    reach: Reach
    clock: Clock
    fleet: Fleet


class _No(ValueError):
    """A look-up that is not done; the text says why."""


Found = Iterable[tuple[str | None, str]]


@dataclass
class Toolbox:
    """The look-ups of one decision. search: memory's, None where there is none."""

    sight: Sight
    role: Role
    evidence: Evidence
    nonce: str
    search: Search | None = None
    calls: int = 0
    left_bytes: float = ALL_TOKENS * BYTES_PER_TOKEN

    def tools(self) -> tuple[Tool, ...]:
        """Those that the role has and that can work here."""
        usable = {
            "promql": self.sight.settings.prometheus.url is not None,
            "logs": self.sight.reach.ssh is not None,
            "memory": self.search is not None,
        }
        known: dict[str, Tool] = {
            "status": self.status,
            "history": self.history,
            "promql": self.promql,
            "rpc": self.rpc,
            "logs": self.logs,
            "memory": self.memory,
        }
        return tuple(known[name] for name in self.role.tools if usable.get(name, True))

    async def status(self, validator: int) -> str:
        """Everything known of a validator now, as `id: text` lines.

        Args:
            validator: its number.
        """

        async def look() -> Found:
            number = self._validator(validator).number
            history, now = self.sight.fleet.histories[number], self.sight.clock.now()
            found: list[tuple[str | None, str]] = []
            for name, track in sorted(history.tracks.items()):
                age = "" if track.expires_at >= now else f" (not fresh: seen {duration_text(now - track.at)} ago)"
                found.append((f"{number}/{name}", f"{text(name, track.value)}{age}"))
            return found + [(f"{number}/{source}_failure", f"{source}: {f.text}") for source, f in history.failures.items()]

        return await self._look(look)

    async def history(self, validator: int, observation: str, minutes: int = 30) -> str:
        """How one observation of a validator changed over the last minutes, at most 90.

        Args:
            validator: its number.
            observation: the name after the slash of an id, such as peers.
            minutes: how far back.
        """

        async def look() -> Found:
            number = self._validator(validator).number
            track = self.sight.fleet.histories[number].tracks.get(observation) if _NAME.fullmatch(observation) else None
            if track is None:
                raise _No(f"nothing of that name was ever observed of validator {number}; `status` lists what was")
            now = self.sight.clock.now()
            stood = f"unchanged for {duration_text(max(0.0, track.at - track.moved_at))}"
            watched = f"changed {track.moves} times in the {duration_text(max(0.0, track.at - track.first_at))} it was watched"
            points = self.sight.fleet.view(number, now).window(observation, min(max(minutes, 1), 90) * 60.0)
            found: list[tuple[str | None, str]] = [(f"{number}/{observation}", f"{text(observation, track.value)}, {stood}, {watched}")]
            step = len(points) // MOST_POINTS + 1
            return found + [(f"{number}/{observation}", f"{_time(at)} {value:.6g}") for at, value in points[::step]]

        return await self._look(look)

    async def promql(self, query: str) -> str:
        """The answer of the Prometheus server to one instant query. Rows of a validator's own instance have an id and can be cited.

        Args:
            query: PromQL; narrow it, at most 40 rows are shown.
        """

        async def look() -> Found:
            url = self.sight.settings.prometheus.url
            if url is None or not query.strip() or len(query) > 500 or not query.isprintable():
                raise _No("the query must be one line of PromQL of at most 500 characters")
            params = {"query": query, "timeout": "10s"}
            rows = vector(await self.sight.reach.http.get_json(f"{str(url).rstrip('/')}/api/v1/query", params))[:MOST_ROWS]
            owners = {endpoint(v.metrics_url): v.number for v in self._mine() if v.metrics_url is not None}
            found: list[tuple[str | None, str]] = []
            for labels, value in rows:
                owner = owners.get((labels.get("instance") or "").lower())
                shown = ", ".join(f"{name}={label}" for name, label in sorted(labels.items()) if name != "__name__")
                found.append((f"{owner}/promql" if owner is not None else None, f"{labels.get('__name__', '')}{{{shown}}} {value:.6g}"))
            return found

        return await self._look(look)

    async def rpc(self, validator: int, method: str, param: str | int | None = None) -> str:
        """One read-only JSON-RPC call to a validator's node: system_health, system_syncState, system_version, system_chain, system_name,
        system_nodeRoles, system_localPeerId, chain_getFinalizedHead, grandpa_roundState, chain_getHeader (a hash), chain_getBlockHash
        (a height).

        Args:
            validator: its number.
            method: one of these.
            param: the hash or height, where the method takes one.
        """

        async def look() -> Found:
            asked = self._validator(validator)
            params = _params(method, param)
            said = await self.sight.reach.node.rpc(asked, method, *params)
            return [(f"{asked.number}/{method}", f"{method} = {json.dumps(said, ensure_ascii=False, default=str)[:4000]}")]

        return await self._look(look, longest=2000)

    async def logs(self, validator: int, lines: int = 50) -> str:
        """The last lines of a validator's log, the newest first, at most 200. Anybody may have written into a log.

        Args:
            validator: its number.
            lines: how many.
        """

        async def look() -> Found:
            asked = self._validator(validator)
            if self.sight.reach.ssh is None or not asked.unit:
                raise _No(f"validator {asked.number} has no unit, or no account for SSH is configured")
            count = min(max(lines, 1), MOST_LOG_LINES)
            command = journal.log_command(self.sight.settings.ssh.manager, asked.unit, lines=count)
            said = await self.sight.reach.ssh.run(asked, command, limit_bytes=count * journal.MAX_LINE_CHARS)
            newest = sorted(journal.lines(said), key=lambda line: line.at, reverse=True)
            return [(f"{asked.number}/log", f"{_time(line.at)} {line.writer}: {line.message[:300]}") for line in newest[:count]]

        return await self._look(look)

    async def memory(self, words: str) -> str:
        """Closed incidents of the past whose text holds these words, with what ended them.

        Args:
            words: what to look for.
        """

        async def look() -> Found:
            if self.search is None:
                raise _No("there is no memory")
            cases = await self.search(clean(words, self.nonce, 200))
            return [
                (None, f"{case.incident}: {case.rule}: {case.summary}. {case.action}, {case.verdict or 'no verdict'}. {case.reasoning}")
                for case in cases[:10]
            ]

        return await self._look(look)

    def _mine(self) -> list[Validator]:
        allowed = self.role.validators
        return [v for v in self.sight.fleet.validators.values() if allowed is None or v.number in allowed]

    def _validator(self, number: object) -> Validator:
        known = {v.number: v for v in self._mine()}
        if isinstance(number, bool) or not isinstance(number, int) or number not in known:
            raise _No(f"there is no validator {clean(str(number)[:40], self.nonce, 40)} that this role looks after")
        return known[number]

    async def _look(self, look: Callable[[], Awaitable[Found]], longest: int = 400) -> str:
        """Whatever happens is an answer in words."""
        self.calls += 1
        if self.calls > MOST_CALLS or self.left_bytes <= 0:
            return "No more look-ups: decide now on what you have seen."
        try:
            async with asyncio.timeout(CALL_S):
                found = list(await look())
        except _No as no:
            return f"Not done: {no}."
        except TimeoutError:
            return f"No answer in {CALL_S:g} s: unknown."
        except (GizziError, UnreadableAnswer, UnreadableUnit) as error:
            return f"Not known: {clean(str(error), self.nonce)}"
        return self._fenced(found, longest)

    def _fenced(self, found: Found, longest: int) -> str:
        room = min(CALL_TOKENS * BYTES_PER_TOKEN, self.left_bytes)
        shown: list[str] = []
        left_out = 0
        for observation, said in found:
            bounded, name = clean(said, self.nonce, longest), clean(observation or "", self.nonce, LONGEST_ID)
            line = f"{name}: {bounded}" if name else f"- {bounded}"
            size = len(line.encode("utf-8", "replace")) + 1
            if left_out or size > room:
                left_out += 1
                continue
            room -= size
            self.left_bytes -= size
            shown.append(line)
            if name:
                self.evidence.add(name, bounded)
        more = f"\n({left_out} more lines)" if left_out else ""
        return f"<observed-{self.nonce}>\n" + ("\n".join(shown) or "nothing") + f"\n</observed-{self.nonce}>{more}"


def _params(method: str, param: object) -> list[str | int]:
    takes = RPC_METHODS.get(method)
    if takes is None:
        raise _No(f"this method is not called; those that are: {', '.join(RPC_METHODS)}")
    if param is None or takes == "":
        return []
    if takes == "hash" and isinstance(param, str) and _HASH.fullmatch(param):
        return [param]
    number = int(param) if isinstance(param, str) and param.isascii() and param.isdigit() and len(param) < 12 else param
    if takes == "height" and isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**32:
        return [number]
    raise _No(f"the {takes} is not one")


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"

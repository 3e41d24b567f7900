"""Reads roles: those shipped here, then those in the folder `roles` of the plugins folder, which may replace them by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from gizzi.clock import seconds
from gizzi.config import Settings, nearest
from gizzi.errors import ConfigError, NotFound
from gizzi.roles.front_matter import BadFrontMatter, split

RoleTier = Literal["auto", "local", "standard", "frontier"]
TOOLS = ("status", "history", "promql", "rpc", "logs", "memory")
"""What a role may be given: all of it only reads."""
ON_CALL = "on-call"
"""The role that decides incidents."""
WATCHER = "watcher"
"""The role that may open them."""
_KEYS = ("name", "description", "tier", "tools", "validators", "schedule", "budget_usd", "tasks")
_OF_SKILLS = ("license", "compatibility", "allowed-tools", "metadata")
"""Keys of the Agent Skills format that say nothing to us."""
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Role:
    """tier: "auto" lets the incident's severity or the task decide. validators: None means all. schedule: "incident", "every 6h", or
    empty where it only runs by hand; every_s: its period, if it has one. budget_usd: US$ a day, None where only `[budget]` limits it.
    tasks: what to do, by name. persona: the file's body."""

    name: str
    description: str
    persona: str
    where: str
    tier: RoleTier = "auto"
    tools: tuple[str, ...] = TOOLS
    validators: tuple[int, ...] | None = None
    schedule: str = ""
    every_s: float | None = None
    budget_usd: Decimal | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)


def load_roles(settings: Settings) -> dict[str, Role]:
    """Every role by name, in order of name. Raises ConfigError, which names the file and the key."""
    shipped = [read_role(file.read_text(encoding="utf-8"), file.name) for file in _shipped()]
    own = [read_file(path) for path in sorted((Path(settings.plugins.folder) / "roles").glob("*.md"))]
    found = {role.name: role for role in shipped}
    places: dict[str, str] = {}
    for role in own:
        if role.name in places:
            raise ConfigError(f"{role.where}: name: the role {role.name!r} is already defined in {places[role.name]}; rename one of them")
        places[role.name] = role.where
        found[role.name] = role
    return dict(sorted(found.items()))


def with_budgets(settings: Settings, roles: Mapping[str, Role]) -> Settings:
    """The settings in which a role's own budget counts as `[budget.roles]` does, where that names none for it."""
    own = {role.name: role.budget_usd for role in roles.values() if role.budget_usd is not None}
    budget = settings.budget.model_copy(update={"roles": {**own, **settings.budget.roles}})
    return settings.model_copy(update={"budget": budget})


def role_named(roles: Mapping[str, Role], name: str) -> Role:
    """Raises NotFound, which names the nearest."""
    if name not in roles:
        raise NotFound(f"there is no role {name!r}{nearest(name, list(roles))}")
    return roles[name]


def _shipped() -> Iterable[Any]:
    return sorted((item for item in files("gizzi.roles").iterdir() if item.name.endswith(".md")), key=lambda item: item.name)


def read_file(path: Path) -> Role:
    try:
        return read_role(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def read_role(text: str, where: str) -> Role:
    """where: what errors call the file. Raises ConfigError."""
    try:
        head, body = split(text)
    except BadFrontMatter as error:
        raise ConfigError(f"{where}: {error}") from None
    for key in head:
        if key not in _KEYS and key not in _OF_SKILLS:
            raise ConfigError(f"{where}: unknown key {key}{nearest(key, list(_KEYS))}")
    reader = _Reader(head, where)
    schedule, every_s = reader.schedule()
    if not body:
        raise ConfigError(f"{where}: below the keys stands nothing; write there who the role is and how it works")
    return Role(
        name=reader.name(),
        description=reader.text("description", longest=1024),
        persona=body,
        where=where,
        tier=reader.tier(),
        tools=reader.tools(),
        validators=reader.validators(),
        schedule=schedule,
        every_s=every_s,
        budget_usd=reader.budget(),
        tasks=reader.tasks(),
    )


class _Reader:
    """One head's keys, each checked. Every error names the file and the key."""

    def __init__(self, head: Mapping[str, Any], where: str) -> None:
        self._head = head
        self._where = where

    def _wrong(self, key: str, why: str) -> ConfigError:
        return ConfigError(f"{self._where}: {key}: {why}")

    def text(self, key: str, default: str | None = None, longest: int = 200) -> str:
        value = self._head.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self._wrong(key, "is missing" if not value else "must be text on one line")
        if len(value) > longest:
            raise self._wrong(key, f"is longer than {longest} characters")
        return value

    def _list(self, key: str) -> list[str]:
        value = self._head[key]
        if isinstance(value, dict):
            raise self._wrong(key, "must be a list, such as [a, b]")
        return value if isinstance(value, list) else [value]

    def name(self) -> str:
        name = self.text("name", longest=64)
        if not _NAME.fullmatch(name):
            raise self._wrong("name", f"{name!r} is not a name; write small letters, digits and single hyphens, such as on-call")
        return name

    def tier(self) -> RoleTier:
        tier = self.text("tier", "auto")
        known: tuple[RoleTier, ...] = get_args(RoleTier)
        found = next((name for name in known if name == tier), None)
        if found is None:
            raise self._wrong("tier", f"there is no tier {tier!r}{nearest(tier, list(known))}")
        return found

    def tools(self) -> tuple[str, ...]:
        if "tools" not in self._head:
            return TOOLS
        names = [name for name in self._list("tools") if name]
        for name in names:
            if name not in TOOLS:
                raise self._wrong("tools", f"there is no tool {name!r}{nearest(name, list(TOOLS))}")
        return tuple(dict.fromkeys(names))

    def validators(self) -> tuple[int, ...] | None:
        if self._head.get("validators", "all") == "all":
            return None
        words = self._list("validators")
        for word in words:
            if not (word.isascii() and word.isdigit() and len(word) <= 10):
                raise self._wrong("validators", f"{word!r} is not a validator's number; write `all` or a list such as [6, 7]")
        return tuple(sorted({int(word) for word in words}))

    def schedule(self) -> tuple[str, float | None]:
        text = self.text("schedule", "")
        if text in ("", "incident"):
            return text, None
        word, _, span = text.partition(" ")
        try:
            every_s = seconds(span) if word == "every" else 0.0
        except ValueError:
            every_s = 0.0
        if every_s < 60:
            raise self._wrong("schedule", f"{text!r} is none; write `incident`, or `every 6h` (at least a minute), or leave it out")
        return text, every_s

    def budget(self) -> Decimal | None:
        if "budget_usd" not in self._head:
            return None
        text = self.text("budget_usd")
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal(-1)
        if not (amount.is_finite() and amount >= 0):
            raise self._wrong("budget_usd", f"{text!r} is no amount; write US$ a day, such as 1.50")
        return amount

    def tasks(self) -> dict[str, str]:
        value = self._head.get("tasks") or {}
        if not isinstance(value, dict):
            raise self._wrong("tasks", "must be a table below the key, a line `name: what to do` for each")
        for name, what in value.items():
            if not what:
                raise self._wrong("tasks", f"{name} does not say what to do")
        return value

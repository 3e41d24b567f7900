"""Rows become the catalogue: shipped ones, then gizzi.toml, then TOML files of the plugins folder, then installed packages.

A later row changes an earlier one of the same name key by key. What they leave open is completed from the installed price data.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gizzi.config import Settings, explain, nearest
from gizzi.errors import ConfigError
from gizzi.models.catalogue import MODEL_TIERS, Catalogue, is_forwarded
from gizzi.models.model import Model, Price, PriceSource, Provider
from gizzi.models.prices import Known, look_up, price_of_row
from gizzi.models.task import TIERS, Tier
from gizzi.readers.rows import ModelRow, ProviderRow
from gizzi.registry import Registry

APIS = ("anthropic", "claude-code", "google", "mistral", "ollama", "openai", "openai-responses")
CAPABILITIES = frozenset({"tools", "json", "stream"})
CONTEXT_TOKENS = 128_000
OLLAMA_CONTEXT_TOKENS = 8192
"""What a model takes of whose size nothing is known; Ollama cuts off silently what is longer than it was asked for."""
SHIPPED = Path(__file__).with_name("shipped.toml")
LONGEST_FILE_BYTES = 1_000_000
FREE = Price(Decimal(0), Decimal(0))


class _File(BaseModel):
    """A plugin's TOML file, or what a package brings."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    providers: dict[str, ProviderRow] = Field(default_factory=dict)
    models: dict[str, ModelRow] = Field(default_factory=dict)


class _Shipped(_File):
    data: dict[str, dict[str, date]]
    tiers: dict[str, tuple[str, ...]]
    reference: dict[str, str]


_Kind = TypeVar("_Kind", bound=_File)


@dataclass(slots=True)
class _Stack:
    """Rows laid over one another. where: the file that last spoke of it. own: models of which a person, not we, said the tier."""

    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    own: dict[str, Tier] = field(default_factory=dict)

    def lay(self, providers: Mapping[str, ProviderRow], models: Mapping[str, ModelRow], where: str, source: PriceSource) -> None:
        for name, row in providers.items():
            said = {key: getattr(row, key) for key in row.model_fields_set}
            under = self.providers.setdefault(name, {})
            if "url" in said:
                under.pop("local", None)  # where that address leads, nobody has said yet
            under.update(said)
            self.where[f"provider {name}"] = where
        for name, model in models.items():
            said = {key: getattr(model, key) for key in model.model_fields_set}
            if model.price is not None:
                said["price"] = price_of_row(model.price, source)
            self.models.setdefault(name, {}).update(said)
            self.where[name] = where
            if model.tier is not None and source != "shipped":
                self.own[name] = model.tier


def catalogue_of(settings: Settings, registry: Registry, today: date) -> Catalogue:
    """With what is installed: the rows of packages, and the wires of plugins. Raises ConfigError."""
    return load_catalogue(settings, registry.model_rows, today=today, apis=[wire.name for wire in registry.wires])


def load_catalogue(settings: Settings, packages: Iterable[tuple[str, Any]] = (), *, today: date, apis: Collection[str] = APIS) -> Catalogue:
    """packages: (where from, rows) of installed packages (`Registry.model_rows`). today: prices are those of that day. apis: the wires that
    can be spoken. Raises ConfigError, which names the file and the key."""
    shipped = _shipped()
    stack = _Stack()
    stack.lay(shipped.providers, shipped.models, "shipped", "shipped")
    stack.lay(settings.providers, settings.models, _file_of(settings), "gizzi.toml")
    for file in sorted(Path(settings.plugins.folder).glob("*.toml")):
        read = _checked(_read(file), str(file), _File)
        stack.lay(read.providers, read.models, str(file), "plugin")
    for where, rows in packages:
        brought = _checked(rows, where, _File)
        stack.lay(brought.providers, brought.models, where, "plugin")
    return _Builder(settings, stack, shipped, today, apis).build()


@cache
def _shipped() -> _Shipped:
    return _checked(_read(SHIPPED), str(SHIPPED), _Shipped)


def _file_of(settings: Settings) -> str:
    return str(settings.file or "the configuration")


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > LONGEST_FILE_BYTES:
            raise ConfigError(f"{file} is longer than a million bytes; it cannot be a list of models")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def _checked(raw: Any, where: str, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error, kind)}") from None


@dataclass(slots=True)
class _Builder:
    settings: Settings
    stack: _Stack
    shipped: _Shipped
    today: date
    apis: Collection[str]
    providers: dict[str, Provider] = field(default_factory=dict)

    def build(self) -> Catalogue:
        self.providers = {name: self._provider(name, row) for name, row in self.stack.providers.items()}
        self._add_listed()
        tiers = {tier: self._order(tier) for tier in MODEL_TIERS}
        serves = {name: tier for tier in reversed(MODEL_TIERS) for name in tiers[tier]}
        models = {name: self._model(name, row, serves.get(name)) for name, row in self.stack.models.items()}
        return Catalogue(self.providers, models, tiers, {tier: self.shipped.reference[tier] for tier in MODEL_TIERS})

    def _provider(self, name: str, row: Mapping[str, Any]) -> Provider:
        where = self.stack.where[f"provider {name}"]
        missing = next((key for key in ("api", "url") if row.get(key) is None), None)
        if missing:
            raise ConfigError(f"{where}: [providers.{name}] {missing} is missing")
        if row["api"] not in self.apis:
            hint = nearest(row["api"], list(self.apis))
            raise ConfigError(f"{where}: [providers.{name}] api: nothing here speaks {row['api']!r}{hint}")
        local = row.get("local")
        if local is None:
            local = row["api"] == "ollama" and _is_near(row["url"])
        return Provider(name, row["api"], row["url"], row.get("key_env"), row.get("key_file"), local, where, row.get("program"))

    def _add_listed(self) -> None:
        """A model that [tiers] names needs no row where its provider is the person's own, an Ollama, or one whose price is known."""
        for tier in MODEL_TIERS:
            for name in getattr(self.settings.tiers, tier):
                if name not in self.stack.models:
                    self._add(name, tier)

    def _add(self, name: str, tier: Tier) -> None:
        where = _file_of(self.settings)
        provider_name, _, bare = name.partition("/")
        provider = self.providers.get(provider_name)
        if provider is None:
            hint = nearest(provider_name, list(self.providers))
            raise ConfigError(f"{where}: [tiers] {tier}: {name!r} is of no known provider{hint}; models are written PROVIDER/NAME")
        if provider.where == "shipped" and provider.api != "ollama" and not self._known(provider, bare):
            hint = nearest(name, list(self.stack.models))
            raise ConfigError(
                f'{where}: [tiers] {tier} names {name!r}, which nobody knows{hint}; if it exists, describe it in [models."{name}"]'
            )
        self.stack.models[name] = {"tier": tier}
        self.stack.where[name] = where

    def _order(self, tier: Tier) -> tuple[str, ...]:
        """What [tiers] says, or else the shipped order; and the person's own models of that tier, before the shipped ones."""
        stated: tuple[str, ...] = getattr(self.settings.tiers, tier)
        listed = {name for other in MODEL_TIERS for name in getattr(self.settings.tiers, other)}
        own = tuple(name for name, its in self.stack.own.items() if its == tier and name not in listed)
        shipped = tuple(name for name in self.shipped.tiers[tier] if self.stack.own.get(name, tier) == tier)
        order = (*stated, *own) if stated else (*own, *shipped)
        return tuple(dict.fromkeys(order))

    def _model(self, name: str, row: Mapping[str, Any], serves: Tier | None) -> Model:
        place = f'{self.stack.where[name]}: [models."{name}"]'
        provider_name, slash, bare = name.partition("/")
        if not slash or not bare:
            raise ConfigError(f'{place}: a model is written PROVIDER/NAME, such as "acme/fast-1"')
        provider = self.providers.get(provider_name)
        if provider is None:
            raise ConfigError(f"{place}: there is no provider {provider_name!r}{nearest(provider_name, list(self.providers))}")
        tier = serves or row.get("tier")
        if tier is None:
            raise ConfigError(f"{place} tier is missing; it is one of {', '.join(TIERS[1:])}")
        base = self._base(row, place)
        called = row.get("name") or bare
        price, known_context = self._price(provider, called, row, base)
        fallback = OLLAMA_CONTEXT_TOKENS if provider.api == "ollama" else CONTEXT_TOKENS
        can = row.get("capabilities", base.get("capabilities"))
        return Model(
            name,
            provider_name,
            called,
            tier,
            price,
            row.get("context_tokens") or base.get("context_tokens") or known_context or fallback,
            CAPABILITIES if can is None else frozenset(can),
            row.get("retired"),
            row.get("base"),
            self.stack.where[name],
        )

    def _base(self, row: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """The row of the model it was tuned from; what that one leaves out is not looked for further down."""
        base = row.get("base")
        if base is None:
            return {}
        if base not in self.stack.models:
            raise ConfigError(f"{place} base: there is no model {base!r}{nearest(base, list(self.stack.models))}")
        provider = self.providers.get(base.partition("/")[0])
        known = self._known(provider, base.partition("/")[2]) if provider else None
        return {"context_tokens": known.context_tokens if known else None, **self.stack.models[base]}

    def _price(self, provider: Provider, called: str, row: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[Price | None, int | None]:
        """Its price, None where nobody knows it, and the length that the price data gives. Nobody bills for one's own machines.

        A tuned model costs what the person said its base costs, on the same provider; what price data says of the base is no evidence,
        because clouds ask more for tuned models.
        """
        stated = cast("Price | None", row.get("price"))
        if stated is None and str(row.get("base", "")).partition("/")[0] == provider.name:
            of_base = cast("Price | None", base.get("price"))
            stated = of_base if of_base is not None and of_base.source != "shipped" else None
        if provider.local and not is_forwarded(called):
            return stated or FREE, None
        known = self._known(provider, called) if stated is None or row.get("context_tokens") is None else None
        return stated or (known.price if known else None), known.context_tokens if known else None

    def _known(self, provider: Provider, called: str) -> Known | None:
        return look_up(provider.url, called, self.today, self.shipped.data["checked"])


def _is_near(url: str) -> bool:
    """Whether an address is this machine or a private network. A bare name, such as gpu-box, is near; a public one may be anywhere."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return (bool(host) and "." not in host) or host.endswith((".local", ".internal", ".lan", ".home.arpa", ".localhost"))
    return address.is_loopback or address.is_private

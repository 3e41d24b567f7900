"""gizzi.toml and the environment become frozen settings. Nothing else reads the environment.

Order: the shipped defaults below, then the file, then variables such as GIZZI_STORE__URL for `[store] url`. Field descriptions are the
reference's text. Durations are written "5s" or "1h" in the file and are seconds (`_s`) in Python.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator

from gizzi.errors import ConfigError, NotFound
from gizzi.readers.rows import ModelRow, ProviderRow
from gizzi.sections import (
    Api,
    Budget,
    Cache,
    Chain,
    Collect,
    Network,
    Notify,
    Plugins,
    Policy,
    Privacy,
    Prometheus,
    Routing,
    Section,
    Ssh,
    Store,
    Telemetry,
    Tiers,
    Upgrade,
    Validator,
)

__all__ = ["Api", "Budget", "Cache", "Chain", "Policy", "Prometheus", "Settings", "Ssh", "Store", "Validator"]

FILE_NAME = "gizzi.toml"
_NAMED = {"providers", "models"}
"""Sections whose tables people name themselves."""


class Settings(Section):
    network: Network = Network()
    chains: tuple[Chain, ...] = ()
    validators: tuple[Validator, ...] = ()
    prometheus: Prometheus = Prometheus()
    collect: Collect = Collect()
    ssh: Ssh = Ssh()
    tiers: Tiers = Tiers()
    budget: Budget = Budget()
    providers: dict[str, ProviderRow] = Field(default_factory=dict, description="Where models are reached: [providers.acme] api, url.")
    models: dict[str, ModelRow] = Field(default_factory=dict, description='Models: [models."acme/fast-1"] tier, price.')
    cache: Cache = Cache()
    privacy: Privacy = Privacy()
    routing: Routing = Routing()
    policy: Policy = Policy()
    upgrade: Upgrade = Upgrade()
    notify: Notify = Notify()
    api: Api = Api()
    telemetry: Telemetry = Telemetry()
    store: Store = Store()
    plugins: Plugins = Plugins()
    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="A rule's `enabled`, `hold`, `severity` and thresholds: [rules.peers_low] below = 5."
    )
    file: Path | None = Field(None, exclude=True)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        numbers = [v.number for v in self.validators]
        doubles = sorted({n for n in numbers if numbers.count(n) > 1}) if len(set(numbers)) != len(numbers) else []
        if doubles:
            raise ValueError(f"validators: the number {doubles[0]} is used twice; each validator needs its own")
        ids = [c.id for c in self.chains]
        if len(set(ids)) != len(ids):
            raise ValueError("chains: the same id is used twice")
        for chain in self.chains:
            if chain.parent is not None and chain.parent not in ids:
                raise ValueError(f"chains: {chain.id!r} has the parent {chain.parent!r}, which is not among the chains")
            _reject_cycle(chain, {c.id: c for c in self.chains})
        for validator in self.validators:
            if ids and validator.chain not in ids:
                hint = nearest(validator.chain, ids)
                raise ValueError(f"validators: number {validator.number} names the chain {validator.chain!r}{hint}")
        return self

    def chain(self, chain_id: str) -> Chain:
        """The chain of that id; one with defaults where the file does not list it."""
        return next((c for c in self.chains if c.id == chain_id), None) or Chain(id=chain_id)

    def validator(self, number: int) -> Validator | None:
        """The one of that number; None where none are listed, because a Prometheus server names them. Raises NotFound."""
        found = next((v for v in self.validators if v.number == number), None)
        if found is None and self.validators:
            raise NotFound(f"there is no validator {number} in {self.file or 'the configuration'}")
        return found

    def secret(self, name: str, file: str | None = None) -> SecretStr | None:
        """A secret by name: the environment first, then the systemd credential of that name, then the file. None where none has it."""
        value = os.environ.get(name)
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        for path in ([Path(folder) / name] if folder else []) + ([Path(file).expanduser()] if file else []):
            if not value and path.is_file():
                value = _read_secret(path)
        return SecretStr(value) if value else None


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secret in {path} cannot be read: {error}") from None


def _reject_cycle(chain: Chain, by_id: Mapping[str, Chain]) -> None:
    seen = {chain.id}
    at = chain
    while at.parent is not None and at.parent in by_id:
        if at.parent in seen:
            raise ValueError(f"chains: {chain.id!r} is its own ancestor")
        seen.add(at.parent)
        at = by_id[at.parent]


def nearest(word: str, known: list[str]) -> str:
    """ "; did you mean 'every'?" for a misspelt word, else the known words if they are few, else nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""


def find_file() -> Path | None:
    """gizzi.toml here, else in the user's configuration folder, else in the system's."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    for folder in (Path.cwd(), Path(home) / "gizzi", Path("/etc/gizzi")):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def state_folder() -> Path:
    """Where what must outlast a restart lies, for the account that runs."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "gizzi"


def load(file: Path | str | None = None, *, need_fleet: bool = False) -> Settings:
    """Read the settings. Without a file the defaults stand, unless `need_fleet`.

    Raises ConfigError, which names the file and the key.
    """
    path = Path(file) if file is not None else find_file()
    raw = _read_toml(path) if path is not None else {}
    if path is not None:
        _anchor(raw, path)
    _override(raw, os.environ)
    settings = parse(raw, str(path or "defaults and environment"))
    if path is not None:
        settings = settings.model_copy(update={"file": path.resolve()})
    if need_fleet and not settings.validators and settings.prometheus.url is None:
        where = f"{path} lists no validators" if path else f"there is no {FILE_NAME} here"
        raise ConfigError(f"{where}; write one with `gizzi init`, or name one with --config FILE")
    return settings


def from_environment() -> Settings:
    """The defaults and the environment, without any file: for the demo, which must not meet a fleet that is configured here."""
    raw: dict[str, Any] = {}
    _override(raw, os.environ)
    return parse(raw, "the environment")


def parse(raw: Mapping[str, Any], origin: str) -> Settings:
    """Turn plain data into settings. `origin` is what an error calls the file."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {explain(error, Settings)}") from None


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a validation, a misspelt key before what it left missing, as one line that names the key and the nearest known."""
    first, *more = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")  # a misspelt key is missing too
    place = first["loc"]
    key = _key_text(place)
    if first["type"] == "extra_forbidden":
        text = f"unknown key {key}{nearest(str(place[-1]), _known_keys(model, place[:-1]))}"
    elif first["type"] == "missing":
        text = f"{key} is missing"
    else:
        message = first["msg"].removeprefix("Value error, ")
        text = f"{key}: {message}" if key else message
    return text + (f" (and {len(more)} more)" if more else "")


def _key_text(place: tuple[int | str, ...]) -> str:
    """("collect", "every") -> "[collect] every"; ("validators", 2, "number") -> "[[validators]] #3 number"."""
    if not place:
        return ""
    words = [str(part) for part in place]
    if len(place) > 1 and isinstance(place[1], int):
        return f"[[{words[0]}]] #{place[1] + 1} {'.'.join(words[2:])}".strip()
    if len(place) > 1 and words[0] in _NAMED:
        name = words[1] if words[1].replace("-", "").replace("_", "").isalnum() else f'"{words[1]}"'
        return f"[{words[0]}.{name}] {'.'.join(words[2:])}".strip()
    return f"[{words[0]}] {'.'.join(words[1:])}" if len(place) > 1 else words[0]


def _known_keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    for at, part in enumerate(place):
        if isinstance(part, int) or (at == 1 and place[0] in _NAMED):
            continue
        field = model.model_fields.get(part)
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        inner = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return [f.alias or name for name, f in model.model_fields.items() if not f.exclude]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; write one with `gizzi init`, or name another with --config FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def _anchor(raw: dict[str, Any], path: Path) -> None:
    """Make the file's relative paths relative to the file, so that every process meets in the same store."""
    folder = path.resolve().parent
    store = raw.get("store")
    if isinstance(store, dict):
        url = store.setdefault("url", "sqlite:///gizzi.db")
    else:
        url = raw.setdefault("store", {"url": "sqlite:///gizzi.db"}).get("url") if store is None else None
    if isinstance(url, str) and url.startswith("sqlite:///") and not url.startswith("sqlite:////") and url != "sqlite:///:memory:":
        raw["store"]["url"] = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    for section, key, usual in (("plugins", "folder", "plugins"), ("routing", "learned", "router.json")):
        found = raw.setdefault(section, {})
        if isinstance(found, dict):
            found[key] = str(folder / str(found.get(key, usual)))


def _override(raw: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        if not name.startswith("GIZZI_") or "__" not in name:
            continue
        *sections, key = [part.lower() for part in name.removeprefix("GIZZI_").split("__")]
        at = raw
        for section in sections:
            at = at.setdefault(section, {})
            if not isinstance(at, dict):
                raise ConfigError(f"the environment variable {name}: {section!r} is not a table of {FILE_NAME}")
        if sections[0] not in Settings.model_fields:
            hint = nearest(sections[0], list(Settings.model_fields))
            raise ConfigError(f"the environment variable {name} names no key of {FILE_NAME}{hint}")
        at[key] = _toml_value(environment[name])


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def forget_approvers(settings: Settings) -> list[str]:
    """Take every approver's token out of this process's environment, so that nothing it starts or serves can use one; their names."""
    names = [settings.api.token_env, *(token.token_env for token in settings.api.tokens if token.role == "approver")]
    return [name for name in dict.fromkeys(names) if os.environ.pop(name, None)]


def service_manager() -> tuple[str | None, float | None]:
    """The socket on which systemd wants to hear of this process, and every how many seconds at least; None where it does not.

    Both are taken out of the environment, so that nothing this process starts can speak for it.
    """
    address, watchdog, pid = (os.environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
    ours = watchdog.isdigit() and int(watchdog) > 0 and pid in ("", str(os.getpid()))
    return address or None, int(watchdog) / 1e6 if ours else None


def inside_coding_agent() -> bool:
    """True in the shell of a coding agent, where nobody may approve."""
    return bool(os.environ.get("CLAUDECODE"))


def environment_for_program(*names: str) -> dict[str, str]:
    """What a program that we start may know of our environment: the variables of those names, where they are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def overrides() -> dict[str, str]:
    """The variables that override keys of the file, for another process of ours that reads the same file."""
    return {name: value for name, value in os.environ.items() if name.startswith("GIZZI_") and "__" in name}


def is_terminal() -> bool:
    """True where a person reads standard output and may type an answer."""
    return sys.stdout.isatty() and sys.stdin.isatty()

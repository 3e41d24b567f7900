"""What commands share: settings, spans of time, who asks."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gizzi.clock import LiveClock, seconds
from gizzi.config import Settings, load
from gizzi.engine.desk import Desk
from gizzi.engine.known import store_exists
from gizzi.errors import ConfigError, UsageError
from gizzi.store import Store, open_store


def settings_of(config: Path | None, *, need_fleet: bool = False) -> Settings:
    """Raises ConfigError."""
    return load(config, need_fleet=need_fleet)


def span_s(text: str, option: str = "--for") -> float:
    """Raises UsageError, which names the option."""
    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def who() -> str:
    """The operating system's account, which no variable can claim to be another."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def settings_to_write_to(config: Path | None) -> Settings:
    """Raises ConfigError where neither a file nor a store is here: what is said in the wrong folder would reach nobody."""
    settings = settings_of(config)
    if settings.file is None and not store_exists(settings.store.url):
        raise ConfigError("there is no gizzi.toml here, nor a store; say it where the daemon runs, or name its file with --config FILE")
    return settings


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Store, Desk]]:
    """The store and the desk on it."""
    store = open_store(settings.store.url)
    try:
        yield store, Desk(store, LiveClock())
    finally:
        store.close()


__all__ = ["opened", "settings_of", "settings_to_write_to", "span_s", "store_exists", "who"]

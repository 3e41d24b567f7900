"""Writes the first gizzi.toml: from a list of addresses, from a Prometheus server, or as a page to fill in."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gizzi.cli.validator_ips import read_validator_ips
from gizzi.config import FILE_NAME, Settings, Validator, parse
from gizzi.engine.discover import discover
from gizzi.errors import ConfigError
from gizzi.reach.http import HttpClient

QUERY_TIMEOUT_S = 30.0
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_KEYS = ("number", "name", "chain", "host", "metrics_url", "rpc_url", "authority", "role", "labels")

_HEAD = """\
# Gizzi's configuration. Every key has a default; only the validators, or a Prometheus server, must be here.
"""
_NETWORK = """
[network]
name = "my network"                                             # as pages and messages show it
"""
_PROMETHEUS = """
# All metrics are read from this server, by a few queries for the whole fleet.
[prometheus]
url = {url}
"""
_CHAIN = """
[[chains]]
id = {id}
block_time_s = 6
# parent = "relay-chain"                                        # of a side chain: the id of its relay chain
"""
_STARTER = """
# One [[validators]] for each node. Take the # away and fill in the addresses.
#
# [[validators]]
# number = 1
# name = "validator-1"
# chain = "main"
# host = "validator-1.example"                                  # for SSH
# metrics_url = "http://validator-1.example:9615/metrics"
# rpc_url = "http://validator-1.example:9944"
# unit = "polkadot"                                             # its systemd unit: for logs and restarts

# Or read the whole fleet from a Prometheus server that scrapes it; then no validators need to be listed.
#
# [prometheus]
# url = "http://localhost:9090"
"""
_TAIL = """
# Logs, and the state of units and hosts, are read over SSH.
#
# [ssh]
# user = "ubuntu"
# key_file = "~/.ssh/gizzi-validator"
"""


def write_config(
    file: Path | None = None, *, validator_ips: Path | None = None, prometheus: str | None = None, force: bool = False
) -> list[str]:
    """Write the file (gizzi.toml here where None is given) and return the lines that say what to do next.

    With `validator_ips` the validators are those of that file; else, with `prometheus`, those among that server's targets.
    Raises ConfigError, also where the file exists and `force` is not set; SourceError where the server cannot be read.
    """
    file = file or Path(FILE_NAME)
    _require_free(file, force)
    if prometheus is not None:
        parse({"prometheus": {"url": prometheus}}, "--prometheus")
    validators: Sequence[Validator] = ()
    if validator_ips is not None:
        validators = read_validator_ips(validator_ips)
    elif prometheus is not None:
        validators = asyncio.run(_discovered(prometheus))
    _write(file, config_text(validators, prometheus))
    return _next_steps(file, validators)


async def _discovered(url: str) -> tuple[Validator, ...]:
    http = HttpClient(QUERY_TIMEOUT_S)
    try:
        return await discover(Settings.model_validate({"prometheus": {"url": url}}), http)
    finally:
        await http.close()


def _require_free(file: Path, force: bool) -> None:
    try:
        exists = file.exists()
    except (OSError, ValueError) as error:
        raise _not_written(file, error) from None
    if exists and not force:
        raise ConfigError(f"{file} exists already; --force overwrites it, and -o FILE writes another one")


def _write(file: Path, text: str) -> None:
    """All of it or nothing: a file that stood there stays until the new one is whole."""
    try:
        half = file.with_name(f".{file.name}.{os.getpid()}")
        half.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _not_written(file, error) from None
    try:
        half.replace(file)
    except OSError as error:
        half.unlink()
        raise _not_written(file, error) from None


def _not_written(file: Path, error: OSError | ValueError) -> ConfigError:
    return ConfigError(f"{file} cannot be written: {(error.strerror if isinstance(error, OSError) else None) or error}")


def _next_steps(file: Path, validators: Sequence[Validator]) -> list[str]:
    option = "" if file == Path(FILE_NAME) else f" --config {shlex.quote(str(file))}"
    then = f"Then `gizzi doctor{option}` shows what is reachable, and `gizzi watch{option}` begins to watch."
    if not validators:
        fill_in = "Fill in [[validators]] number, metrics_url and rpc_url for each node, or [prometheus] url for all of them."
        return [f"{file} is written, without validators yet.", fill_in, then]
    count = f"{len(validators)} validator{'s' if len(validators) > 1 else ''}"
    add = "Add what nobody could tell us: each validator's unit (for logs and restarts), and [ssh] user and key_file."
    return [f"{file} is written, with {count}.", add, then]


def config_text(validators: Sequence[Validator], prometheus: str | None = None) -> str:
    """gizzi.toml for these validators; with none, and no server, a page to fill in."""
    if not validators and prometheus is None:
        return _HEAD + _NETWORK + _STARTER + _TAIL
    parts = [_HEAD, _NETWORK]
    if prometheus is not None:
        parts.append(_PROMETHEUS.format(url=toml_text(prometheus)))
    parts += [_CHAIN.format(id=toml_text(chain)) for chain in sorted({validator.chain for validator in validators})]
    parts += [_validator_text(validator) for validator in validators]
    return "".join(parts) + _TAIL


def _validator_text(validator: Validator) -> str:
    values = validator.model_dump(exclude_defaults=True)
    values |= {"number": validator.number, "name": validator.name, "chain": validator.chain}
    lines = [f"{key} = {_toml_value(values[key])}" for key in _KEYS if values.get(key) not in (None, {})]
    return "\n[[validators]]\n" + "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else toml_text(str(value))


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else toml_text(key)


def toml_text(text: str) -> str:
    """As a TOML basic string, whatever it holds; half a surrogate pair, which is no character, becomes U+FFFD."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    return char if char.isprintable() else f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"

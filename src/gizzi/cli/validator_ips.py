"""Reads the list of addresses that a network already has: {"validators": [{"number", "name", "ip", "aiDevId"}]}."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gizzi.config import Validator
from gizzi.errors import ConfigError
from gizzi.readers.text import one_line

_MOST_BYTES = 10_000_000
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_SHAPE = 'it should be {"validators": [{"number": 1, "name": "…", "ip": "…", "aiDevId": "…"}]}'


def read_validator_ips(file: Path) -> list[Validator]:
    """Its validators, by number, with the usual ports of a node. Raises ConfigError, which names the file and the entry."""
    entries = _entries(file)
    validators: dict[int, Validator] = {}
    hosts: dict[str, int] = {}
    for position, entry in enumerate(entries, 1):
        place = f"{file}: validators #{position}"
        validator = _from_entry(entry, place)
        host = validator.host or ""
        if validator.number in validators:
            raise ConfigError(f"{place}: the number {validator.number} is used twice; each validator needs its own")
        if host.lower() in hosts:
            raise ConfigError(f"{place}: {host} is also the ip of number {hosts[host.lower()]}; each validator needs its own address")
        validators[validator.number] = validator
        hosts[host.lower()] = validator.number
    return [validators[number] for number in sorted(validators)]


def _entries(file: Path) -> list[Any]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from None
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{file} is larger than {_MOST_BYTES // 1_000_000} MB; {_SHAPE}")
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} is not JSON; {_SHAPE}") from None
    entries = data.get("validators") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise ConfigError(f"{file} has no list of validators; {_SHAPE}")
    if not entries:
        raise ConfigError(f"{file}: its list of validators is empty")
    return entries


def _from_entry(entry: Any, place: str) -> Validator:
    if not isinstance(entry, dict):
        raise ConfigError(f"{place} is not an object with number, name, ip and aiDevId")
    number, host = _number(entry.get("number"), place), _host(entry.get("ip"), place)
    in_url = f"[{host}]" if ":" in host else host
    return Validator.model_validate(
        {
            "number": number,
            "name": _optional(entry, "name", place),
            "host": host,
            "metrics_url": f"http://{in_url}:9615/metrics",
            "rpc_url": f"http://{in_url}:9944",
            "role": _optional(entry, "aiDevId", place) or None,
        }
    )


def _number(value: Any, place: str) -> int:
    if value is None:
        raise ConfigError(f"{place}: number is missing")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if type(value) is not int or not 0 <= value < 10**9:
        raise ConfigError(f"{place}: number {_shown(value)} is not a whole number from 0")
    return value


def _host(value: Any, place: str) -> str:
    if value is None:
        raise ConfigError(f"{place}: ip is missing")
    name = value.strip() if isinstance(value, str) else ""
    try:
        return str(ipaddress.ip_address("" if "%" in name else name))
    except ValueError:
        if _HOST_NAME.fullmatch(name) and not name.replace(".", "").isdigit():
            return name
    raise ConfigError(f"{place}: ip {_shown(value)} is neither an IP address nor a host's name")


def _optional(entry: Mapping[str, Any], key: str, place: str) -> str:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{place}: {key} {_shown(value)} is not a text")
    return value or ""


def _shown(value: Any) -> str:
    return one_line(repr(value), 60)

"""The sections of gizzi.toml, frozen. Field descriptions are the reference's text; durations like "5s" are seconds (`_s`) here."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from gizzi.clock import seconds
from gizzi.readers.rows import HttpUrl
from gizzi.readers.ss58 import public_key

Severity = Literal["low", "medium", "high", "critical"]
Duration = Annotated[float, BeforeValidator(seconds)]
Usd = Annotated[Decimal, Field(ge=0)]


def _authority_id(value: Any) -> Any:
    if isinstance(value, str):
        key = public_key(value)
        if key is None:
            raise ValueError(f"{value!r} is not a public key; write 0x and 64 hexadecimal digits, or its SS58 address")
        return key
    return value


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


class Network(Section):
    name: str = Field("network", description="The network's name, as pages and messages show it.")


class Chain(Section):
    id: str = Field(description="The chain's id; validators name it.")
    parent: str | None = Field(None, description="The relay chain of a side chain: its trouble explains ours.")
    block_time_s: float = Field(6.0, gt=0, le=3600, description="Expected seconds between blocks.")
    authorities: int | None = Field(None, ge=1, le=100_000, description="How many authorities vote, where no node says (RPC closed).")


class Validator(Section):
    number: int = Field(ge=0, le=2_147_483_647, description="The number people call it by; unique.")
    name: str = Field("", description="Its name; `validator-N` where none is given.")
    chain: str = Field("main", description="The chain it validates.")
    host: str | None = Field(None, description="Its address for SSH.")
    metrics_url: HttpUrl | None = Field(None, description="The node's Prometheus page, usually port 9615.")
    rpc_url: HttpUrl | None = Field(None, description="The node's JSON-RPC over HTTP, usually port 9944.")
    node_exporter_url: HttpUrl | None = Field(None, description="node_exporter's page on its host, usually port 9100.")
    unit: str = Field("", description="The systemd unit that runs the node; needed for logs and restarts.")
    authority: bool = Field(True, description="It holds session keys and should vote.")
    authority_id: Annotated[str | None, BeforeValidator(_authority_id)] = Field(
        None, description="Its GRANDPA public key (0x… or SS58): shows a second signer, and who is missing."
    )
    standby_hosts: tuple[str, ...] | None = Field(
        None, description="Hosts that could sign with the same keys; [] says there are none; leave it out where nobody knows."
    )
    role: str | None = Field(None, description="The role that looks after it.")
    data_dir: str = Field("/", description="Where its database lies; the file system whose free space counts.")
    labels: dict[str, str] = Field(default_factory=dict, description="Anything else: cloud, region, owner.")

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("name") and "number" in data:
            return {**data, "name": f"validator-{data['number']}"}
        return data


class Prometheus(Section):
    url: HttpUrl | None = Field(None, description="A Prometheus server (or any PromQL engine) to read the whole fleet from.")
    chain_label: str = Field("chain", description="The label that names the chain of a discovered target.")
    match: str = Field("substrate_block_height", description="The metric by which validators are discovered among its targets.")


class Collect(Section):
    every_s: Duration = Field(5.0, alias="every", ge=0.2, description="How often each validator is polled.")
    timeout_s: Duration = Field(3.0, alias="timeout", gt=0, description="How long one answer may take.")
    host_every_s: Duration = Field(30.0, alias="host_every", ge=0.2, description="How often a host's disk, memory, unit and log are read.")


class Ssh(Section):
    user: str | None = Field(None, description="The account on validators' hosts; without it nothing is read over SSH.")
    port: int = Field(22, ge=1, le=65535, description="The port of sshd.")
    key_file: str | None = Field(None, description="The private key.")
    known_hosts: str = Field("~/.ssh/known_hosts", description="The host keys that are trusted; any other key is refused.")
    manager: Literal["systemctl", "systemctl --user", "docker"] = Field(
        "systemctl", description="What runs the unit; with docker, `unit` is the container's name."
    )
    timeout_s: Duration = Field(10.0, alias="timeout", gt=0, description="How long one command may take.")


class Tiers(Section):
    local: tuple[str, ...] = Field((), description="Models of the local tier, best first.")
    standard: tuple[str, ...] = Field((), description="Models of the standard tier, best first.")
    frontier: tuple[str, ...] = Field((), description="Models of the frontier tier, best first.")


class Budget(Section):
    day_usd: Decimal = Field(Decimal(5), ge=0, description="US$ a day for models.")
    month_usd: Decimal = Field(Decimal(45), ge=0, description="US$ a month for models.")
    critical_share: Decimal = Field(Decimal("0.2"), ge=0, le=1, description="The part of either that only critical work may spend.")
    tiers: dict[Literal["local", "standard", "frontier"], Usd] = Field(
        default_factory=dict, description="US$ a day for one tier: [budget.tiers] frontier = 3."
    )
    roles: dict[str, Usd] = Field(default_factory=dict, description="US$ a day for one role: [budget.roles] security = 1.")


class Cache(Section):
    ttl_s: Duration = Field(3600.0, alias="ttl", description="How long an answer may be given again; 0s turns the cache off.")
    entries: int = Field(10_000, ge=1, le=1_000_000, description="How many answers are kept.")
    near: bool = Field(True, description="Also answer a question in other filler words from the cache.")


class Privacy(Section):
    redact_private_addresses: bool = Field(False, description="Hide private IP addresses from cloud models; the answer has them again.")


class Routing(Section):
    strategies: tuple[str, ...] = Field(("rules",), description="Who has a say in which model answers; the first with an opinion wins.")
    quality: float = Field(
        0.95, ge=0, le=1, description="The part of the best model's right answers that `learned` keeps; less is cheaper."
    )
    learned: str = Field("router.json", description="What `gizzi learn train` writes and `learned` reads; relative to this file.")
    unknown_prices: bool = Field(False, description="Also choose models whose price nobody knows; else only --model does.")


class Policy(Section):
    mode: Literal["suggest", "auto"] = Field("suggest", description="suggest asks before every write; auto acts where allowed.")
    reserve: int = Field(2, ge=0, description="Authorities kept in hand below what finality can lose.")
    cooldown_s: Duration = Field(3600.0, alias="cooldown", description="How long after a restart the next one asks a person.")
    verify_after_s: Duration = Field(120.0, alias="verify_after", description="How long after an action its effect is judged.")
    approval_ttl_s: Duration = Field(1800.0, alias="approval_ttl", description="How long an approval may be given and used.")
    attempts_per_day: int = Field(3, ge=1, description="So many restarts of one validator in 24 hours; the next one asks a person.")
    second_try: bool = Field(False, description="Try an action a second time where the first did not help.")


class Upgrade(Section):
    command: tuple[str, ...] = Field(
        (),
        description='Puts a version of the node on a host, as a list: ["sudo", "-n", "/usr/local/bin/upgrade-node", "{version}"].',
    )
    session_s: Duration = Field(
        14400.0, alias="session", gt=0, description="How long a session of the chain lasts: each upgraded validator must vote for so long."
    )

    @field_validator("command")
    @classmethod
    def _version_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and sum("{version}" in word for word in value) != 1:
            raise ValueError('one word of the command must hold {version}, such as "{version}" alone')
        if value and "{version}" in value[0]:
            raise ValueError("the command's first word is the program; {version} belongs into a later one")
        return value


_CHANNEL = re.compile(r"[a-z][a-z0-9.]*(\+[a-z]+)?://\S+", re.IGNORECASE)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _channel(value: Any) -> Any:
    if isinstance(value, str) and not _CHANNEL.fullmatch(value):
        raise ValueError("a channel is an address such as slack://…, pagerduty://KEY or webhook+https://HOST/PATH")
    return value


def _http(value: Any) -> Any:
    if isinstance(value, str) and not value.lower().startswith(("http://", "https://")):
        raise ValueError("write an address that begins with https:// or http://")
    return value


def _time_zone(value: str) -> str:
    if value == "UTC":  # which is known even where no time zones are installed
        return value
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone this machine knows; write one such as Europe/Berlin, or UTC") from None
    return value


ChannelUrl = Annotated[SecretStr, BeforeValidator(_channel)]
"""The address of a channel. Most hold a token, so none is ever printed."""


class Route(Section):
    severity: Severity = Field("medium", description="Incidents of this severity and worse.")
    hours: str = Field("", description='Only at these hours, such as "22:00-07:00", in [notify] timezone; always where none are given.')
    after_s: Duration = Field(
        0.0, alias="after", description="Only once nobody has acknowledged an incident for so long: the next person to call."
    )
    urls: tuple[ChannelUrl, ...] = Field(min_length=1, description="Who is told: channels, written like [notify] urls.")

    @field_validator("hours")
    @classmethod
    def _hours(cls, value: str) -> str:
        if value and not _HOURS.fullmatch(value):
            raise ValueError(f'{value!r} are not hours; write them like "22:00-07:00"')
        return value


class Notify(Section):
    urls: tuple[ChannelUrl, ...] = Field(
        (),
        description="Channels for every incident of medium severity and worse: Apprise addresses, pagerduty://, opsgenie://, webhook+https://.",
    )
    routes: tuple[Route, ...] = Field((), description="More channels, by severity and hour, and whom to call next: [[notify.routes]].")
    timezone: Annotated[str, AfterValidator(_time_zone)] = Field("UTC", description="The time zone of the routes' hours.")
    group_s: Duration = Field(10.0, alias="group", le=600, description="How long news is collected before it is told as one message.")
    remind: dict[Severity, Duration] = Field(
        {"critical": 900.0, "high": 3600.0},
        description="When an open incident that nobody has acknowledged is told again, by severity; then after twice as long, and so on.",
    )
    dead_man_url: Annotated[SecretStr | None, BeforeValidator(_http)] = Field(
        None, description="Asked (GET) again and again while Gizzi is well; whoever listens there raises the alarm when it ceases."
    )
    dead_man_every_s: Duration = Field(60.0, alias="dead_man_every", ge=1, description="How often that is.")


class ApiToken(Section):
    name: str = Field(description="Whose token it is.")
    role: Literal["viewer", "reporter", "approver"] = Field(
        "viewer", description="viewer reads; reporter, such as an Alertmanager, posts alerts too; approver may say yes."
    )
    token_env: str = Field(description="The environment variable or systemd credential that holds it.")


class Api(Section):
    listen: str = Field("127.0.0.1:8080", description="Where the daemon listens; beyond loopback only with a token.")
    token_env: str = Field("GIZZI_API_TOKEN", description="The variable or systemd credential that holds the operator's token.")
    public_status: bool = Field(False, description="Opens GET /api/network/status, and nothing else, to everybody.")
    tokens: tuple[ApiToken, ...] = Field((), description="Tokens of more people than one.")


class Telemetry(Section):
    otlp_endpoint: HttpUrl | None = Field(
        None, description="Where traces are sent by OTLP over HTTP, such as http://localhost:4318; none are made where it is not set."
    )


class Store(Section):
    url: str = Field("sqlite:///gizzi.db", description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.")


class Plugins(Section):
    folder: str = Field("plugins", description="Every .py file here is loaded, test_*.py apart; relative to this file.")

"""A plugin folder adds one of each kind without touching any file of ours."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gizzi import registry
from gizzi.config import Settings, Validator, parse
from gizzi.engine.watch import Watch
from gizzi.errors import ConfigError, NotFound, SourceError
from gizzi.reach import Reach
from gizzi.store import open_store


def settings_with(folder: Path, **more: object) -> Settings:
    validator = {"number": 6, "name": "a", "metrics_url": None}
    return parse({"plugins": {"folder": str(folder)}, "validators": [validator], **more}, "test")


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(textwrap.dedent(text))


class Nothing:
    """No way to reach anything."""

    async def metrics(self, *_: object) -> object:
        raise SourceError("refused", "nothing here")

    rpc = metrics


class StandingClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, duration_s: float) -> None:
        self.at += duration_s


def watch_of(settings: Settings) -> Watch:
    reach = Reach(Nothing(), None, Nothing())  # type: ignore[arg-type]
    return Watch(settings, registry.load(settings), settings.validators, reach, StandingClock(), open_store("sqlite://"))


PLUGIN = """
    from gizzi import rule, source

    @source("thermometer", every="1s", gives=("temperature_c",))
    async def thermometer(validator):
        return {"temperature_c": 91.5}

    @source("plain", every="1s")
    def plain(validator, memory):
        memory["calls"] = memory.get("calls", 0) + 1
        return {"calls": memory["calls"]}

    @rule("too_hot", severity="high", hold="0s", needs=("temperature_c",))
    def too_hot(v, fleet, *, above=80):
        if v.temperature_c is not None and v.temperature_c > above:
            return f"{v.temperature_c} degrees"
"""


async def test_a_source_and_a_rule_from_the_plugins_folder_raise_an_incident(tmp_path: Path) -> None:
    write(tmp_path, "hot.py", PLUGIN)
    settings = settings_with(tmp_path)
    watch = watch_of(settings)
    await watch.collector.once()
    changes = await watch.step()
    assert [(c.kind, c.incident.rule, c.incident.validators) for c in changes] == [("opened", "too_hot", (6,))]
    assert next(iter(changes[0].incident.alerts.values())).evidence == (("6/temperature_c", "temperature_c = 91.5"),)
    await watch.collector.once()
    await watch.step()
    assert watch.fleet.view(6, 0).calls == 2, "a plain function runs too, and its memory lasts"


async def test_its_threshold_is_a_configuration_key(tmp_path: Path) -> None:
    write(tmp_path, "hot.py", PLUGIN)
    settings = settings_with(tmp_path, rules={"too_hot": {"above": 95, "hold": "5m", "severity": "low"}})
    rule = registry.load(settings).rules["too_hot"]
    assert (rule.limits, rule.hold_s, rule.severity) == ({"above": 95}, 300, "low")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"to_hot": {}}, ["too_hot"]),
        ({"too_hot": {"abov": 3}}, ["abov", "did you mean 'above'"]),
        ({"too_hot": {"above": "much"}}, ["above", "much"]),
        ({"too_hot": {"hold": "soon"}}, ["hold", "not a duration"]),
        ({"too_hot": {"severity": "awful"}}, ["severity", "awful"]),
    ],
)
def test_a_wrong_rule_key_is_named(tmp_path: Path, rules: dict[str, object], words: list[str]) -> None:
    write(tmp_path, "hot.py", PLUGIN)
    with pytest.raises(ConfigError) as caught:
        registry.load(settings_with(tmp_path, rules=rules))
    for word in words:
        assert word in str(caught.value)


def test_a_rule_can_be_turned_off(tmp_path: Path) -> None:
    write(tmp_path, "hot.py", PLUGIN)
    loaded = registry.load(settings_with(tmp_path, rules={"too_hot": {"enabled": False}}))
    assert loaded.rules["too_hot"].scope == "off"


def test_a_plugin_that_fails_is_reported_and_skipped(tmp_path: Path) -> None:
    write(tmp_path, "broken.py", "1 / 0")
    write(tmp_path, "hot.py", PLUGIN)
    loaded = registry.load(settings_with(tmp_path))
    assert "too_hot" in loaded.rules
    assert [(Path(f.where).name, f.error) for f in loaded.failures] == [("broken.py", "ZeroDivisionError: division by zero")]


def test_a_name_taken_twice_says_where_the_first_lives(tmp_path: Path) -> None:
    write(tmp_path, "hot.py", PLUGIN)
    write(tmp_path, "hotter.py", PLUGIN)
    with pytest.raises(ConfigError, match=r"already defined in .*hot\.py:\d+"):
        registry.load(settings_with(tmp_path))


def test_a_source_that_asks_for_something_unknown_is_told(tmp_path: Path) -> None:
    write(tmp_path, "odd.py", "from gizzi import source\n\n@source('odd')\nasync def odd(validator, teapot):\n    return {}\n")
    settings = settings_with(tmp_path)
    with pytest.raises(ConfigError, match=r"'odd'.*asks for 'teapot'"):
        watch_of(settings)


async def test_a_source_that_raises_is_an_observation_of_failure(tmp_path: Path) -> None:
    bad = "from gizzi import source\n\n@source('bad', every='1s')\nasync def bad(validator):\n    raise KeyError('x')\n"
    write(tmp_path, "bad.py", bad)
    settings = settings_with(tmp_path)
    watch = watch_of(settings)
    await watch.collector.once()
    await watch.step()
    view = watch.fleet.view(6, 0)
    assert view.bad_up is False
    assert view.failure("bad") == "internal"


def test_an_unknown_name_names_the_nearest(tmp_path: Path) -> None:
    loaded = registry.load(settings_with(tmp_path))
    with pytest.raises(NotFound, match="did you mean 'peers_low'"):
        loaded.rules["peers_lo"]


def test_loading_validators_does_not_need_urls() -> None:
    assert Validator(number=1).name == "validator-1"

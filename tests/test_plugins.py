"""A plugin folder adds one of each kind without touching any file of ours."""

from __future__ import annotations

import textwrap
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from gizzi import registry
from gizzi.app import open_app
from gizzi.config import Settings, Validator, parse
from gizzi.engine.watch import Watch
from gizzi.errors import ConfigError, GizziError, NotFound, SourceError, UsageError
from gizzi.models.merge import catalogue_of
from gizzi.models.router import Router
from gizzi.reach import Reach
from gizzi.store import open_store
from tools.loopback import reply
from tools.providers import provider


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


@pytest.mark.parametrize("said", ["True", "v.temperature_c > 80", "['hot']", "Finding('hot', validators=6)"])
async def test_a_rule_that_returns_something_else_is_dead_and_never_an_alert(tmp_path: Path, said: str) -> None:
    write(tmp_path, "hot.py", PLUGIN)
    odd = f"from gizzi import Finding, rule\n\n@rule('odd', hold='0s', needs=('temperature_c',))\ndef odd(v, fleet):\n    return {said}\n"
    write(tmp_path, "odd.py", odd)
    watch = watch_of(settings_with(tmp_path))
    await watch.collector.once()
    opened = {change.incident.rule: change.text for change in await watch.step() if change.kind == "opened"}
    assert "odd" not in opened and opened["too_hot"].endswith("91.5 degrees"), "the other rules go on"
    assert "odd (TypeError: " in opened["rule_dead"]


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


WIRE = """
    from gizzi import wire
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.usage import RequestUsage

    @wire("telegraph")
    def telegraph(provider, model, key, http):
        async def ask(messages, info):
            words = " ".join(str(part.content) for message in messages for part in message.parts)
            got = await http.post(f"{provider.url}/cables", json={"to": model.name, "words": words}, headers={"x-key": key})
            got.raise_for_status()
            said = got.json()
            usage = RequestUsage(input_tokens=said["sent"], output_tokens=said["came"])
            return ModelResponse([TextPart(said["reply"])], usage=usage)
        return FunctionModel(ask)
"""
ROWS = """
    [providers.office]
    api = "telegraph"
    url = "{url}"
    key_env = "OFFICE_KEY"
    [models."office/morse-1"]
    tier = "standard"
    price = {{ input = 1, output = 2, checked = 2026-11-01 }}
"""


async def test_a_provider_with_a_wire_of_its_own_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE_KEY", "stop-1234")
    write(tmp_path, "telegraph.py", WIRE)
    cable = reply(b'{"reply": "WELL STOP", "sent": 9, "came": 2}', content_type="application/json")
    async with provider(cable, reply(b"<html>", content_type="text/html")) as fake:
        write(tmp_path, "office.toml", ROWS.format(url=fake.url))
        more = {
            "tiers": {"standard": ["office/morse-1"]},
            "providers": {"ollama": {"url": "http://127.0.0.1:9"}},
            "store": {"url": "sqlite://"},
        }
        async with Router(settings_with(tmp_path, **more)) as router:
            answer = await router.ask("What is the capital of France?")
            with pytest.raises(GizziError, match=r"office/morse-1: what .* answered is not what its wire says"):
                await router.ask("And of Italy?")
            with pytest.raises(GizziError, match="office/morse-1"):  # it cannot stream, and its row does not say so
                async with router.stream("And of Spain?"):
                    pass
    assert (answer.model, answer.response, answer.cost_usd) == ("office/morse-1", "WELL STOP", Decimal("0.000013"))
    assert "x-key: stop-1234" in fake.heads[0].lower() and fake.asked[0]["to"] == "morse-1"


def test_an_api_that_no_plugin_brings_is_named(tmp_path: Path) -> None:
    write(tmp_path, "office.toml", ROWS.format(url="http://127.0.0.1:9"))
    settings = settings_with(tmp_path)
    with pytest.raises(ConfigError, match=r"office\.toml: \[providers\.office\] api: nothing here speaks 'telegraph'"):
        catalogue_of(settings, registry.load(settings), date(2026, 11, 20))


@pytest.mark.parametrize(
    "plugin",
    [
        "def bad(provider, model): ...",
        "async def bad(provider, model, key, http): ...",
        "def bad(provider, model, key, http, more): ...",
    ],
)
def test_a_wire_of_another_shape_is_told(tmp_path: Path, plugin: str) -> None:
    write(tmp_path, "bad.py", f"from gizzi import wire\n\n@wire('bad')\n{plugin}\n")
    assert "must be a plain function of (provider, model, key, http)" in registry.load(settings_with(tmp_path)).failures[0].error


async def test_a_wire_may_ask_for_the_settings(tmp_path: Path) -> None:
    plugin = """
    from gizzi import wire

    @wire("telegraph")
    def telegraph(provider, model, key, http, settings):
        from pydantic_ai.models.test import TestModel

        return TestModel(custom_output_text=f"From {settings.network.name}.")
    """
    write(tmp_path, "telegraph.py", plugin)
    write(tmp_path, "office.toml", ROWS.format(url="http://127.0.0.1:9").replace('    key_env = "OFFICE_KEY"\n', ""))
    more = {"tiers": {"standard": ["office/morse-1"]}, "store": {"url": "sqlite://"}, "network": {"name": "Testnet"}}
    async with Router(settings_with(tmp_path, **more)) as router:
        assert (await router.ask("What is the capital of France?")).response == "From Testnet."


async def test_a_wire_that_cannot_be_made_says_where_it_lives(tmp_path: Path) -> None:
    write(
        tmp_path,
        "telegraph.py",
        "from gizzi import wire\n\n@wire('telegraph')\ndef bad(provider, model, key, http):\n    raise RuntimeError('no pole')\n",
    )
    write(tmp_path, "office.toml", ROWS.format(url="http://127.0.0.1:9").replace('    key_env = "OFFICE_KEY"\n', ""))
    more = {"tiers": {"standard": ["office/morse-1"]}, "store": {"url": "sqlite://"}}
    async with Router(settings_with(tmp_path, **more)) as router:
        with pytest.raises(
            ConfigError, match=r"the wire 'telegraph' in .*telegraph\.py:\d+ failed for office/morse-1: RuntimeError: no pole"
        ):
            await router.ask("What is the capital of France?")


PANEL = """
    from gizzi import panel

    @panel("rewards", title="Rewards this era")
    def rewards(fleet, store):
        "What each validator has earned."
        return [{"validator": v["name"], "open incidents": len(store.incidents)} for v in fleet.validators]

    @panel("heat")
    async def heat(clock):
        return [(clock.now() - 60, 20.5), (clock.now(), 21)]
"""


async def test_a_panel_is_shown_with_the_built_in_ones(tmp_path: Path) -> None:
    write(tmp_path, "rewards.py", PANEL)
    async with open_app(settings_with(tmp_path, store={"url": "sqlite://"})) as app:
        shown = {panel["name"]: panel for panel in await app.panels.shown()}
    assert {"quorum", "spend", "memory", "actions_today"} < shown.keys()
    rewards, heat = shown["rewards"], shown["heat"]
    assert (rewards["title"], rewards["summary"], rewards["error"]) == ("Rewards this era", "What each validator has earned.", None)
    assert rewards["value"] == {"columns": ["validator", "open incidents"], "rows": [["a", 0]]}
    assert (heat["title"], heat["kind"], [value for _, value in heat["value"]]) == ("Heat", "series", [20.5, 21])


def test_a_panel_that_asks_for_something_unknown_is_told(tmp_path: Path) -> None:
    write(tmp_path, "odd.py", "from gizzi import panel\n\n@panel('odd')\ndef odd(teapot): ...\n")
    assert "'odd'" in registry.load(settings_with(tmp_path)).failures[0].error
    assert "asks for 'teapot'; it gets fleet, store, clock, settings" in registry.load(settings_with(tmp_path)).failures[0].error


TASKS = """
    from gizzi import SourceError, task

    @task("faulty")
    async def faulty(scene):
        return 1 / 0

    @task("plain_faulty")
    def plain_faulty(scene):
        return {}["x"]

    @task("endless_words")
    def endless_words(scene):
        yield "not an item"

    @task("refused")
    def refused(scene):
        raise SourceError("refused", "nobody is there")
"""


async def test_a_task_with_a_fault_is_told_and_ends_nothing(tmp_path: Path) -> None:
    write(tmp_path, "tasks.py", TASKS)
    names = ["faulty", "plain_faulty", "endless_words", "refused"]
    (tmp_path / "roles").mkdir()
    lines = "".join(f"  {name}: Try.\n" for name in names)
    (tmp_path / "roles" / "mine.md").write_text(f"---\nname: mine\ndescription: Tries.\ntasks:\n{lines}---\nYou try.\n")
    async with open_app(settings_with(tmp_path, store={"url": "sqlite://"})) as app:
        told = {name: (await app.roles.run("mine", name)).items for name in names}
        with pytest.raises(UsageError, match="no option below; it has: none"):
            await app.roles.run("mine", "faulty", options={"below": "3"})
    assert all(len(items) == 1 and items[0].severity == "medium" for items in told.values())
    said = {name: items[0].text for name, items in told.items()}
    assert "tasks.py:4 failed: ZeroDivisionError: division by zero" in said["faulty"]
    assert "failed: KeyError: 'x'" in said["plain_faulty"]
    assert "must return a list of ReportItem, or a text" in said["endless_words"]
    assert said["refused"] == "refused could not be done: nobody is there"

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gizzi.config import load, parse
from gizzi.errors import ConfigError, UsageError
from gizzi.models.merge import load_catalogue
from tools.catalogue import TODAY, catalogue_of, settings_of

ACME: dict[str, Any] = {"acme": {"api": "openai", "url": "https://api.acme.example/v1", "key_env": "ACME_API_KEY"}}
FAST: dict[str, Any] = {"acme/fast-1": {"tier": "standard", "price": {"input": 0.10, "output": 0.40, "checked": date(2026, 11, 1)}}}


def test_the_shipped_rows_stand() -> None:
    rows = catalogue_of()
    assert set(rows.providers) == {"ollama", "openai", "anthropic", "google", "mistral", "claude-code"}
    prices = {
        "ollama/llama3.1:8b": (0, 0, None),
        "openai/gpt-4-turbo": (10, 30, date(2026, 10, 23)),
        "openai/gpt-4": (30, 60, date(2026, 10, 23)),
        "anthropic/claude-sonnet-4": (3, 15, date(2026, 6, 15)),
    }
    for name, (input_usd, output_usd, retired) in prices.items():
        model = rows.models[name]
        assert model.price is not None and model.price.checked == date(2025, 10, 31)
        assert (model.price.input, model.price.output, model.retired) == (input_usd, output_usd, retired), name
    assert rows.models["openai/gpt-5"].retired == date(2026, 12, 11)
    assert rows.models["openai/gpt-4.1"].retired == date(2027, 1, 14)


def test_every_shipped_model_has_a_price_and_the_tiers_only_name_living_ones() -> None:
    rows = catalogue_of()
    for model in rows.models.values():
        assert model.price is not None and model.price.checked is not None, model.id
    for tier, names in rows.tiers.items():
        assert names, tier
        for name in names:
            assert rows.models[name].retired is None and rows.models[name].tier == tier
    assert all(name in rows.models for name in rows.reference.values())


def test_a_row_in_the_format_of_the_design(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text(
        """
[providers.acme]                      # a model: a row (gizzi.toml, or a file in the plugins folder)
api = "openai"                        # or "anthropic", "google", "mistral", "ollama", or a plugin's name
url = "https://api.acme.example/v1"
key_env = "ACME_API_KEY"
[models."acme/fast-1"]
tier = "standard"
price = { input = 0.10, output = 0.40, checked = 2026-11-01 }   # US$ per million tokens
"""
    )
    rows = load_catalogue(load(tmp_path / "gizzi.toml"), today=TODAY)
    model = rows.models["acme/fast-1"]
    assert model.price is not None
    assert (model.price.input, model.price.output, model.price.checked) == (Decimal("0.1"), Decimal("0.4"), date(2026, 11, 1))
    assert (model.price.source, model.name, model.where) == ("gizzi.toml", "fast-1", str(tmp_path / "gizzi.toml"))
    assert rows.tiers["standard"][0] == "acme/fast-1", "a person's own models go before the shipped ones"


def test_later_rows_override_earlier_ones_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('[models."acme/fast-1"]\ncontext_tokens = 5000\n[models."openai/gpt-6-luna"]\nretired = 2026-11-01\n')
    (tmp_path / "a.toml").write_text('[models."acme/fast-1"]\ncontext_tokens = 4000\ntier = "local"\n')
    packages = [("entry point x", {"models": {"acme/fast-1": {"price": {"input": 7, "output": 8}}}})]
    settings = parse({"plugins": {"folder": str(tmp_path)}, "providers": ACME, "models": FAST}, "gizzi.toml")
    rows = load_catalogue(settings, packages, today=TODAY)
    model = rows.models["acme/fast-1"]
    assert model.price is not None
    assert (model.tier, model.context_tokens, model.price.input, model.price.source) == ("local", 5000, Decimal(7), "plugin")
    luna = rows.models["openai/gpt-6-luna"]
    assert luna.retired == date(2026, 11, 1) and luna.price is not None, "what a row does not say stays as it was"
    assert "acme/fast-1" in rows.tiers["local"] and "acme/fast-1" not in rows.tiers["standard"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"models": {"acm/fast": {"tier": "local"}}, "providers": ACME},
            ['[models."acm/fast"]', "no provider 'acm'", "did you mean 'acme'"],
        ),
        ({"models": {"openai/new": {"tier": "standart"}}}, ['[models."openai/new"] tier', "did you mean 'standard'"]),
        (
            {"models": {"openai/new": {"price": {"input": -1, "output": 2}}}},
            ['[models."openai/new"] price.input', "greater than or equal to 0"],
        ),
        ({"models": {"openai/new": {"price": {"input": float("nan"), "output": 2}}}}, ["price.input", "finite"]),
        ({"models": {"openai/new": {"price": {"input": float("inf"), "output": 2}}}}, ["price.input", "finite"]),
        ({"models": {"openai/new": {"price": {"input": 1e300, "output": 2}}}}, ["price.input", "less than"]),
        ({"models": {"openai/new": {"price": {"input": True, "output": 2}}}}, ["price.input"]),
        ({"models": {"openai/new": {"price": {"input": 1}}}}, ["price.output is missing"]),
        ({"models": {"openai/new": {"price": {"inptu": 1, "output": 2}}}}, ["inptu", "did you mean 'input'"]),
        ({"models": {"openai/new": {"price": 3}}}, ['[models."openai/new"] price']),
        ({"models": {"openai/new": {"teir": "local"}}}, ["teir", "did you mean 'tier'"]),
        ({"models": {"openai/new": {}}}, ['[models."openai/new"] tier is missing']),
        ({"models": {"fast-1": {"tier": "local"}}}, ["[models.", "PROVIDER/NAME"]),
        ({"models": {"openai/": {"tier": "local"}}}, ["PROVIDER/NAME"]),
        ({"models": {"openai/new": {"tier": "local", "capabilities": ["image"]}}}, ["capabilities"]),
        ({"models": {"openai/new": {"tier": "local", "base": "openai/gpt-6.1-tera"}}}, ["base", "openai/gpt-6.1-terra"]),
        ({"providers": {"acme": {"api": "openai"}}}, ["[providers.acme] url is missing"]),
        ({"providers": {"acme": {"url": "https://x.example"}}}, ["[providers.acme] api is missing"]),
        ({"providers": {"acme": {"api": "opnai", "url": "https://x.example"}}}, ["[providers.acme] api", "did you mean 'openai'"]),
        ({"providers": {"acme": {"api": "openai", "url": "x.example"}}}, ["[providers.acme] url", "http"]),
        ({"providers": {"acme": {"api": "openai", "url": "https://x.example", "key": "sk-1"}}}, ["key", "did you mean 'key_env'"]),
        ({"tiers": {"standard": ["openai/gpt-6.1-tera"]}}, ["[tiers] standard", "openai/gpt-6.1-terra"]),
        ({"tiers": {"standard": ["opnai/gpt-6.1-terra"]}}, ["[tiers] standard", "did you mean 'openai'"]),
    ],
)
def test_a_wrong_row_is_named(raw: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        catalogue_of(**raw)
    for word in ["gizzi.toml" if "Input" in str(caught.value) else "", *words]:
        assert word in str(caught.value)
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models", ["is not valid TOML"]),
        ('[models."openai/x"]\ntier = "fronteer"', ['[models."openai/x"] tier', "did you mean 'frontier'"]),
        ("[tiers]\nlocal = []", ["unknown key tiers"]),
        ("\udcff", ["cannot be read"]),
    ],
)
def test_a_wrong_plugin_file_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "models.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        load_catalogue(parse({"plugins": {"folder": str(tmp_path)}}, "gizzi.toml"), today=TODAY)
    for word in [str(file), *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("rows", [None, [], {"modls": {}}, {"models": 3}, {"models": {"x/y": None}}])
def test_a_package_that_brings_nonsense_is_named(rows: Any) -> None:
    with pytest.raises(ConfigError, match="entry point x"):
        catalogue_of([("entry point x", rows)])


def test_tiers_order_and_restrict_what_is_shipped() -> None:
    tiers = {"standard": ["mistral/mistral-small-2603", "openai/gpt-4-turbo"], "local": ["ollama/qwen3:8b"]}
    rows = catalogue_of(tiers=tiers, providers=ACME, models=FAST)
    assert rows.tiers["standard"] == ("mistral/mistral-small-2603", "openai/gpt-4-turbo", "acme/fast-1")
    assert rows.tiers["local"] == ("ollama/qwen3:8b",)
    assert rows.tiers["frontier"] == catalogue_of().tiers["frontier"]
    assert rows.models["ollama/qwen3:8b"].price is not None, "an Ollama's models need no row"


def test_a_model_may_serve_two_tiers() -> None:
    rows = catalogue_of(tiers={"standard": ["openai/gpt-6.1-sol"], "frontier": ["openai/gpt-6.1-sol"]})
    assert "openai/gpt-6.1-sol" in rows.tiers["standard"] and "openai/gpt-6.1-sol" in rows.tiers["frontier"]


def test_a_price_that_nobody_knows_stays_unknown() -> None:
    rows = catalogue_of(providers=ACME, models={"acme/new": {"tier": "local"}, "openai/gpt-9-imaginary": {"tier": "local"}})
    assert rows.models["acme/new"].price is None and rows.models["openai/gpt-9-imaginary"].price is None
    shown = {row["model"]: row for row in rows.as_json(lambda _: None, TODAY)}
    assert shown["acme/new"]["price"] is None and shown["acme/new"]["checked"] is None


def test_a_gateway_in_a_providers_place_does_not_borrow_its_prices() -> None:
    rows = catalogue_of(providers={"openai": {"url": "http://127.0.0.1:4000/v1"}})
    assert rows.models["openai/gpt-6.1-terra"].price is None
    assert rows.providers["openai"].key_env == "OPENAI_API_KEY"


def test_a_fine_tuned_model_shares_its_bases_abilities_and_the_price_that_a_person_gave_it() -> None:
    models = {
        "acme/base": {"tier": "standard", "context_tokens": 9000, "capabilities": ["json"], "price": {"input": 1, "output": 2}},
        "acme/tuned": {"tier": "standard", "base": "acme/base"},
        "acme/dearer": {"tier": "standard", "base": "acme/base", "price": {"input": 3, "output": 4}, "capabilities": ["tools"]},
        "other/tuned": {"tier": "standard", "base": "acme/base"},
        "openai/ft:luna": {"tier": "standard", "base": "openai/gpt-6-luna"},
    }
    rows = catalogue_of(providers=ACME | {"other": {"api": "openai", "url": "https://other.example/v1"}}, models=models).models
    tuned, dearer, luna = rows["acme/tuned"], rows["acme/dearer"], rows["openai/ft:luna"]
    assert (tuned.context_tokens, tuned.capabilities) == (9000, frozenset({"json"}))
    assert tuned.price is not None and (tuned.price.input, tuned.price.output) == (1, 2)
    assert dearer.price is not None and dearer.price.output == 4 and dearer.capabilities == frozenset({"tools"})
    assert rows["other/tuned"].price is None, "another provider, another price"
    assert luna.context_tokens == rows["openai/gpt-6-luna"].context_tokens
    assert rows["openai/gpt-6-luna"].price is not None and luna.price is None, "clouds ask more for tuned models: nobody knows"


@pytest.mark.parametrize(
    ("row", "local"),
    [
        ({"url": "http://127.0.0.1:11434"}, True),
        ({"url": "http://[::1]:11434"}, True),
        ({"url": "http://10.1.2.3:11434"}, True),
        ({"url": "http://gpu-box:11434"}, True),
        ({"url": "https://ollama.com"}, False),
        ({"url": "http://8.8.8.8:11434"}, False),
        ({"url": "https://ollama.com", "local": True}, True),
        ({"url": "http://127.0.0.1:11434", "local": False}, False),
    ],
)
def test_what_is_local(row: dict[str, Any], local: bool) -> None:
    rows = catalogue_of(providers={"ollama": row})
    assert rows.providers["ollama"].local is local
    assert (rows.models["ollama/llama3.1:8b"].price is not None) is True


def test_only_a_near_ollama_is_local_by_itself() -> None:
    rows = catalogue_of(providers={"vllm": {"api": "openai", "url": "http://127.0.0.1:8000/v1"}}, tiers={"local": ["vllm/qwen"]})
    assert not rows.providers["vllm"].local, "a gateway on this machine may send everything on"
    assert rows.models["vllm/qwen"].price is None
    own = catalogue_of(
        providers={"vllm": {"api": "openai", "url": "http://127.0.0.1:8000/v1", "local": True}}, tiers={"local": ["vllm/qwen"]}
    )
    price = own.models["vllm/qwen"].price
    assert price is not None and price.input == 0, "nobody bills for one's own machines"


def test_a_new_address_is_not_local_because_the_old_one_was(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[providers.mine]\nurl = "https://far.example/v1"\n')
    mine = {"mine": {"api": "openai", "url": "http://127.0.0.1:8000/v1", "local": True}}
    rows = load_catalogue(parse({"plugins": {"folder": str(tmp_path)}, "providers": mine}, "gizzi.toml"), today=TODAY)
    assert not rows.providers["mine"].local


def test_what_ollama_passes_on_is_not_free() -> None:
    rows = catalogue_of(tiers={"local": ["ollama/gpt-oss:120b-cloud", "ollama/qwen3:8b"]})
    assert rows.models["ollama/gpt-oss:120b-cloud"].price is None
    assert rows.models["ollama/qwen3:8b"].price is not None


def test_a_key_makes_a_provider_reachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "MISTRAL_API_KEY").write_text("m\n")
    (tmp_path / "key").write_text("k")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "o")
    settings = settings_of(providers={"anthropic": {"key_file": str(tmp_path / "key")}})
    rows = load_catalogue(settings, today=TODAY)
    reach = rows.reachability(settings, lambda name: name == "openai/gpt-6-luna")
    told = {name: reach(model) for name, model in rows.models.items()}
    assert told["openai/gpt-6.1-terra"] is None and told["mistral/mistral-small-2603"] is None and told["anthropic/claude-opus-5-5"] is None
    assert told["google/gemini-3.8-flash"] == "no key: set GEMINI_API_KEY"
    assert told["openai/gpt-6-luna"] == "its circuit breaker is open"
    assert told["ollama/llama3.1:8b"] is None, "the local tier needs no key"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-6-luna", "openai/gpt-6-luna"),
        ("gpt-6-luna", "openai/gpt-6-luna"),
        ("claude-sonnet-4-20250514", "anthropic/claude-sonnet-4"),
    ],
)
def test_a_model_is_found_by_its_id_or_its_name(name: str, found: str) -> None:
    assert catalogue_of().find(name).id == found


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-6.1-tera", "did you mean openai/gpt-6.1-terra"),
        ("antropic/claude-opus-5-5", "did you mean anthropic/claude-opus-5-5"),
        ("opus", "did you mean anthropic/claude-opus-5-5"),
        ("zzz", "`gizzi models` lists them"),
        ("x" * 100_000, "`gizzi models` lists them"),
    ],
)
def test_an_unknown_model_names_the_nearest(name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue_of().find(name)
    assert says in str(caught.value) and len(str(caught.value)) < 1000

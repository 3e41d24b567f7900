from __future__ import annotations

from pathlib import Path

import pytest

from gizzi.config import Settings, load, parse
from gizzi.errors import ConfigError

FLEET = """
[network]
name = "Ëtrid"
[[chains]]
id = "flare"
[[chains]]
id = "btc-pbc"
parent = "flare"
[[validators]]
number = 6
name = "runtime-dev01-a"
chain = "flare"
host = "validator-6.example"
metrics_url = "http://validator-6.example:9615/metrics"
rpc_url = "http://validator-6.example:9944"
unit = "flare-node"
authority = true
role = "runtime-dev01"
labels = { cloud = "azure" }
[prometheus]
url = "http://localhost:9090"
[collect]
every = "5s"
timeout = "3s"
[ssh]
user = "ubuntu"
key_file = "~/.ssh/gizzi-validator"
known_hosts = "~/.ssh/known_hosts"
[tiers]
local = ["ollama/llama3.1:8b"]
[budget]
day_usd = 5
month_usd = 45
[policy]
mode = "suggest"
reserve = 2
cooldown = "1h"
verify_after = "120s"
approval_ttl = "30m"
[notify]
urls = ["slack://a"]
[api]
listen = "127.0.0.1:8080"
token_env = "GIZZI_API_TOKEN"
public_status = false
[[api.tokens]]
name = "ada"
role = "approver"
token_env = "ADA_TOKEN"
[store]
url = "sqlite:///gizzi.db"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "gizzi.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_documented_file_loads(tmp_path: Path) -> None:
    settings = load(write(tmp_path, FLEET), need_fleet=True)
    assert settings.network.name == "Ëtrid"
    assert settings.validators[0].labels == {"cloud": "azure"}
    assert settings.policy.cooldown_s == 3600
    assert settings.store.url == f"sqlite:///{tmp_path}/gizzi.db", "the store lies beside the file, wherever the command is run"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[collect]\nevry = '5s'", ["[collect] evry", "did you mean 'every'"]),
        ("[colect]\nevery = '5s'", ["colect", "did you mean 'collect'"]),
        ("[[validators]]\nnumber = 1\nmetrics = 'x'", ["[[validators]] #1 metrics", "metrics_url"]),
        ("[[validators]]\nnumber = 3\n[[validators]]\nnumber = 3", ["number 3 is used twice"]),
        ("[[validators]]\nname = 'a'", ["#1 number is missing"]),
        ("[[validators]]\nnumber = 1\nmetrics_url = 'validator:9615'", ["metrics_url", "http://"]),
        ("[collect]\nevery = '5 parsecs'", ["[collect] every", "not a duration"]),
        ("[policy]\nmode = 'yolo'", ["[policy] mode", "suggest", "auto"]),
        ("[[chains]]\nid = 'a'\nparent = 'b'", ["'a' has the parent 'b'"]),
        ("[[chains]]\nid = 'a'\nparent = 'b'\n[[chains]]\nid = 'b'\nparent = 'a'", ["own ancestor"]),
        ("[[chains]]\nid = 'flare'\n[[validators]]\nnumber = 1\nchain = 'flair'", ["flair", "did you mean 'flare'"]),
        ("[network\nname = 1", ["not valid TOML"]),
        ("store = 3", ["store"]),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file_and_the_key(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    message = str(caught.value)
    assert "gizzi.toml" in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist; write one with `gizzi init`"):
        load(tmp_path / "gizzi.toml")


def test_no_file_means_defaults_but_no_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load() == Settings()
    with pytest.raises(ConfigError, match="gizzi init"):
        load(need_fleet=True)


def test_the_environment_overrides_any_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_STORE__URL", "sqlite:///other.db")
    monkeypatch.setenv("GIZZI_BUDGET__DAY_USD", "7")
    monkeypatch.setenv("GIZZI_NOTIFY__URLS", '["a://b"]')
    monkeypatch.setenv("GIZZI_REAL", "1")
    settings = load(write(tmp_path, FLEET))
    assert settings.store.url == "sqlite:///other.db"
    assert settings.budget.day_usd == 7
    assert [url.get_secret_value() for url in settings.notify.urls] == ["a://b"]


@pytest.mark.parametrize("name", ["GIZZI_STOR__URL", "GIZZI_NETWORK__NAME__X"])
def test_an_unknown_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=name):
        load(write(tmp_path, FLEET))


def test_secrets_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", "hunter2")
    secret = Settings().secret("GIZZI_API_TOKEN")
    assert secret is not None
    assert "hunter2" not in f"{secret} {secret!r}"
    monkeypatch.delenv("GIZZI_API_TOKEN")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "GIZZI_API_TOKEN").write_text("from systemd\n")
    found = Settings().secret("GIZZI_API_TOKEN")
    assert found is not None
    assert found.get_secret_value() == "from systemd"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        parse({}, "x").network.name = "other"  # type: ignore[misc]

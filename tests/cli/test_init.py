from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.cli import init
from gizzi.cli.init import config_text, toml_text, write_config
from gizzi.cli.validator_ips import read_validator_ips
from gizzi.config import Settings, Validator, load
from gizzi.errors import ConfigError, SourceError

SIX = {"number": 6, "name": "runtime-dev01-a", "ip": "10.0.0.6", "aiDevId": "runtime-dev01"}


def ips(tmp_path: Path, *entries: Any) -> Path:
    file = tmp_path / "validator-ips.json"
    file.write_text(json.dumps({"validators": list(entries)}), encoding="utf-8")
    return file


def test_from_a_list_of_addresses(tmp_path: Path) -> None:
    seven = {"number": 7, "name": 'Ëtrid “7” \\ "x" 🏆\n', "ip": "2001:db8::7"}
    file = tmp_path / "gizzi.toml"
    steps = write_config(file, validator_ips=ips(tmp_path, seven, SIX))
    settings = load(file, need_fleet=True)
    assert settings.validators == (
        Validator(
            number=6,
            name="runtime-dev01-a",
            host="10.0.0.6",
            metrics_url="http://10.0.0.6:9615/metrics",
            rpc_url="http://10.0.0.6:9944",
            role="runtime-dev01",
        ),
        Validator(
            number=7,
            name=str(seven["name"]),
            host="2001:db8::7",
            metrics_url="http://[2001:db8::7]:9615/metrics",
            rpc_url="http://[2001:db8::7]:9944",
        ),
    )
    assert len(steps) == 3
    assert "2 validators" in steps[0]
    assert all("\n" not in step for step in steps)


def test_a_name_and_a_number_as_text_will_do(tmp_path: Path) -> None:
    (only,) = read_validator_ips(ips(tmp_path, {"number": "06", "ip": " validator-6.example "}))
    assert (only.number, only.name, only.host, only.role) == (6, "validator-6", "validator-6.example", None)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([SIX, {"ip": "10.0.0.7"}], "validators #2: number is missing"),
        ([{**SIX, "number": True}], "validators #1: number True is not a whole number"),
        ([{**SIX, "number": 6.5}], "validators #1: number 6.5 is not"),
        ([{**SIX, "number": -1}], "validators #1: number -1 is not"),
        ([{**SIX, "number": "six\n"}], "validators #1: number 'six\\n' is not"),
        ([SIX, {**SIX, "ip": "10.0.0.7"}], "validators #2: the number 6 is used twice"),
        ([SIX, {**SIX, "number": 7}], "validators #2: 10.0.0.6 is also the ip of number 6"),
        ([{"number": 6}], "validators #1: ip is missing"),
        ([{**SIX, "ip": "10.0.0.999"}], "validators #1: ip '10.0.0.999' is neither"),
        ([{**SIX, "ip": "10.0.0"}], "validators #1: ip '10.0.0' is neither"),
        ([{**SIX, "ip": "fe80::1%eth0"}], "validators #1: ip 'fe80::1%eth0' is neither"),
        ([{**SIX, "ip": "http://10.0.0.6"}], "validators #1: ip 'http://10.0.0.6' is neither"),
        ([{**SIX, "ip": "a b"}], "validators #1: ip 'a b' is neither"),
        ([{**SIX, "ip": "-a.example"}], "validators #1: ip '-a.example' is neither"),
        ([{**SIX, "ip": ""}], "validators #1: ip '' is neither"),
        ([{**SIX, "ip": 6}], "validators #1: ip 6 is neither"),
        ([{**SIX, "name": 6}], "validators #1: name 6 is not a text"),
        ([{**SIX, "aiDevId": []}], "validators #1: aiDevId [] is not a text"),
        ([7], "validators #1 is not an object"),
        ([], "its list of validators is empty"),
    ],
)
def test_a_bad_entry_is_one_line_that_names_file_and_entry(tmp_path: Path, entries: list[Any], says: str) -> None:
    source = ips(tmp_path, *entries)
    with pytest.raises(ConfigError) as raised:
        write_config(tmp_path / "gizzi.toml", validator_ips=source)
    assert str(raised.value).startswith(str(source))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "gizzi.toml").exists()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"validators": 9' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[]", "has no list of validators"),
        (b'{"validators": {}}', "has no list of validators"),
        (b" " * 10_000_001, "is larger than 10 MB"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, raw: bytes, says: str) -> None:
    source = tmp_path / "ips.json"
    source.write_bytes(raw)
    with pytest.raises(ConfigError, match=says) as raised:
        read_validator_ips(source)
    assert str(raised.value).startswith(str(source))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.json cannot be read: No such file or directory"):
        write_config(tmp_path / "gizzi.toml", validator_ips=tmp_path / "nothing.json")


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    file = ips(tmp_path, SIX)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(read_validator_ips(file)) == 1


def test_without_anything_it_is_a_page_to_fill_in(tmp_path: Path) -> None:
    file = tmp_path / "gizzi.toml"
    steps = write_config(file)
    assert load(file).validators == ()
    with pytest.raises(ConfigError, match="lists no validators"):
        load(file, need_fleet=True)
    filled_in = "".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in file.read_text().splitlines(True)
    )
    file.write_text(filled_in)
    settings = load(file, need_fleet=True)
    assert [v.number for v in settings.validators] == [1]
    assert settings.prometheus.url == "http://localhost:9090"
    assert settings.ssh.user == "ubuntu"
    assert "[[validators]]" in steps[1]
    assert f"--config {file}" in steps[2]


def test_a_file_that_is_there_stays_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "gizzi.toml"
    file.write_text("mine")
    with pytest.raises(ConfigError, match=r"gizzi\.toml exists already; --force overwrites it"):
        write_config(file)
    assert file.read_text() == "mine"
    write_config(file, force=True)
    assert file.read_text().startswith("# Gizzi's configuration")
    assert [found.name for found in tmp_path.iterdir()] == ["gizzi.toml"]


@pytest.mark.parametrize("name", ["no/such/folder/gizzi.toml", "file/gizzi.toml", "x" * 300, "folder", "nul\0"])
def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_config(tmp_path / name, force=True)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "folder"]


def test_it_is_gizzi_toml_here_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    steps = write_config()
    assert load(tmp_path / "gizzi.toml")
    assert "`gizzi doctor`" in steps[2]


def test_from_a_list_and_a_server(tmp_path: Path) -> None:
    """The list says who they are, the server is only written down."""
    file = tmp_path / "gizzi.toml"
    write_config(file, validator_ips=ips(tmp_path, SIX), prometheus="http://prometheus.example:9090")
    settings = load(file)
    assert [v.number for v in settings.validators] == [6]
    assert settings.prometheus.url == "http://prometheus.example:9090"


def test_from_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        Validator(number=6, name="a", chain="flare", metrics_url="http://a:9615/metrics", labels={"instance": "six", "odd key": '"'}),
        Validator(number=7, name="b", chain="btc-pbc", authority=False, host="b.example"),
    )

    async def discovered(settings: Settings, http: Any) -> tuple[Validator, ...]:
        assert settings.prometheus.url == "http://p.example:9090"
        return found

    monkeypatch.setattr(init, "discover", discovered)
    file = tmp_path / "gizzi.toml"
    write_config(file, prometheus="http://p.example:9090")
    settings = load(file)
    assert settings.validators == found
    assert [chain.id for chain in settings.chains] == ["btc-pbc", "flare"]
    assert settings.prometheus.url == "http://p.example:9090"


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path, free_port: Callable[[], int]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SourceError) as raised:
        write_config(tmp_path / "gizzi.toml", prometheus=url)
    assert str(raised.value).startswith(f"[prometheus] url {url}: no connection")
    assert not (tmp_path / "gizzi.toml").exists()


def test_an_address_that_is_none_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--prometheus: \[prometheus\] url: 'localhost:9090' is not an http"):
        write_config(tmp_path / "gizzi.toml", prometheus="localhost:9090")


@given(st.text())
def test_any_text_survives_toml(text: str) -> None:
    assert tomllib.loads(f"key = {toml_text(text)}")["key"] == text


def test_half_a_character_is_replaced() -> None:
    assert tomllib.loads(f"key = {toml_text(chr(0xD800))}")["key"] == "\ufffd"


@given(st.text(), st.text(), st.text(min_size=1), st.dictionaries(st.text(), st.text(), max_size=3))
def test_whatever_names_are_what_is_written_loads(name: str, chain: str, role: str, labels: dict[str, str]) -> None:
    validator = Validator(number=6, name=name, chain=chain, role=role, labels=labels)
    raw = tomllib.loads(config_text([validator], f"http://{name}"))
    assert Settings.model_validate(raw).validators == (validator,)

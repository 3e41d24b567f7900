from __future__ import annotations

from typing import Any

import pytest

from gizzi.cli.doctor import doctor_page
from gizzi.config import Settings, Validator, parse
from gizzi.engine.doctor import broken, next_steps
from gizzi.engine.rights import rights
from gizzi.errors import CommandFailed, SourceError
from tools.hosts import Answer, TableSsh

ONE = [Validator(number=6, host="v6.example", unit="flare")]
LISTED = "User gizzi may run the following commands on v6:\n    (root) NOPASSWD: /usr/bin/systemctl {} flare\n"
FREE = "".join(LISTED.format(verb).partition("\n")[2] for verb in ("restart", "start", "stop"))
NO = CommandFailed("no", 1, "sudo: a password is required")


def settings(**more: Any) -> Settings:
    return parse({"ssh": {"user": "gizzi"}, "policy": {"mode": "auto"}, **more}, "the test")


def table(listing: Answer = FREE, restart: Answer = "", others: Answer = "") -> TableSsh:
    return TableSsh(("sudo -n -l systemctl restart", restart), ("sudo -n -l systemctl", others), ("sudo -n -l", listing))


@pytest.mark.parametrize(
    ("ssh", "ok", "says"),
    [
        (table(), True, "may restart, start and stop"),
        (table(NO), False, "nothing without a password"),
        (table(CommandFailed("no", 127)), False, "there is no sudo"),
        (table(restart=NO), False, "`systemctl restart flare`"),
        (table(others=NO), False, "`systemctl start flare`"),
        (table(FREE.replace("NOPASSWD: ", "")), False, "without a password"),
        (table("nothing that one could read"), None, "cannot be seen"),
        (table(SourceError("host_key", "the SSH host key of v6 is unknown")), None, "could not be asked: the SSH host key"),
    ],
)
async def test_what_sudo_says(ssh: TableSsh, ok: bool | None, says: str) -> None:
    (found,) = await rights(settings(), ONE, ssh)
    assert found["ok"] is ok and says in found["text"]
    assert found["sudoers"].startswith("gizzi ALL=(root) NOPASSWD: /usr/bin/systemctl restart flare, ")
    assert {tuple(command[:3]) for command in ssh.asked} == {("sudo", "-n", "-l")}, "it only ever lists"


async def test_hosts_that_serve_several_chains_need_one_line() -> None:
    both = [*ONE, Validator(number=7, host="v6.example", unit="btc"), Validator(number=8, host="v8.example"), Validator(number=9, unit="x")]
    (found,) = await rights(settings(), both, table(NO))
    assert found["validators"] == [6, 7] and found["sudoers"].count("systemctl stop") == 2


async def test_where_no_sudo_is_needed_none_is_asked() -> None:
    for manager in ("systemctl --user", "docker"):
        assert await rights(settings(ssh={"user": "gizzi", "manager": manager}), ONE, TableSsh()) == []
    assert await rights(settings(), ONE, None) == []


async def test_a_missing_right_is_a_fault_only_where_nobody_would_restart_by_hand() -> None:
    (auto,) = await rights(settings(), ONE, table(NO))
    (suggest,) = await rights(settings(policy={}), ONE, table(NO))
    assert (auto["ok"], suggest["ok"]) == (False, None)
    report = {"house": {"ssh": {"ok": True, "text": ""}}, "validators": [], "rules": {"all": 1, "dead": []}, "plugins": []}
    assert broken({**report, "rights": [auto]}) == ["on v6.example: sudo lets it run nothing without a password"]
    assert broken({**report, "rights": [suggest]}) == []
    for found in (auto, suggest):
        assert any("/etc/sudoers.d/gizzi on v6.example" in step for step in next_steps({**report, "rights": [found]}))


async def test_the_page_shows_the_whole_line(capsys: pytest.CaptureFixture[str]) -> None:
    units = [Validator(number=n, host="v6.example", unit=f"a-unit-with-a-long-name@val{n}.service") for n in range(9)]
    found = await rights(settings(), units, table(NO))
    report = {"house": {}, "validators": [], "rules": {"all": 1, "dead": []}, "plugins": [], "rights": found, "next": []}
    from gizzi.cli.terminal import show

    show(*doctor_page(report, width=None))
    page = capsys.readouterr().out
    assert found[0]["sudoers"] in page and "Rights" in page

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers.manager import firewall_sudoers_line, sudoers_line, write_command
from gizzi.readers.sudo import passwordless
from gizzi.readers.systemd import UnreadableUnit

HEAD = r"""Matching Defaults entries for gizzi on v6:
    env_reset, mail_badpass,
    secure_path=/usr/local/sbin\:/usr/local/bin\:/usr/sbin\:/usr/bin\:/sbin\:/bin,
    use_pty

User gizzi may run the following commands on v6:
"""
RESTART = ["systemctl", "restart", "flare"]


@pytest.mark.parametrize(
    ("entries", "free"),
    [
        ("    (root) NOPASSWD: /usr/bin/systemctl restart flare, /usr/bin/systemctl\n        start flare", True),
        ("    (root) NOPASSWD: /bin/systemctl start flare, /usr/bin/systemctl\n        restart flare", True),
        ("    (ALL) NOPASSWD: ALL", True),
        ("    (ALL : ALL) NOPASSWD: ALL", True),
        ("    (root) NOPASSWD: /usr/bin/systemctl", True),
        ("    (root) NOPASSWD: /usr/bin/systemctl restart *", True),
        ("    (root) SETENV: NOPASSWD: /usr/bin/systemctl restart flare", True),
        ("    (ALL) ALL", False),
        ("    (ALL) ALL, NOPASSWD: /usr/bin/true", False),
        ("    (root) NOPASSWD: /usr/bin/true, PASSWD: /usr/bin/systemctl", False),
        ("    (ALL) NOPASSWD: ALL\n    (ALL) PASSWD: /usr/bin/systemctl restart flare", False),
        ("    (ALL) ALL\n    (root) NOPASSWD: /usr/bin/systemctl restart flare", True),
        ("    (ALL) NOPASSWD: ALL, !/usr/bin/systemctl", False),
        ("    (root) NOPASSWD: /usr/bin/systemctl restart flare2", None),
        ("    (root) NOPASSWD: /opt/bin/systemctl restart flare", None),
        ("    (root) NOPASSWD: ^/usr/bin/systemctl .*$", None),
        ("", None),
    ],
)
def test_the_last_entry_that_covers_it_decides(entries: str, free: bool | None) -> None:
    assert passwordless(f"{HEAD}{entries}\n", RESTART) is free


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert passwordless(text, RESTART) in (None, True, False)


UNITS = st.lists(st.from_regex(r"\A[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,20}\Z"), min_size=1, max_size=3)


@given(UNITS)
def test_the_line_covers_exactly_what_is_run(units: list[str]) -> None:
    """Listed as sudo lists it, it lets each command run, and no other unit's."""
    line = sudoers_line("gizzi", units)
    listing = f"{HEAD}    (root) {line.partition('(root) ')[2]}\n"
    for unit in units:
        for verb in ("restart", "start", "stop"):
            assert passwordless(listing, write_command("systemctl", verb, unit)[2:]) is True
        assert passwordless(listing, ["systemctl", "enable", unit]) is None
    assert passwordless(listing, ["systemctl", "restart", "another-unit-of-22-letters"]) is None


def test_the_lines_as_people_read_them() -> None:
    assert sudoers_line("gizzi", ["flare", "flare"]) == (
        "gizzi ALL=(root) NOPASSWD: /usr/bin/systemctl restart flare, /usr/bin/systemctl start flare, /usr/bin/systemctl stop flare"
    )
    assert r"restart a\:b" in sudoers_line("gizzi", ["a:b"])
    assert 'iptables-save ""' in firewall_sudoers_line("gizzi"), "without arguments: with them it could run programs"
    for unit in ("a, /bin/sh", "*", "a\nroot ALL=(ALL) ALL", "!x", ""):
        with pytest.raises(UnreadableUnit):
            sudoers_line("gizzi", [unit])


def test_only_three_verbs_are_commands() -> None:
    for verb in ("kill", "mask", "", "restart; reboot"):
        with pytest.raises(ValueError, match="is none of"):
            write_command("systemctl", verb, "flare")

"""Role files: what they may say, and the error for what they may not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.config import Settings, parse
from gizzi.errors import ConfigError, NotFound
from gizzi.roles.load import ON_CALL, TOOLS, load_roles, read_role, role_named, with_budgets

WHOLE = """---
# a comment
name: disk-watch
description: "Looks at disks: all of them"
tier: local            # cheap
tools: [status, 'logs']
validators:
  - 6
  - 7
schedule: every 6h
budget_usd: 0.50
metadata:
  author: ops
tasks:
  check: Say which disk is full first.
  plan: "What to do: now"
---

You look after disks.

---
Even below a line.
"""


def changed(**keys: str) -> str:
    """The file with these lines instead."""
    lines = WHOLE.splitlines()
    for key, line in keys.items():
        at = next(i for i, old in enumerate(lines) if old.startswith(f"{key}:"))
        end = next(i for i in range(at + 1, len(lines)) if not lines[i].startswith(" "))
        lines[at:end] = [line] if line else []
    return "\n".join(lines)


def settings(folder: Path) -> Settings:
    return parse({"plugins": {"folder": str(folder)}}, "test")


def test_everything_a_role_can_say() -> None:
    role = read_role(WHOLE, "disk.md")
    assert (role.name, role.description, role.tier) == ("disk-watch", "Looks at disks: all of them", "local")
    assert (role.tools, role.validators, role.schedule, role.every_s) == (("status", "logs"), (6, 7), "every 6h", 6 * 3600)
    assert (role.budget_usd, dict(role.tasks)) == (
        Decimal("0.50"),
        {"check": "Say which disk is full first.", "plan": "What to do: now"},
    )
    assert role.persona == "You look after disks.\n\n---\nEven below a line."


def test_name_description_and_a_body_are_enough() -> None:
    role = read_role("---\nname: a\ndescription: b\n---\nc", "a.md")
    assert (role.tier, role.tools, role.validators, role.schedule, role.budget_usd, role.tasks) == ("auto", TOOLS, None, "", None, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a", ["line 1", "---"]),
        ("---\nname: a\n", ["ends the keys"]),
        ("---\nname: a\ndescription: b\n---\n", ["nothing"]),
        (changed(name="name: On Call"), ["name", "'On Call'"]),
        (changed(name=""), ["name", "missing"]),
        (changed(name="name: a\nname: b"), ["line 4", "name is given twice"]),
        (changed(description="description:"), ["description", "missing"]),
        (changed(description="description: [a, b]"), ["description", "text"]),
        (changed(description=f"description: {'x' * 2000}"), ["description", "1024"]),
        (changed(tier="tier: frontir"), ["tier", "did you mean 'frontier'"]),
        (changed(tools="tools: [status, shell]"), ["tools", "'shell'"]),
        (changed(tools="tools: [status"), ["line 6", "]"]),
        (changed(validators="validators: [6, six]"), ["validators", "'six'"]),
        (changed(validators="validators: [-1]"), ["validators", "'-1'"]),
        (changed(schedule="schedule: every 1s"), ["schedule", "every 6h"]),
        (changed(schedule="schedule: sometimes"), ["schedule", "'sometimes'"]),
        (changed(budget_usd="budget_usd: NaN"), ["budget_usd", "'NaN'"]),
        (changed(budget_usd="budget_usd: -1"), ["budget_usd", "'-1'"]),
        (changed(tasks="tasks: [check]"), ["tasks", "table"]),
        (changed(tier="teir: local"), ["unknown key teir", "did you mean 'tier'"]),
        (changed(tier="tier: !!python/object"), ["line 5", "quotes"]),
        (changed(tier="tier: |"), ["line 5", "quotes"]),
        (changed(tier='tier: "local'), ["line 5", "quoted"]),
        (changed(tier="tier: local\n  more: text"), ["line 6", "already has a value"]),
        (changed(tasks="tasks:\n  - a\n  b: c"), ["line 16", "same kind"]),
        (changed(tier="what is this"), ["line 5", "key: value"]),
        ("---\n" + "x" * 70_000, ["64 KB"]),
    ],
)
def test_what_is_wrong_is_named_with_its_file(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_role(text, "roles/disk.md")
    shown = str(caught.value)
    assert shown.startswith("roles/disk.md: ") and "\n" not in shown
    assert [word for word in words if word not in shown] == []


@given(st.text(max_size=400).map(lambda body: f"---\n{body}") | st.text(max_size=200))
def test_any_text_is_a_role_or_one_plain_error(text: str) -> None:
    try:
        read_role(text, "x.md")
    except ConfigError as error:
        assert str(error).startswith("x.md: ")


def test_the_shipped_role_decides_incidents() -> None:
    roles = load_roles(settings(Path("/nonexistent")))
    role = role_named(roles, ON_CALL)
    assert role.tools == TOOLS and role.validators is None and role.schedule == "incident" and role.tier == "auto"
    for word in ("restart", "wait", "investigate", "escalate"):
        assert f"- {word}: " in role.persona
    with pytest.raises(NotFound, match="did you mean 'on-call'"):
        role_named(roles, "oncall")


def test_a_folder_adds_roles_and_replaces_shipped_ones(tmp_path: Path) -> None:
    folder = tmp_path / "roles"
    folder.mkdir()
    (folder / "disk.md").write_text(WHOLE)
    (folder / "mine.md").write_text("---\nname: on-call\ndescription: ours\n---\nOurs.")
    roles = load_roles(settings(tmp_path))
    assert {"disk-watch", "on-call"} <= set(roles) and roles["on-call"].persona == "Ours."
    (folder / "twice.md").write_text(WHOLE)
    with pytest.raises(ConfigError, match=r"twice\.md: name: the role 'disk-watch' is already defined in .*disk\.md"):
        load_roles(settings(tmp_path))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "bad.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"bad\.md cannot be read"):
        load_roles(settings(tmp_path))


def test_a_roles_budget_counts_unless_the_configuration_has_one() -> None:
    role = read_role(WHOLE, "disk.md")
    base = parse({"budget": {"roles": {"other": 2}}}, "test")
    assert with_budgets(base, {role.name: role}).budget.roles == {"disk-watch": Decimal("0.50"), "other": Decimal(2)}
    strict = parse({"budget": {"roles": {"disk-watch": 0}}}, "test")
    assert with_budgets(strict, {role.name: role}).budget.roles == {"disk-watch": Decimal(0)}

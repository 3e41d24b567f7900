from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gizzi.clock import LiveClock
from gizzi.config import Budget
from gizzi.models.ledger import Ledger
from gizzi.models.task import Usage
from gizzi.store import open_store
from tools.fleet import gizzi


async def spent(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/gizzi.db")
    ledger = Ledger(store, Budget(), LiveClock())
    for model, tier, usd in (("acme/one", "standard", "0.0123456789"), ("acme/best", "frontier", "0.5"), ("acme/new", "standard", None)):
        cost = None if usd is None else Decimal(usd)
        given: dict[str, Any] = {"model": model, "tier": tier, "role": "dev", "kind": "health", "critical": False}
        made = await ledger.reserve(estimate_usd=cost, **given)
        await ledger.settle(made, Usage(1000, 100), cost, "answered")
    store.close()


async def test_costs(tmp_path: Path) -> None:
    await spent(tmp_path)
    ended = await gizzi("costs", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert lines[0].endswith(": $0.52 + unknown for 3 calls")
    assert "acme/best $0.50 1 1000 100" in lines
    assert "acme/new unknown 1 1000 100 1 of unknown cost" in lines
    assert "today $4.49 left of $5.00" in lines
    assert any(line.startswith("forecast $") for line in lines)
    assert any(line.startswith("always frontier $") for line in lines)


@pytest.mark.parametrize("by", ["model", "tier", "role", "kind", "day"])
async def test_costs_as_json(tmp_path: Path, by: str) -> None:
    await spent(tmp_path)
    ended = await gizzi("costs", "--by", by, "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["total"]["cost_usd"] == "0.5123456789"
    assert sum(row["calls"] for row in found["rows"]) == 3
    assert all(by in row for row in found["rows"])


async def test_without_a_store_nothing_was_spent_and_nothing_is_made(tmp_path: Path) -> None:
    ended = await gizzi("costs", "--json", cwd=tmp_path)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["total"]["calls"] == 0
    assert list(tmp_path.glob("*.db")) == []  # noqa: ASYNC240


@pytest.mark.parametrize(
    ("words", "says"), [(["--by", "week"], "none of model, tier, role, kind, day"), (["--for"], "--for"), (["nonsense"], "nonsense")]
)
async def test_wrong_words(tmp_path: Path, words: list[str], says: str) -> None:
    ended = await gizzi("costs", *words, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and says in ended.stderr


async def test_a_budget_that_makes_no_sense_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text("[budget.roles]\nsecurity = -1\n", encoding="utf-8")
    ended = await gizzi("costs", cwd=tmp_path)
    assert ended.returncode == 2
    assert "[budget] roles.security" in ended.stderr


def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    asyncio.run(spent(tmp_path))
    store = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    with store._engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        ended = asyncio.run(gizzi("costs", "--json", cwd=tmp_path))
    store.close()
    assert ended.returncode == 0, ended.stderr

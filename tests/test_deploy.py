"""What lies in deploy/ fits what Gizzi exports, and Prometheus, Alertmanager and Grafana take it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import need
from tools.api import watched_api

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "gizzi.rules.yml"
BOARD = DEPLOY / "grafana" / "gizzi.json"
_METRIC = re.compile(r"\b((?:gizzi|process)_[a-z_]+)\b")


def _expressions() -> dict[str, str]:
    """Where each PromQL expression stands, and the expression."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    found = {f"rule {rule['alert']}": rule["expr"] for group in groups for rule in group["rules"]}
    board = json.loads(BOARD.read_text())
    for panel in board["panels"]:
        found |= {f"panel {panel['title']} {target['refId']}": target["expr"] for target in panel["targets"]}
    return found


async def test_every_metric_that_is_named_is_exported() -> None:
    async with watched_api() as api:
        _, page = await api.get("/metrics")
    exported: set[str] = set()
    labels: dict[str, set[str]] = {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            exported |= {name} | ({f"{name}_sum", f"{name}_count"} if kind == "summary" else set())
        elif line and not line.startswith("#"):
            labels.setdefault(re.split(r"[{ ]", line)[0], set()).update(re.findall(r'(\w+)="', line))
    expressions = _expressions()
    assert len(expressions) > 30
    missing = {(where, name) for where, expr in expressions.items() for name in _METRIC.findall(expr) if name not in exported}
    assert missing == set()
    for where, expr in expressions.items():
        for name, matchers in re.findall(r"(gizzi_\w+)\{([^}]*)\}", expr):
            asked = set(re.findall(r'(\w+)\s*(?:=|!=|=~)"', matchers)) - {"job", "instance"}
            assert asked <= labels.get(name, asked), where


def test_the_dashboard_is_whole() -> None:
    board: dict[str, Any] = json.loads(BOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) and board["title"] == "Gizzi" and board["uid"] == "gizzi"
    cells = [(x, y) for p in board["panels"] for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"]) for y in _rows(p)]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "no two panels overlap"
    assert all(target["datasource"]["uid"] == "${datasource}" for panel in board["panels"] for target in panel["targets"])


def _rows(panel: dict[str, Any]) -> range:
    return range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])


TOLD = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'up{{job="gizzi",instance="a"}}', values: '1x20 0x20'}}
      - {{series: 'gizzi_store_up{{job="gizzi",instance="a"}}', values: '1x40'}}
      - {{series: 'gizzi_actions{{job="gizzi",instance="a",action="restart",outcome="in_doubt",verdict="none"}}', values: '0x10 1x30'}}
      - {{series: 'gizzi_spend_usd{{job="gizzi",instance="a",period="day"}}', values: '1x10 4.8x30'}}
      - {{series: 'gizzi_budget_usd{{job="gizzi",instance="a",period="day"}}', values: '5x40'}}
      - {{series: 'gizzi_validators{{job="gizzi",instance="a",health="unknown"}}', values: '2x40'}}
      - {{series: 'gizzi_sources_failing{{job="gizzi",instance="a",source="rpc",kind="timeout"}}', values: '2x40'}}
      - {{series: 'gizzi_approvals_waiting{{job="gizzi",instance="a"}}', values: '1x40'}}
    promql_expr_test:
{alerts}
"""


@pytest.mark.real
async def test_prometheus_takes_the_rules_and_they_fire(tmp_path: Path) -> None:
    (promtool,) = need("promtool")
    fires = {"GizziDown": (19, 30), "GizziActionInDoubt": (9, 15), "GizziBudgetNearlySpent": (9, 20), "GizziApprovalWaits": (10, 16)}
    fires |= {"GizziBlind": (5, 20), "GizziStoreFailing": (39, 0)}
    lines = [line for name, (quiet, loud) in fires.items() for line in (_at(name, quiet, 0), *([_at(name, loud, 1)] if loud else ()))]
    (tmp_path / "tests.yml").write_text(TOLD.format(rules=json.dumps(str(RULES)), alerts="\n".join(lines)))
    checks = (
        ["check", "rules", RULES],
        ["check", "config", DEPLOY / "prometheus" / "scrape.yml"],
        ["test", "rules", tmp_path / "tests.yml"],
    )
    for words in checks:
        ended = await asyncio.to_thread(subprocess.run, [promtool, *map(str, words)], capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def _at(name: str, minute: int, firing: int) -> str:
    """That so many alerts of this name fire then."""
    samples = f"[{{labels: '{{alertname=\"{name}\"}}', value: {firing}}}]" if firing else "[]"
    expr = f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})'
    return f"      - {{eval_time: {minute}m, expr: '{expr}', exp_samples: {samples}}}"


@pytest.mark.real
async def test_alertmanager_takes_its_snippet() -> None:
    (amtool,) = need("amtool")
    file = DEPLOY / "prometheus" / "alertmanager.yml"
    ended = await asyncio.to_thread(subprocess.run, [amtool, "check-config", str(file)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr

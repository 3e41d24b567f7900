"""A package of plugins, built and installed by pip into a folder of its own, is found by its entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gizzi

PACKAGE = Path(__file__).parent / "data" / "gizzi-acme"
SRC = Path(gizzi.__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, and an empty configuration."""
    folder = tmp_path_factory.mktemp("packaged")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (folder / "gizzi.toml").write_text("[rules.acme_leaves]\nabove = 50\n")
    return folder


def asked(folder: Path, *words: str, path: list[Path]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-m", "gizzi", *words, "--config", str(folder / "gizzi.toml")]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, cwd=folder)


def told(folder: Path, *words: str) -> Any:
    done = asked(folder, *words, "--json", path=[folder / "site", SRC])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_its_rule_its_models_and_its_failure_are_listed(installed: Path) -> None:
    said = told(installed, "plugin", "list")
    rule, models = said["plugins"]
    assert (rule["kind"], rule["name"], rule["summary"]) == ("rule", "acme_leaves", "It keeps many forks of the chain.")
    assert rule["where"].startswith(str(installed / "site" / "gizzi_acme" / "rules.py"))
    assert (models["kind"], models["where"]) == ("models", "entry point acme = gizzi_acme.models:ROWS")
    (failure,) = said["failures"]
    assert failure["where"] == "entry point acme-broken = gizzi_acme.broken"
    assert failure["error"] == "RuntimeError: this module cannot be loaded"


def test_its_model_is_in_the_catalogue(installed: Path) -> None:
    rows = {row["model"]: row for row in told(installed, "models")}
    assert rows["acme/fast-1"]["tier"] == "standard"


def test_without_it_the_rule_is_unknown(installed: Path) -> None:
    done = asked(installed, "plugin", "list", path=[SRC])
    assert done.returncode == 2
    assert "unknown rule [rules.acme_leaves]" in done.stderr

from __future__ import annotations

import json
from pathlib import Path

from tools.fleet import gizzi

QUIET = 'title = "Nothing happens"\nseed = 1\nvalidators = 3\nduration_s = 60\n[expect]\nmax_incidents = {most}\n'
WANTED = 'incidents = [{ rule = "peers_low", validators = [2] }]\n'


def scenario(folder: Path, name: str, more: str = "") -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "scenario.toml").write_text(QUIET.format(most=0) + more)


async def test_a_folder_of_scenarios_runs_all(tmp_path: Path) -> None:
    scenario(tmp_path / "all", "quiet")
    scenario(tmp_path / "all", "wanting", WANTED)
    scenario(tmp_path, "alone")
    ended = await gizzi("scenario", "run", "alone", "all", "--json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(result["scenario"], result["passed"]) for result in results] == [("alone", True), ("quiet", True), ("wanting", False)]
    plain = await gizzi("scenario", "run", "all", cwd=tmp_path)
    assert plain.returncode == 1
    assert "✓ quiet" in plain.stdout and "✗ wanting" in plain.stdout and "1 of 2 passed" in plain.stdout
    assert "    the incident peers_low" in plain.stdout
    good = await gizzi("scenario", "run", "alone", cwd=tmp_path)
    assert good.returncode == 0


async def test_a_broken_scenario_is_one_line(tmp_path: Path) -> None:
    scenario(tmp_path, "bad", "max_incident = 3\n")
    ended = await gizzi("scenario", "run", "bad", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("gizzi: ") and ended.stderr.count("\n") == 1
    assert "max_incident" in ended.stderr

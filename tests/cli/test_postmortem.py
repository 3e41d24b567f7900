"""`gizzi incident ID --postmortem` over a store, as a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from gizzi.alerts.correlate import Change
from gizzi.alerts.incident import Incident
from gizzi.clock import LiveClock
from gizzi.engine import records
from gizzi.engine.act.desk import ActionDesk
from gizzi.engine.desk import Desk
from gizzi.engine.postmortem.facts import gather
from gizzi.errors import UsageError
from gizzi.store import Store, open_store
from tools.fleet import gizzi
from tools.incidents import START, alert, decision
from tools.providers import chat, provider

ENV = {**dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"), ""), "MINE_KEY": "sesame-open-1234"}


async def stored(store: Store, number: int, *, at: float = START, merged_into: int | None = None) -> None:
    one = alert(state="resolved")
    one.since, one.fired_at, one.resolved_at, one.incident = at - 15, at, at + 300, number
    incident = Incident(number, "flare", at, {one.key: one}, "resolved", at + 300, decision=decision(), merged_into=merged_into)
    change = Change(incident, at, "opened", incident.summary)
    await store.record([(records.incident_row(incident), True)], [records.alert_row(one)], [records.event_row(change)])


async def prepared(folder: Path, url: str = "http://127.0.0.1:9") -> None:
    (folder / "gizzi.toml").write_text(
        f'providers.mine = {{ api = "openai", url = "{url}", key_env = "MINE_KEY" }}\nproviders.ollama.url = "http://127.0.0.1:9"\n'
        'models."mine/m" = { tier = "standard", price = { input = 1, output = 2 } }\ntiers.standard = ["mine/m"]\n'
        'tiers.frontier = ["mine/m"]\napi.listen = "127.0.0.1:9"\nnetwork.name = "Testnet"\n'
    )
    store = open_store(f"sqlite:///{folder / 'gizzi.db'}")
    await stored(store, 1, at=START - 86_400)
    await stored(store, 2)
    store.close()


async def test_the_page_on_stdout_and_in_a_file(tmp_path: Path) -> None:
    await prepared(tmp_path)
    plain = await gizzi("incident", "inc-2", "--postmortem", cwd=tmp_path)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout.startswith("# Postmortem of inc-2: Validator 6: 1 peer; fewer than 3\n")
    assert "The same cause came once before in 30 days (inc-1)" in plain.stdout and "Nothing was carried out." in plain.stdout
    ended = await gizzi("incident", "2", "--postmortem", "--out", "p.md", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "wrote p.md\n")
    assert (tmp_path / "p.md").read_text().splitlines()[:-1] == plain.stdout.splitlines()[:-1]


async def test_a_model_may_phrase_it_but_add_no_fact(tmp_path: Path) -> None:
    true, invented = "Validator 6 had 1 peer, fewer than 3, for 5 min.", "Validator 7 lost 99 peers."
    async with provider(chat(true), chat(invented)) as fake:
        await prepared(tmp_path, fake.url)
        kept = await gizzi("incident", "2", "--postmortem", "--phrase", cwd=tmp_path, env=ENV)
        dropped = await gizzi("incident", "1", "--postmortem", "--model", "mine/m", cwd=tmp_path, env=ENV)
    assert kept.returncode == dropped.returncode == 0, kept.stderr + dropped.stderr
    assert true in kept.stdout and "Phrased by a model" in kept.stdout
    assert invented not in dropped.stdout and "was left out: it says what no fact does" in dropped.stdout
    assert "99" in dropped.stderr and "every line above is a recorded fact" in dropped.stdout


async def test_without_a_model_the_facts_stand_alone(tmp_path: Path) -> None:
    await prepared(tmp_path)
    ended = await gizzi("incident", "2", "--postmortem", "--phrase", cwd=tmp_path, env=ENV)
    assert ended.returncode == 0 and "No model phrased it" in ended.stderr and "## Cause" in ended.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["inc-9", "--postmortem"], 1, "there is no incident inc-9"),
        (["inc-2", "--out", "x"], 2, "go with --postmortem"),
        (["inc-2", "--postmortem", "--out", "no/such/folder/x"], 2, "--out no/such/folder/x"),
        (["inc-2", "--postmortem", "--model", "mine/unheard"], 2, "unheard"),
    ],
)
async def test_what_cannot_be_written(tmp_path: Path, words: list[str], code: int, says: str) -> None:
    await prepared(tmp_path)
    ended = await gizzi("incident", *words, cwd=tmp_path, env=ENV)
    assert says in ended.stderr and "Traceback" not in ended.stderr and ended.stdout == "" and ended.returncode == code, ended.stderr


async def test_one_that_was_merged_says_where_to_look() -> None:
    store = open_store("sqlite://")
    await stored(store, 1)
    await stored(store, 2, merged_into=1)
    with pytest.raises(UsageError, match="inc-2 turned out to be part of inc-1"):
        await gather(Desk(store, LiveClock()), ActionDesk(store, LiveClock()), LiveClock(), "net", "inc-2")

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import insert

from gizzi.store import open_store
from gizzi.store.tell_schema import outbox
from tools.fleet import gizzi
from tools.loopback import Request, loopback, reply


async def test_every_channel_is_tried_and_the_failing_ones_are_named(tmp_path: Path) -> None:
    def answer(request: Request) -> bytes:
        return reply(b"{}", "500 Internal Server Error" if b"/broken" in request.head else "200 OK")

    async with loopback(answer) as server:
        here = f"127.0.0.1:{server.port}"
        good = [
            f"webhook+http://{here}/good",
            f"json://{here}/good",
            f"pagerduty+http://{here}/KEYKEYKEY",
            f"opsgenie+http://{here}/KEYKEYKEY",
        ]
        config = tmp_path / "gizzi.toml"
        config.write_text(f"[notify]\nurls = {json.dumps(good)}\n")
        done = await gizzi("notify", "test", cwd=tmp_path)
        assert (done.returncode, done.stdout.count("told"), done.stderr) == (0, 4, "")
        assert len(server.requests) == 6, "PagerDuty and Opsgenie hear the end of the test, too"
        config.write_text(
            f'[notify]\nurls = {json.dumps(good)}\n[[notify.routes]]\nafter = "5m"\nurls = ["webhook+http://{here}/broken/TOKENTOKEN"]\n'
        )
        failed = await gizzi("notify", "test", "--json", cwd=tmp_path)
        assert failed.returncode == 1 and "TOKENTOKEN" not in failed.stdout + failed.stderr
        results = json.loads(failed.stdout)
        assert [one["ok"] for one in results] == [True] * 4 + [False]
        assert results[4]["channel"] == "webhook+http #5" and "HTTP 500" in results[4]["error"]


async def test_without_channels_it_says_which_key_to_set(tmp_path: Path) -> None:
    done = await gizzi("notify", "test", cwd=tmp_path)
    assert done.returncode == 2 and "[notify] urls" in done.stderr and len(done.stderr.splitlines()) == 1


async def test_doctor_shows_what_is_stuck(tmp_path: Path) -> None:
    (tmp_path / "gizzi.toml").write_text('[notify]\nurls = ["json://a"]\n[[validators]]\nnumber = 1\n')
    store = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    row = {"incident": 1, "channel": "c", "label": "json #1", "at": 4e9, "message": "{}", "due_at": 4e9, "tries": 3, "error": "no way"}
    await store.run(lambda c: c.execute(insert(outbox), [{**row, "state": "waiting"}, {**row, "state": "lost"}]))
    store.close()
    done = await gizzi("doctor", "--json", cwd=tmp_path)
    check = json.loads(done.stdout)["house"]["channels"]
    assert check == {"ok": False, "text": "json #1: 1 messages wait and 1 were lost this week; no way"}

from __future__ import annotations

import asyncio

import pytest

from gizzi.api import records
from gizzi.memory.entry import Entry
from gizzi.serving.buckets import Buckets
from tools.api import Api, watched_api

TOKEN = "open-sesame-2f7c"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def remember(api: Api, count: int) -> None:
    for n in range(count):
        await api.app.memory.add(Entry(at=1_767_225_600.0 + n, author="on-call", kind="note", event=f"note {n}"))


async def test_a_list_is_read_page_by_page(api: Api) -> None:
    await remember(api, 7)
    path, found = "/api/memory?limit=3", []
    while path:
        async with api.http.get(api.url + path) as answer:
            found += [records.Remembered.model_validate(item).number for item in await answer.json()]
            path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
            path = path.removeprefix(api.url)
    assert found == [7, 6, 5, 4, 3, 2, 1]


async def test_what_has_not_changed_is_not_sent_again(api: Api) -> None:
    await remember(api, 1)
    async with api.http.get(api.url + "/api/memory") as answer:
        etag = answer.headers["ETag"]
    for given, status in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200)):
        async with api.http.get(api.url + "/api/memory", headers={"If-None-Match": given}) as answer:
            assert (answer.status, answer.headers["ETag"]) == (status, etag)
            assert (await answer.read() == b"") == (status == 304)
    await remember(api, 1)
    assert (await api.get("/api/memory", **{"If-None-Match": etag}))[0] == 200


async def test_memory_is_searched_and_checked(api: Api) -> None:
    await remember(api, 3)
    assert [entry["event"] for entry in (await api.get("/api/memory?search=note+1"))[1]] == ["note 1"]
    assert records.Verification.model_validate((await api.get("/api/memory/verify"))[1]).entries == 3


@pytest.mark.parametrize("by", ["model", "tier", "role", "kind", "day"])
async def test_costs(api: Api, by: str) -> None:
    code, page = await api.get(f"/api/costs?by={by}")
    assert (code, records.Costs.model_validate(page).by) == (200, by)
    assert (await api.get("/api/costs?by=moon"))[0] == 422


async def test_models_and_roles(api: Api) -> None:
    await api.app.memory.add(Entry(at=1_767_225_600.0, author="on-call", kind="report", event="all is well"))
    assert [records.Model.model_validate(row) for row in (await api.get("/api/models"))[1]]
    roles = [records.Role.model_validate(row) for row in (await api.get("/api/roles"))[1]]
    told = next(role for role in roles if role.name == "on-call").last_report
    assert told is not None and told.event == "all is well"


async def test_a_question_needs_a_token_and_live_status_answers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    async with watched_api() as api:
        await api.until(lambda: all(status["health"] == "healthy" for status in api.app.watch.statuses()))
        question = {"text": "Is validator 2 healthy?"}
        async with api.http.post(api.url + "/api/ask", json=question) as answer:
            assert answer.status == 401
        async with api.http.post(api.url + "/api/ask", json=question, headers=BEARER) as answer:
            said = records.Answer.model_validate(await answer.json())
            assert (said.tier, said.cost_usd) == ("reflex", "0")


async def test_too_many_changes_at_once_are_told_when_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)
    monkeypatch.setattr("gizzi.api.auth.BURST", 2)
    async with watched_api() as api:
        statuses = []
        for _ in range(3):
            async with api.http.post(api.url + "/api/incidents/inc-9/ack", headers=BEARER) as answer:
                statuses.append(answer.status)
        assert statuses == [404, 404, 429] and int(answer.headers["Retry-After"]) >= 1
        assert (await api.get("/api/incidents"))[0] == 200


def test_a_bucket_forgets_whoever_was_heard_of_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gizzi.serving.buckets.MOST_CLIENTS", 3)
    buckets = Buckets(1, 60)
    assert [buckets.take(name) for name in "abcd"] == [0, 0, 0, 0]
    assert buckets.take("d") > 0 and buckets.take("a") == 0


async def test_events_are_sent_as_they_happen_and_after_a_break(api: Api) -> None:
    async with api.http.get(api.url + "/api/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        seen = await _until(stream.content, "hello")
        await api.until(lambda: api.app.live.events.followers == 1)
    api.app.live.events.publish("incident", {"incident": "inc-1"})
    async with api.http.get(api.url + "/api/events", headers={"Last-Event-ID": seen}) as stream:
        await _until(stream.content, "incident")
    await api.until(lambda: api.app.live.events.followers == 0)


async def _until(lines: asyncio.StreamReader, kind: str) -> str:
    """The id of the first event of that kind."""
    found = False
    async with asyncio.timeout(60):
        async for raw in lines:
            line = raw.decode().strip()
            found = found or line == f"event: {kind}"
            if found and line.startswith("id: "):
                return line.removeprefix("id: ")
    raise AssertionError(kind)

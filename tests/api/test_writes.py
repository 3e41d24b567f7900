"""The routes that write: approvals and proposals, with an approver's token and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gizzi.engine.act import approvals, rows
from gizzi.guard import Answer
from tools.api import Api, watched_api

OPERATOR, VIEWER = "open-sesame-2f7c", "only-looks-91aa"


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("GIZZI_API_TOKEN", OPERATOR)
    monkeypatch.setenv("EVES_TOKEN", VIEWER)
    tokens = [{"name": "eve", "role": "viewer", "token_env": "EVES_TOKEN"}]
    async with watched_api(api={"tokens": tokens}, policy={"mode": "suggest"}) as one:
        yield one


async def post(api: Api, path: str, token: str | None = OPERATOR, **body: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with api.http.post(api.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def asked(api: Api) -> str:
    """A wish, and an approval asked for it before the guard has come to it."""
    status, wish = await post(api, "/api/actions", action="restart", validator=2, why="a try")
    assert status == 202 and wish["state"] in ("wanted", "proposed") and wish["proposed_by"] == "operator"
    number, now = int(wish["id"].removeprefix("act-")), api.app.clock.now()
    answer = Answer("ask", ("the mode is suggest: every write needs a person",))
    found = await api.app.store.run(lambda c: approvals.ask(c, rows.action(c, number), answer, now, now + 600))
    return f"ap-{found['id']}"


async def test_approve_once(api: Api) -> None:
    name = await asked(api)
    status, listed = await api.get("/api/approvals")
    assert status == 200 and [one["id"] for one in listed] == [name]
    both = await asyncio.gather(*(post(api, f"/api/approvals/{name}/approve", why="go") for _ in range(2)))
    assert sorted(status for status, _ in both) == [200, 409], both
    decided = next(body for status, body in both if status == 200)
    assert (decided["state"], decided["decided_by"], decided["why"]) == ("approved", "operator", "go")
    assert "already (by operator)" in next(body for status, body in both if status == 409)["detail"]
    assert await api.get("/api/approvals") == (200, [])
    assert [one["id"] for one in (await api.get("/api/approvals?all=true"))[1]] == [name]


async def test_deny_says_why(api: Api) -> None:
    name = await asked(api)
    assert (await post(api, f"/api/approvals/{name}/deny"))[0] == 422
    status, body = await post(api, f"/api/approvals/{name}/deny", why="no")
    assert (status, body["state"]) == (200, "denied")


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 401), (VIEWER, 403)])
async def test_who_may_not(api: Api, token: str | None, status: int) -> None:
    name = await asked(api)
    for path in (f"/api/approvals/{name}/approve", f"/api/approvals/{name}/deny", "/api/actions"):
        assert (await post(api, path, token, why="x", action="restart", validator=2))[0] == status
    assert [one["state"] for one in (await api.get("/api/approvals"))[1]] == ["waiting"]
    assert len((await api.get("/api/actions"))[1]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "purge_chain", "validator": 2, "why": "x"}, 404),
        ({"action": "restart", "validator": 99, "why": "x"}, 404),
        ({"action": "restart", "validator": 2, "why": ""}, 422),
        ({"action": "restart", "validator": 2, "why": "x", "approved": True}, 422),
        ({"action": "restart", "validator": -1, "why": "x"}, 422),
    ],
)
async def test_what_cannot_be_proposed(api: Api, body: dict[str, Any], status: int) -> None:
    assert (await post(api, "/api/actions", **body))[0] == status
    assert (await api.get("/api/actions"))[1] == []


async def test_what_is_not_there(api: Api) -> None:
    assert (await post(api, "/api/approvals/ap-9/approve"))[0] == 404
    assert (await post(api, "/api/approvals/nine/approve"))[0] in (400, 404, 422)
    assert (await api.get("/api/actions/act-9"))[0] == 404

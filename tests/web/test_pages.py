"""The pages' door: who may read, who may change, and what a form must carry."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gizzi.alerts.by_model import finding
from gizzi.memory.entry import Entry
from gizzi.web import desk
from gizzi.web.desk import local
from tools.browsing import TOKEN, Site, site
from tools.fleet import until


@pytest.fixture
async def one() -> AsyncIterator[Site]:
    async with site({"kind": "peers_drop", "validators": [2], "peers": 1}) as made:
        await until(lambda: made.app.watch.correlator.open)
        yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        yield session


async def get(http: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, str]:
    async with http.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def post(http: aiohttp.ClientSession, url: str, form: dict[str, str], **headers: str) -> tuple[int, str]:
    async with http.post(url, data=form, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


def field(page: str, name: str = "csrf") -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def log_in(http: aiohttp.ClientSession, url: str, token: str = TOKEN, **headers: str) -> int:
    _, page = await get(http, f"{url}/login")
    return (await post(http, f"{url}/login", {"token": token, "csrf": field(page), "next": "/"}, **headers))[0]


async def test_every_page_answers_and_forbids_inline_scripts(one: Site, http: aiohttp.ClientSession) -> None:
    for path in ("/", "/validators/2", "/incidents", "/incidents/inc-1", "/costs?by=day", "/roles", "/memory", "/login"):
        async with http.get(one.url + path) as answer:
            page = await answer.text()
            assert answer.status == 200, path
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! src=)|https?://", page.replace("http://www.w3.org/2000/svg", "")), (
                path
            )
    assert (await get(http, f"{one.url}/validators/99"))[0] == 404
    assert (await get(http, f"{one.url}/incidents/moon"))[0] == 422
    assert (await get(http, f"{one.url}/static/../pages.py"))[0] == 404


async def test_what_a_model_opened_is_marked_and_counted(one: Site, http: aiohttp.ClientSession) -> None:
    watch = one.app.watch
    given = {"severity": "low", "text": "odd", "shown": "peers = 31", "role": "watcher", "model": "<i>m</i>"}
    await watch.hear([finding(watch.fleet.validators[3], "peers", now=watch.clock.now(), **given)])
    assert "0 hits, 0 false alarms, 1 not known yet" in (await get(http, f"{one.url}/roles"))[1]
    number = next(incident.id for incident in watch.correlator.open.values() if incident.rule == "model:peers")
    assert "a model (&lt;i&gt;m&lt;/i&gt;) says: odd" in (await get(http, f"{one.url}/incidents/inc-{number}"))[1]


async def test_what_a_page_has_already_is_not_sent_again(one: Site, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{one.url}/roles") as answer:
        page, etag = await answer.text(), answer.headers["ETag"]
    status, again = await get(http, f"{one.url}/roles", **{"If-None-Match": etag})
    assert status == 304 or page != again  # the time in it may have moved on


async def test_the_cookie_is_for_our_pages_alone(one: Site, http: aiohttp.ClientSession) -> None:
    _, page = await get(http, f"{one.url}/login")
    async with http.post(
        f"{one.url}/login", data={"token": TOKEN, "csrf": field(page), "next": "//evil.example"}, allow_redirects=False
    ) as answer:
        cookie = next(value for value in answer.headers.getall("Set-Cookie") if value.startswith("gizzi_session="))
        assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and TOKEN not in cookie
        assert answer.headers["Location"] == "/"
    assert "operator" in (await get(http, one.url))[1]


async def test_a_form_without_our_word_changes_nothing(one: Site, http: aiohttp.ClientSession) -> None:
    url = f"{one.url}/incidents/inc-1/acknowledge"
    assert (await post(http, url, {}))[0] == 403
    assert await log_in(http, one.url) == 303
    csrf = field((await get(http, f"{one.url}/incidents/inc-1"))[1])
    for form, headers in (
        ({}, {}),
        ({"csrf": "x" * 32}, {}),
        ({"csrf": csrf[:-1] + "é"}, {}),
        ({"csrf": csrf}, {"Origin": "https://evil.example"}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "same-site"}),
    ):
        assert (await post(http, url, form, **headers))[0] == 403
    assert (await post(http, url, {"csrf": csrf, "x": "y" * 20_000}))[0] == 413
    assert not (await one.app.desk.incident("inc-1"))["acknowledged_by"]
    assert (await post(http, url, {"csrf": csrf}, Origin=one.url))[0] == 303
    assert (await one.app.desk.incident("inc-1"))["acknowledged_by"] == "operator"
    assert (await post(http, f"{one.url}/logout", {"csrf": csrf}))[0] == 303
    assert (await post(http, url, {"csrf": csrf}))[0] == 403


async def test_a_log_in_outlives_a_restart_and_a_log_out_too(one: Site, http: aiohttp.ClientSession) -> None:
    assert await log_in(http, one.url) == 303
    csrf = field((await get(http, f"{one.url}/incidents/inc-1"))[1])
    await one.stop()
    await one.start()
    assert (await post(http, f"{one.url}/incidents/inc-1/acknowledge", {"csrf": csrf}))[0] == 303
    cookies = {cookie.key: cookie.value for cookie in http.cookie_jar}
    assert (await post(http, f"{one.url}/logout", {"csrf": csrf}))[0] == 303
    await one.stop()
    await one.start()
    async with aiohttp.ClientSession(cookies=cookies) as thief, thief.get(one.url) as answer:
        assert "Log out" not in await answer.text()


async def test_a_viewer_may_look_and_change_nothing(monkeypatch: pytest.MonkeyPatch, http: aiohttp.ClientSession) -> None:
    monkeypatch.setenv("VIEWERS", "only-looking-1f2e")
    tokens = {"tokens": [{"name": "anna", "role": "viewer", "token_env": "VIEWERS"}]}
    async with site({"kind": "peers_drop", "validators": [2], "peers": 1}, api=tokens) as one:
        await until(lambda: one.app.watch.correlator.open)
        assert await log_in(http, one.url, "only-looking-1f2e") == 303
        page = (await get(http, f"{one.url}/incidents/inc-1"))[1]
        assert "/incidents/inc-1/acknowledge" not in page
        said = await post(http, f"{one.url}/incidents/inc-1/acknowledge", {"csrf": field(page)})
        assert said[0] == 403 and "anna is a viewer" in said[1]


async def test_wrong_tokens_are_refused_and_then_told_to_wait(
    one: Site, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = [await log_in(http, one.url, f"guess-{n}") for n in range(desk.LOGINS + 1)]
    assert statuses == [403] * desk.LOGINS + [429]
    assert await log_in(http, one.url) == 429


async def test_another_name_for_this_machine_reads_nothing(one: Site, http: aiohttp.ClientSession) -> None:
    """A page in somebody's browser that points its own name at 127.0.0.1."""
    for path in ("/", "/incidents/inc-1", "/nothing"):
        async with http.get(one.url + path, headers={"Host": "evil.example"}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"].startswith("/login")) == (303, True)
    assert (await get(http, f"{one.url}/live", Host="evil.example"))[0] == 403
    told = await get(http, f"{one.url}/incidents/inc-1", Host="evil.example", **{"Sec-Fetch-Site": "cross-site"})
    assert told[0] == 200 and "refresh" in told[1] and "peer" not in told[1]


async def test_the_api_stays_beside_the_pages(one: Site, http: aiohttp.ClientSession) -> None:
    assert (await get(http, f"{one.url}/health"))[0] == 200
    async with http.get(f"{one.url}/api/nothing") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert await log_in(http, one.url) == 303
    assert (await post(http, f"{one.url}/api/incidents/inc-1/ack", {}))[0] == 401  # a cookie opens no API


async def test_a_changed_memory_is_told(one: Site, http: aiohttp.ClientSession) -> None:
    await one.app.memory.add(Entry(at=one.app.clock.now(), author="anna", kind="note", event="as it was"))
    assert "The memory is whole" in (await get(http, f"{one.url}/memory?check=1"))[1]
    await one.app.store.run(lambda c: c.exec_driver_sql("UPDATE memory_entries SET event = 'as it was not' WHERE number = 1"))
    assert "The memory was changed" in (await get(http, f"{one.url}/memory?check=1"))[1]


async def test_a_store_that_fails_is_told_as_a_page(one: Site, http: aiohttp.ClientSession) -> None:
    one.app.store.close()
    status, page = await get(http, f"{one.url}/memory?check=1")
    assert status in (200, 503) and "Traceback" not in page


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "evil", "/\t/evil", "/a\r\nX: y"]
)
def test_nobody_is_sent_elsewhere(path: str) -> None:
    assert local(path) == "/"


def test_a_path_of_ours_is_kept() -> None:
    assert local("/incidents/inc-1?x=1") == "/incidents/inc-1?x=1"

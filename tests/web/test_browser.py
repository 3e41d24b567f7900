"""Chromium before the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from conftest import missing
from gizzi.memory.entry import Entry
from gizzi.sim.faults import read_fault
from tools import axe
from tools.browsing import Site, chrome, log_in, site
from tools.fleet import long_watched, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]
LONELY = {"kind": "peers_drop", "validators": [2], "peers": 1, "clears_on": "restart"}
PATHS = ("/", "/validators/2", "/incidents", "/incidents/inc-1", "/costs", "/roles", "/memory?check=1", "/login", "/nothing")
BOXES = "[...document.querySelectorAll('.fleet a')].map(a => [a.clientWidth, a.clientHeight, a.scrollWidth])"
HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>",
    "'\"><svg onload=window.hacked=1>{{7*7}}</textarea></title>",
    "\u202egnol\u2066 \x1b[31m\x00\x07 \ud800 \u200f",
    "w" * 100_000,
)


def inject(one: Site, fault: dict[str, Any]) -> None:
    fleet = one.sim.fleet
    fleet.inject(read_fault(fault, "the test", list(fleet.nodes), list(fleet.chains), at_s=fleet.now() - fleet.start_at))


async def opened(one: Site) -> None:
    await long_watched(one.app, 2)
    await until(lambda: any(incident.decision for incident in one.app.watch.correlator.open.values()))


async def asked(one: Site) -> None:
    await opened(one)
    await until(one.app.actions.approvals)


async def text(page: Any, selector: str = "#main") -> str:
    return " ".join(str(await page.inner_text(selector)).split())


async def differs(page: Any, selector: str, before: str) -> bool:
    return str(await page.inner_text(selector)) != before


async def test_an_incident_appears_and_ends_without_a_reload(chromium: str) -> None:
    async with site() as one, chrome(chromium) as browser:
        await until(lambda: all(status["health"] == "healthy" for status in one.app.watch.statuses()))
        page = await browser.page()
        await page.goto(one.url)
        await page.wait_for_selector("#stream[data-state=live]")
        await page.evaluate("window.loadedOnce = true")
        assert "Nothing is wrong." in await text(page)
        inject(one, LONELY)
        await page.wait_for_selector("#open-inc-1")
        assert "Validator 2: 1 peer; fewer than 3" in await text(page, "#open-inc-1")
        await page.wait_for_selector("#v2.critical")
        assert await page.evaluate("window.loadedOnce") is True
        assert "1 open" in await page.title()


async def test_an_approval_in_two_tabs_is_carried_out_once(chromium: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(LONELY, validators=21, policy={"verify_after": "15s"}) as one, chrome(chromium) as browser:
        restarts: list[float] = []
        node = one.sim.fleet.nodes[2]
        restart = node.restart
        monkeypatch.setattr(node, "restart", lambda at: restarts.append(at) or restart(at))
        await asked(one)
        first = await browser.page()
        await log_in(first, one.url, "/incidents/inc-1")
        second = await browser.page(context=first.context)
        await second.goto(f"{one.url}/incidents/inc-1")
        answered = await second.query_selector("#ap-1 button.yes")
        form = await second.evaluate("({csrf: document.querySelector('#ap-1 [name=csrf]').value})")
        assert answered is not None
        await first.click("#ap-1 button.yes")
        await first.wait_for_selector("text=You approved it")
        sent = await second.request.post(f"{one.url}/approvals/ap-1/approve", form=form)  # as a tab that has heard of nothing
        assert (sent.status == 409 and "approved already (by operator)" in await sent.text()) or "used already" in await sent.text()
        await second.wait_for_selector("#ap-1", state="detached")
        await second.wait_for_selector("text=Restarted validator 2")
        done = await one.app.actions.actions()
        assert [(action["outcome"], action["approved_by"]) for action in done] == [("done", "operator")]
        assert len(restarts) == 1


async def test_the_stream_breaks_says_so_and_comes_back(chromium: str) -> None:
    async with site() as one, chrome(chromium) as browser:
        page = await browser.page()
        await page.goto(one.url)
        await page.wait_for_selector("#stream[data-state=live]")
        await one.stop()
        await page.wait_for_selector("#lost:not([hidden])")
        assert "No connection to Gizzi since" in await text(page, "#lost")
        inject(one, LONELY)
        await opened(one)
        await one.start()
        await page.wait_for_selector("#lost", state="hidden")
        assert "Live again" in await text(page, "#stream")
        await page.wait_for_selector("#open-inc-1")


async def test_what_somebody_types_and_opens_stays_while_the_page_moves(chromium: str) -> None:
    async with site(LONELY, validators=21) as one, chrome(chromium) as browser:
        await asked(one)
        page = await browser.page()
        await log_in(page, one.url, "/incidents/inc-1")
        await page.click("#silence summary")
        await page.fill("#s-why", "the new switch")
        await page.focus("#why-ap-1")
        await page.keyboard.type("not n")
        read = await page.inner_text("#as-of")
        await until(lambda: differs(page, "#as-of", read))
        await page.keyboard.type("ow")
        assert await page.input_value("#why-ap-1") == "not now"
        assert await page.input_value("#s-why") == "the new switch"
        assert await page.evaluate("document.querySelector('#silence').open") is True
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=You said no")
        assert (await one.app.actions.approvals(waiting=False))[0]["why"] == "not now"


async def test_acknowledge_and_silence_by_keyboard(chromium: str) -> None:
    async with site(LONELY) as one, chrome(chromium) as browser:
        await opened(one)
        page = await browser.page()
        await log_in(page, one.url, "/incidents/inc-1")
        await page.focus("text=Acknowledge: I look after it")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=operator looks after it.")
        await page.focus("#silence summary")
        await page.keyboard.press("Enter")
        await page.fill("#s-why", "known")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=is silent on validator 2 for 1h")
        silences, _ = await one.app.store.mute_rows(one.app.clock.now())
        assert [(row["rule"], row["validator"], row["by"]) for row in silences] == [("peers_low", 2, "operator")]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_serious(chromium: str, dark: bool) -> None:
    if axe.script() is None:
        missing("axe-core cannot be fetched from npm")
    async with site(LONELY, {"kind": "node_down", "validators": [3]}, validators=21) as one, chrome(chromium) as browser:
        await asked(one)
        await one.app.memory.add(Entry(at=one.app.clock.now(), author="on-call", kind="report", event="all is well", body="a\nb"))
        page = await browser.page(dark=dark)
        await log_in(page, one.url)
        found = []
        for path in PATHS:
            await page.goto(one.url + path)
            found += [f"{path}: {fault}" for fault in await axe.serious(page)]
        assert found == []


async def test_a_thousand_validators_stay_readable(chromium: str) -> None:
    if axe.script() is None:
        missing("axe-core cannot be fetched from npm")
    ill = {"kind": "node_down", "validators": [7, 77, 777, 1000]}
    async with site(ill, validators=1000, collect={"every": "30s", "timeout": "10s"}) as one, chrome(chromium) as browser:
        await until(lambda: sum(status["health"] == "healthy" for status in one.app.watch.statuses()) > 900)
        for width in (390, 1280, 1920):
            page = await browser.page(width)
            await page.goto(one.url)
            assert await page.evaluate("document.querySelectorAll('.fleet a').length") == 1000
            boxes = await page.evaluate(BOXES)
            assert all(wide >= 24 and high >= 22 and text_wide <= wide for wide, high, text_wide in boxes)
            assert await overflow(page) <= 0
        assert await axe.serious(page) == []


async def overflow(page: Any) -> int:
    return int(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


async def panels() -> Sequence[dict[str, Any]]:
    table = {"columns": list(HOSTILE), "rows": [list(HOSTILE)]}
    about = {"title": HOSTILE[0], "summary": HOSTILE[1], "error": HOSTILE[1], "at": None}
    series = {"kind": "series", "value": [[1.0, 2.0], [2.0, 3.0]]}
    drawn = [{"kind": "table", "value": table}, {"kind": "text", "value": HOSTILE[2]}, series]
    return [{"name": "odd", **about, **one} for one in drawn]


@pytest.mark.parametrize("width", [390, 1280])
async def test_whatever_comes_from_outside_is_shown_as_text(chromium: str, width: int) -> None:
    async with site(LONELY, validators=4, panels=panels) as one, chrome(chromium) as browser:
        await opened(one)
        app, now = one.app, one.app.clock.now()
        incident = app.watch.correlator.open[1]
        next(iter(incident.alerts.values())).text = HOSTILE[0]
        for number, word in enumerate(HOSTILE, 1):
            validator = app.watch.fleet.validators[number]
            app.watch.fleet.validators[number] = validator.model_copy(update={"name": word})
            await app.memory.add(Entry(at=now, author=word, kind="report", event=word, action=word, tags=(word,), body=word * 2))
            events = [{"incident": 1, "at": now, "kind": "thought", "text": word.replace("\ud800", "")}]
            await app.store.record((), (), events)
            app.live.events.publish("incident", {"text": word})
        page = await browser.page(width)
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        await log_in(page, one.url)
        for path in ("/", *(f"/validators/{n}" for n in range(1, 5)), *PATHS, "/memory?search=%3Cscript%3E"):
            await page.goto(one.url + path)
            assert await page.evaluate("window.hacked") is None
            assert await page.evaluate("document.querySelectorAll('main script, main img, main [onload], main [onerror]').length") == 0
            assert await overflow(page) <= 0, path
            shown = await page.inner_text("body")
            assert (len(shown) < 60_000 and "49" not in shown.split("As of")[0].replace("1,916,", "")) or path != "/"
            assert not any(mark in shown for mark in "\u202e\u2066\u200f\x1b\x07")
        assert [fault for fault in wrong if "404" not in fault] == []
        await page.goto(f"{one.url}/")
        assert "<script>window.hacked=1</script>" in await page.inner_text("body")

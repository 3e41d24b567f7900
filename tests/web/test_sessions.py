"""Who stays logged in, and who does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from gizzi.errors import StoreError
from gizzi.serving.people import Person
from gizzi.store import Store, open_store
from gizzi.store.session_schema import sessions
from gizzi.web import sessions as module
from gizzi.web.sessions import LASTS_S, Sessions

ANNA = Person("anna", "approver", SecretStr("open-sesame-2f7c"))
BEN = Person("ben", "viewer", SecretStr("only-looks-91aa"))


class Set:
    """A clock that stands."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, duration_s: float) -> None:
        self.at += duration_s


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/gizzi.db")
    yield opened
    opened.close()


def started(store: Store, people: Sequence[Person] = (ANNA, BEN), clock: Set | None = None) -> Sessions:
    """As a daemon has them that has just started."""
    return Sessions(store, clock or Set(), people)


async def test_a_restart_ends_no_session(store: Store) -> None:
    before = started(store)
    word = await before.begin(ANNA)
    found, again = await before.find(word), await started(store).find(word)
    assert found is not None and again is not None
    assert (found.person, found.until, found.csrf) == (again.person, again.until, again.csrf)
    assert again.person.role == "approver" and found is await before.find(word)


async def test_what_is_kept_opens_nothing(store: Store) -> None:
    word = await started(store).begin(ANNA)
    session = await started(store).find(word)
    (row,) = await store.run(lambda c: c.execute(select(sessions)).all())
    assert session is not None
    assert not {word, session.csrf, "open-sesame-2f7c"} & set(row)
    for guess in (row.key, row.proof, "", word[:-1], "\ud800", "x" * 10_000, None):
        assert await started(store).find(guess) is None


@pytest.mark.parametrize(
    ("people", "stays"),
    [
        ([BEN], False),
        ([Person("anna", "approver", SecretStr("another-token")), BEN], False),
        ([Person("eve", "approver", ANNA.token)], False),
        ([Person("anna", "viewer", ANNA.token)], True),
    ],
    ids=["removed", "another token", "another name", "another role"],
)
async def test_a_session_goes_with_its_token(store: Store, people: list[Person], stays: bool) -> None:
    word = await started(store).begin(ANNA)
    found = await started(store, people).find(word)
    assert (found is not None) == stays
    assert found is None or found.person.role == "viewer", "what somebody may do is asked of the configuration"


async def test_log_out_lasts(store: Store) -> None:
    one = started(store)
    word, other = await one.begin(ANNA), await one.begin(ANNA)
    assert await one.find(word) is not None
    await one.end(word)
    await one.end(None)
    assert await one.find(word) is None and await started(store).find(word) is None
    assert await started(store).find(other) is not None, "another browser of hers stays logged in"


async def test_its_time_ends_it(store: Store) -> None:
    clock = Set()
    one = started(store, clock=clock)
    word = await one.begin(ANNA)
    begun_at = clock.now()
    assert await one.find(word) is not None
    clock.at = begun_at + LASTS_S - 1
    assert await one.find(word) is not None
    clock.at = begun_at + LASTS_S
    assert await one.find(word) is None and await started(store, clock=clock).find(word) is None
    await one.begin(BEN)
    assert len(await store.run(lambda c: c.execute(select(sessions)).all())) == 1, "what has ended is not kept"


async def test_so_many_and_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    clock = Set()
    one = started(store, clock=clock)
    words = []
    for n in range(5):
        clock.at = 1000.0 + n
        words.append(await one.begin(ANNA))
        assert await one.find(words[-1]) is not None
    assert [await started(store, clock=clock).find(word) is not None for word in words] == [False, False, True, True, True]
    assert len(one._seen) == 3


async def test_while_the_store_fails_who_was_here_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(work: Any) -> None:
        raise StoreError("the disk is full")

    one = started(store)
    here, away = await one.begin(ANNA), await one.begin(BEN)
    assert await one.find(here) is not None
    monkeypatch.setattr(store, "run", fails)
    assert await one.find(here) is not None and await one.find(away) is None
    with pytest.raises(StoreError):
        await one.end(here)
    assert await one.find(here) is None

"""The cheap answer first; it goes up when it breaks its schema or the facts contradict it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from gizzi.config import Settings
from gizzi.errors import GizziError
from gizzi.models.cascade import cascade
from gizzi.models.router import Router
from tools.models import settings_for
from tools.providers import chat, provider


class Decision(BaseModel):
    action: str
    peers: int


def two_tiers(cheap: str, dear: str, folder: Path) -> Settings:
    price = {"input": 1, "output": 2}
    return settings_for(
        cheap,
        folder,
        providers={"mine": {"api": "openai", "url": cheap}, "best": {"api": "openai", "url": dear}},
        models={"mine/m": {"tier": "standard", "price": price}, "best/b": {"tier": "frontier", "price": price}},
        tiers={"standard": ["mine/m"], "frontier": ["best/b"]},
    )


GOOD = json.dumps({"action": "wait", "peers": 2})
WRONG = json.dumps({"action": "restart", "peers": 40})


async def test_the_cheap_answer_is_enough(tmp_path: Path) -> None:
    async with provider(chat(GOOD)) as cheap, provider(chat(GOOD)) as dear, Router(two_tiers(cheap.url, dear.url, tmp_path)) as router:
        answer = await cascade(router, "What now?", Decision)
    assert answer.output == Decision(action="wait", peers=2) and answer.tier == "standard" and dear.calls == 0
    assert answer.route.strategy == "cascade" and answer.cost_usd is not None


async def test_a_broken_schema_goes_up(tmp_path: Path) -> None:
    async with (
        provider(chat("No idea.")) as cheap,
        provider(chat(GOOD)) as dear,
        Router(two_tiers(cheap.url, dear.url, tmp_path)) as router,
    ):
        answer = await cascade(router, "What now?", Decision)
    assert answer.tier == "frontier" and cheap.calls == 3 and "mine/m: its answer broke the schema 3 times" in answer.route.reason
    assert answer.usage.input_tokens == 4 * 12  # the failed answers are paid for too


async def test_what_facts_contradict_goes_up(tmp_path: Path) -> None:
    def contradicts(decision: Decision) -> str | None:
        return None if decision.peers == 2 else f"it has 2 peers, not {decision.peers}"

    async with provider(chat(WRONG)) as cheap, provider(chat(GOOD)) as dear, Router(two_tiers(cheap.url, dear.url, tmp_path)) as router:
        answer = await cascade(router, "What now?", Decision, contradicts=contradicts)
        assert answer.tier == "frontier" and "it has 2 peers, not 40" in answer.route.reason
        dear.replies[:] = [chat(WRONG)]
        with pytest.raises(GizziError, match=r"no tier gave an answer that holds: .*mine/m: live facts contradict it"):
            await cascade(router, "What now?", Decision, contradicts=contradicts)


async def test_critical_work_does_not_begin_cheap(tmp_path: Path) -> None:
    async with provider(chat(GOOD)) as cheap, provider(chat(GOOD)) as dear, Router(two_tiers(cheap.url, dear.url, tmp_path)) as router:
        answer = await cascade(router, "Restart it?", Decision, critical=True)
    assert answer.tier == "frontier" and cheap.calls == 0

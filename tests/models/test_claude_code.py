"""Claude Code as a model, with a program of ours in its place: what it is started with, what it costs, and all that goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from sqlalchemy import text

from gizzi.config import Settings
from gizzi.errors import GizziError
from gizzi.models.agent_model import RouterModel
from gizzi.models.headless import Failure, read
from gizzi.models.own_wire import Said
from gizzi.models.router import Router
from gizzi.models.wire_claude_code import MOST_USD, text_of
from gizzi.store import open_store
from tools.fake_claude import FLEET, OPTIONS, FakeClaude, fake_claude, result

MODEL = "claude-code/default"
QUESTION = "Why does validator 6 lose peers?"
SPENT = Decimal("0.0014540")


@pytest.fixture
def fake(tmp_path: Path) -> FakeClaude:
    return fake_claude(tmp_path)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)


async def ask(settings: Settings, question: str = QUESTION, **more: Any) -> Any:
    async with Router(settings) as router:
        return await router.ask(question, **{"model": MODEL, **more})


def settled(settings: Settings) -> list[dict[str, Any]]:
    """How each call of it ended in the ledger; none is open."""
    store = open_store(settings.store.url)
    assert store.run_now(lambda c: c.execute(text("select count(*) from ledger_open")).scalar()) == 0
    query = text("select * from ledger_entries where entry != 'reserve' and model = '" + MODEL + "' order by at")
    found = store.run_now(lambda c: [dict(row._mapping) for row in c.execute(query)])
    store.close()
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a file or a process tells nobody
            await asyncio.sleep(0.02)


def is_gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # ended, and not yet fetched by whoever adopted it


async def test_an_answer_with_its_exact_cost(fake: FakeClaude) -> None:
    settings = fake.configured()
    answer = await ask(settings)
    assert (answer.model, answer.tier, answer.response, answer.cost_usd) == (MODEL, "frontier", "Validator 6 is well.", SPENT)
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.cache_write_tokens) == (137, 53, 20, 10)
    assert not usage.estimated
    (row,) = settled(settings)
    assert (row["outcome"], Decimal(row["usd"]), row["input_tokens"], bool(row["estimated"])) == ("answered", SPENT, 137, False)


async def test_what_it_is_started_with(fake: FakeClaude, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"GIZZI_API_TOKEN": "yes-token", "OPENAI_API_KEY": "sk-other-123456", "LD_PRELOAD": "", "CLAUDECODE": "1", "BASH_ENV": "x"}
    for name, value in {**secrets, "GIZZI_NETWORK__NAME": "elsewhere"}.items():
        monkeypatch.setenv(name, value)
    settings = fake.configured()
    hostile = "--dangerously-skip-permissions $(touch /tmp/x); `id` --mcp-config=/evil.json"
    await ask(settings, f"{hostile}\n{QUESTION}")
    asked = fake.asked
    options = dict(word.partition("=")[::2] for word in asked["arguments"])
    assert options["--tools"] == options["--setting-sources"] == "" and options["--permission-mode"] == "dontAsk"
    assert {"--print", "--strict-mcp-config", "--disable-slash-commands", "--no-session-persistence"} <= set(asked["arguments"])
    assert {"Bash", "Edit", "Write", "WebFetch"} <= set(options["--disallowedTools"].split(","))
    allowed = options["--allowedTools"].split(",")
    assert "mcp__gizzi__network_status" in allowed and all(tool.startswith("mcp__gizzi__") for tool in allowed)
    assert not {"mcp__gizzi__propose_action", "mcp__gizzi__ask"} & set(allowed)
    assert Decimal(options["--max-budget-usd"]) == MOST_USD and "--model" not in options
    assert hostile in asked["given"] and hostile not in " ".join(asked["arguments"])
    assert not secrets.keys() & asked["environment"].keys() and "GIZZI_NETWORK__NAME" not in asked["environment"]
    assert asked["environment"]["CLAUDE_CODE_DISABLE_ATTACHMENTS"] == "1" and "ANTHROPIC_API_KEY" not in asked["environment"]
    assert "You are Gizzi" in asked["files"]["system.md"]
    server = json.loads(asked["files"]["mcp.json"])["mcpServers"]["gizzi"]
    assert server["args"] == ["-m", "gizzi", "mcp", "--read-only", "--config", str(settings.file)]
    assert server["env"]["GIZZI_NETWORK__NAME"] == "elsewhere" and not secrets.keys() & server["env"].keys()
    assert fake.folder_is_gone


@pytest.mark.parametrize(("name", "given_as"), [("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"), ("MY_KEY", "ANTHROPIC_API_KEY")])
async def test_a_key_and_an_address_of_ones_own(fake: FakeClaude, monkeypatch: pytest.MonkeyPatch, name: str, given_as: str) -> None:
    monkeypatch.setenv(name, "the-very-key-42")
    settings = fake.configured(key_env=name, url="http://127.0.0.1:9/")
    await ask(settings)
    environment = fake.asked["environment"]
    assert (environment[given_as], environment["ANTHROPIC_BASE_URL"]) == ("the-very-key-42", "http://127.0.0.1:9/")
    assert "the-very-key-42" not in " ".join([*fake.asked["arguments"], *fake.asked["files"].values()])


async def test_no_tools_without_a_fleet_and_a_model_by_its_name(fake: FakeClaude) -> None:
    settings = fake.configured('[models."claude-code/claude-haiku-5-5"]\ntier = "standard"\ncapabilities = ["json"]\n')
    await ask(settings, "What is a nonce?", model="claude-code/claude-haiku-5-5")
    words = " ".join(fake.asked["arguments"])
    assert "--mcp-config" not in words and "--allowedTools" not in words and "--model=claude-haiku-5-5" in words


@given(st.text(alphabet="@/ab \n\t(\"'.\u3002\u200b", max_size=40))
def test_no_text_names_a_file_or_is_a_command(question: str) -> None:
    given_text = text_of([Said("system", "@x"), Said("user", question)], None)
    assert not given_text.startswith(("/", "@", "!", "#"))
    for at, character in enumerate(given_text):
        if character == "@" and at + 1 < len(given_text) and not given_text[at + 1].isspace():
            assert given_text[at - 1] in "ab"
    assert given_text.replace("@ ", "@").endswith(question.replace("@ ", "@"))


def test_a_conversation_keeps_who_said_what() -> None:
    said = text_of([Said("user", "Is it @home?"), Said("assistant", "Yes."), Said("user", "Sure?")], {"type": "object"})
    assert said.startswith("[user]\nIs it @ home?\n\n[assistant]\nYes.\n\n[user]\nSure?\n\n") and said.endswith('{"type": "object"}')


NOT_IN = result("Not logged in \u00b7 Please run /login", "0", is_error=True, modelUsage={})
BAD_KEY = result("Failed to authenticate. API Error: 401 bad key the-very-key-42", "0", is_error=True, api_error_status=401, modelUsage={})


@pytest.mark.parametrize(
    ("plan", "says", "spent"),
    [
        ({"output": NOT_IN, "code": 1}, "it is not logged in; run `claude` once", None),
        ({"output": BAD_KEY, "code": 1}, r"it says: Failed to authenticate\. API Error: 401 bad key \*\*\*", None),
        ({"output": result("API Error: 529 overloaded", "0", is_error=True, api_error_status=529)}, "it says: API Error: 529", None),
        ({"output": result("API Error: refused", "0", is_error=True, api_error="connection_failed")}, "it says: API Error: refused", None),
        ({"output": result("Gave up.", is_error=True, api_error_status=500), "code": 1}, "it says: Gave up", SPENT),
        (
            {"output": result(None, subtype="error_max_budget_usd", is_error=True, errors=["Reached maximum budget ($0.5)"]), "code": 1},
            r"it stopped at the limit of what one question may cost \(Reached maximum budget",
            SPENT,
        ),
        ({"output": result(None, subtype="error_during_execution", is_error=True)}, "it says: error_during_execution", SPENT),
        (
            {"words": "warning\nerror: unknown option '--tools'\n", "code": 1},
            "it ended with code 1: error: unknown option '--tools'",
            MOST_USD,
        ),
        ({"words": "\x1b[31mkey the-very-key-42", "code": 3}, r"it ended with code 3: .*key \*\*\*", MOST_USD),
        ({"output": "{broken"}, "what it printed is not the JSON that Claude Code prints", MOST_USD),
        ({"output": ""}, "what it printed is not the JSON", MOST_USD),
        ({"output": "[" * 100_000}, "what it printed is not the JSON", MOST_USD),
        ({"output": '{"type": "assistant"}'}, "what it printed is not the JSON", MOST_USD),
        ({"output": result(5)}, "what it printed is not the JSON", MOST_USD),
        ({"output": result("")}, "its answer is empty", SPENT),
        ({"do": "flood"}, "it printed more than 4 MiB, and was ended", MOST_USD),
        ({"options": OPTIONS.replace("--setting-sources", "")}, ".*/claude has no --setting-sources; install a newer Claude Code", None),
    ],
)
async def test_what_goes_wrong_is_one_line_and_paid_for(
    fake: FakeClaude, monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any], says: str, spent: Decimal | None
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-very-key-42")
    settings = fake.plans(**plan).configured(key_env="ANTHROPIC_API_KEY")
    with pytest.raises(GizziError, match=f"claude-code/default: {says}") as raised:
        await ask(settings)
    said = str(raised.value)
    assert said.isprintable() and len(said) < 900 and "the-very-key-42" not in said and "Traceback" not in said
    (row,) = settled(settings)  # it is not started again
    assert Decimal(row["usd"]) == (spent or 0)


@pytest.mark.parametrize("program", ["/nowhere/claude", "not-a-program-of-this-machine"])
async def test_a_program_that_is_not_there(fake: FakeClaude, program: str) -> None:
    settings = fake.configured(program=program)
    with pytest.raises(GizziError, match=f"{program!r}, the program of \\[providers.claude-code\\], is not here"):
        await ask(settings)


async def test_a_program_that_goes_away(fake: FakeClaude) -> None:
    settings = fake.configured()
    async with Router(settings) as router:
        assert (await router.ask(QUESTION, model=MODEL)).response
        fake.program.write_bytes(b"not a program")
        with pytest.raises(GizziError, match=r"cannot be started \(.*\); is Claude Code installed\?"):
            await router.ask("And validator 7?", model=MODEL)
    assert [row["outcome"] for row in settled(settings)] == ["answered", "released: not_found"]


async def test_at_the_time_limit_all_its_processes_end(fake: FakeClaude) -> None:
    """One of them does not heed SIGTERM."""
    settings = fake.plans(do="hang").configured()
    async with Router(settings) as router:
        with pytest.raises(GizziError, match=r"claude-code/default: (no answer within|no answer in time|no time)"):
            await router.ask(QUESTION, model=MODEL, limit_s=8)
    (row,) = settled(settings)
    assert (row["outcome"], Decimal(row["usd"]), bool(row["estimated"])) == ("timeout", MOST_USD, True)
    if fake.was_asked:  # a busy machine may not have got so far
        await until(lambda: all(is_gone(process) for process in fake.asked["processes"]))


async def test_cancelling_ends_it_and_settles(fake: FakeClaude) -> None:
    settings = fake.plans(do="hang").configured()
    async with Router(settings) as router:
        asking = asyncio.create_task(router.ask(QUESTION, model=MODEL, limit_s=600))
        await until(lambda: fake.was_asked)
        processes = fake.asked["processes"]
        assert all(os.getpgid(process) == processes[0] for process in processes)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: all(is_gone(process) for process in processes))
    (row,) = settled(settings)
    assert (row["outcome"], Decimal(row["usd"]), bool(row["estimated"])) == ("cancelled", MOST_USD, True)
    assert fake.folder_is_gone


async def test_the_budget_has_room_for_the_most_it_may_cost_or_it_is_not_started(fake: FakeClaude) -> None:
    settings = fake.configured(f'{FLEET}\n[tiers]\nfrontier = ["{MODEL}"]\n[budget]\nday_usd = 0.55\n')
    with pytest.raises(GizziError, match=r"the budget of the day is met: \$0\.44 left, .* too little for a call of about \$0\.50"):
        await ask(settings)
    assert not fake.was_asked
    assert (await ask(settings, critical=True)).response, "critical work may spend all of it"


class Decision(BaseModel):
    action: str
    confidence: float


@pytest.mark.parametrize("has_option", [True, False])
async def test_typed_output(fake: FakeClaude, has_option: bool) -> None:
    typed = {"action": "wait", "confidence": 0.5}
    if has_option:
        fake.plans(result("Done.", structured_output=typed))
    else:
        fake.plans(result(f"```json\n{json.dumps(typed)}\n```"), options=OPTIONS.replace("--json-schema", ""))
    async with Router(fake.configured()) as router:
        found = await Agent(RouterModel(router, model=MODEL), output_type=NativeOutput(Decision)).run("What now?")
    assert found.output == Decision(**typed)
    options = dict(word.partition("=")[::2] for word in fake.asked["arguments"])
    assert ("--json-schema" in options) is has_option
    schema = options["--json-schema"] if has_option else fake.asked["given"].rpartition("Its schema: ")[2]
    assert set(json.loads(schema)["properties"]) == {"action", "confidence"}


async def test_output_of_another_type_is_told_and_asked_for_again(fake: FakeClaude) -> None:
    fake.plans(result('{"action": "wait"}'), options=OPTIONS.replace("--json-schema", ""))
    async with Router(fake.configured()) as router:
        agent = Agent(RouterModel(router, model=MODEL), output_type=NativeOutput(Decision), retries=1)
        with pytest.raises(Exception, match="maximum"):
            await agent.run("What now?")
    assert "[assistant]" in fake.asked["given"] and "Field required" in fake.asked["given"]


async def test_it_is_not_chosen_where_tools_or_a_stream_are_needed(fake: FakeClaude) -> None:
    async with Router(fake.configured(f'{FLEET}\n[tiers]\nfrontier = ["{MODEL}"]\n')) as router:
        assert (await router.route(router.task(QUESTION, critical=True))).model == MODEL
        for need in ("tools", "stream"):
            route = await router.route(router.task(QUESTION, critical=True, needs=frozenset({need})))
            why = {considered.model: considered.why_not for considered in route.considered}
            assert MODEL not in route.models and why[MODEL] == f"it cannot do {need}"


async def test_private_work_never_goes_to_it(fake: FakeClaude) -> None:
    with pytest.raises(GizziError, match="private"):
        await ask(fake.configured(), private=True)
    assert not fake.was_asked


async def test_secrets_and_private_addresses_stay_here(fake: FakeClaude) -> None:
    settings = fake.plans(result("Look at <address:1>.")).configured(f"{FLEET}\n[privacy]\nredact_private_addresses = true\n")
    answer = await ask(settings, "password=hunter2hunter2 at 10.1.2.3: why does validator 6 lose peers?")
    everything = json.dumps(fake.asked)
    assert "hunter2" not in everything and "10.1.2.3" not in fake.asked["given"]
    assert answer.response == "Look at 10.1.2.3."


async def test_the_list_that_a_program_set_to_verbose_prints(fake: FakeClaude) -> None:
    settings = fake.plans(f'[{{"type": "system", "subtype": "init"}}, {result()}]').configured()
    assert (await ask(settings)).cost_usd == SPENT


async def test_tokens_and_costs_that_cannot_be(fake: FakeClaude) -> None:
    settings = fake.plans(result(cost="-1", modelUsage={}, usage={"input_tokens": True, "output_tokens": "x"})).configured()
    answer = await ask(settings)
    assert answer.cost_usd == MOST_USD and answer.usage.estimated and answer.usage.input_tokens > 0


@given(
    st.one_of(st.binary(max_size=60), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda it: json.dumps(it).encode()))
)
def test_whatever_it_prints_is_an_answer_or_none(output: bytes) -> None:
    with pytest.raises((Failure, ValueError)):
        read(output)


def test_off_until_it_is_configured(fake: FakeClaude) -> None:
    def why(settings: Settings) -> str | None:
        rows = {row["model"]: row for row in Router(settings).rows()}
        assert rows[MODEL]["reachable"] is (rows[MODEL]["why_not"] is None)
        said: str | None = rows[MODEL]["why_not"]
        return said

    assert why(fake.configured()) is None
    assert why(fake.configured(program="")) == "off: name its program in [providers.claude-code]"
    assert why(fake.configured(program="not-a-program")) == "'not-a-program', the program of [providers.claude-code], is not here"
    assert why(fake.configured(key_env="NOT_SET_KEY")) == "no key: set NOT_SET_KEY"

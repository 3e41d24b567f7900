"""Every command: its words, its help, and the call behind it. What a command needs is imported when it runs, so that help is instant."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

ABOUT = "An on-call engineer for fleets of Substrate validators: it watches, finds the one cause, and says what to do."
START, LOOK, ASK, ANSWER, PRACTISE = "Start", "Look", "Ask", "Answer", "Practise"


def _from_program(context: typer.Context, value: Path | None) -> Path | None:
    """--config may stand before the command too."""
    chosen: Path | None = value or context.find_root().params.get("config")
    return chosen


Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read this file instead of gizzi.toml.", callback=_from_program, show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
For = Annotated[str, typer.Option("--for", metavar="SPAN", help="For how long, such as 90s, 30m or 2h.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for those who read it later.")]


class Grouped(TyperGroup):
    """Lists the commands under headings, in the order in which one needs them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None) or "Commands"
                sections.setdefault(heading, []).append((name, command.get_short_help_str(90)))
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


_OPTIONS: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}
app = typer.Typer(cls=Grouped, help=ABOUT, invoke_without_command=True, **_OPTIONS)
learning = typer.Typer(help="Learn from outcomes which model answers what.", invoke_without_command=True, **_OPTIONS)
evaluation = typer.Typer(help="Measure how well models are chosen.", invoke_without_command=True, **_OPTIONS)
scenario = typer.Typer(help="Run simulated incidents, or record real ones.", invoke_without_command=True, **_OPTIONS)
memory = typer.Typer(help="Read, search and verify what is remembered.", invoke_without_command=True, **_OPTIONS)
notify = typer.Typer(help="See whether people can be told.", invoke_without_command=True, **_OPTIONS)
costs = typer.Typer(help="Show what models cost this month, and what is left.", invoke_without_command=True, **_OPTIONS)
guard = typer.Typer(help="Show whether anything may be carried out; stop it, resume it.", invoke_without_command=True, **_OPTIONS)


def program() -> Any:
    """Every command there is."""
    import_module("gizzi.cli.commands_act")
    import_module("gizzi.cli.commands_workflow")
    return get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        from gizzi.engine.own import version

        typer.echo(f"gizzi {version()}")
        raise typer.Exit


@app.callback()
def gizzi(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Read this file instead of gizzi.toml.", show_default=False)
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Where Gizzi itself fails, show the traceback.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        return
    from gizzi.cli.logs import quiet

    quiet(debug)


@app.command(rich_help_panel=START)
def demo(
    validators: Annotated[int, typer.Option("--validators", min=4, max=200, help="How many simulated validators.")] = 21,
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="For how long, in real time.")] = "90s",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where the REST API answers meanwhile.")] = 8080,
    headless: Annotated[bool, typer.Option("--headless", help="Tell the story in plain lines.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on after the story.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happened as JSON at the end.")] = False,
    config: Config = None,
) -> int:
    """Watch a simulated fleet fail and recover; needs nothing."""
    from gizzi.cli.demo import run_demo
    from gizzi.cli.words import span_s

    return int(
        run_demo(validators=validators, for_s=span_s(span), port=port, headless=headless, keep=keep, as_json=as_json, config=config) or 0
    )


@app.command(rich_help_panel=START)
def init(
    validator_ips: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take the validators of this validator-ips.json.", show_default=False)
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", metavar="URL", help="Take those among this server's targets.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write this file instead of gizzi.toml.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    config: Config = None,
) -> int:
    """Write gizzi.toml for your own validators."""
    from gizzi.cli.init import write_config

    for line in write_config(output or config, validator_ips=validator_ips, prometheus=prometheus, force=force):
        typer.echo(line)
    return 0


@app.command(rich_help_panel=START)
def doctor(as_json: Json = False, config: Config = None) -> int:
    """Say what is reachable, what is not, and why."""
    from gizzi.cli.doctor import show_doctor

    return show_doctor(config, as_json=as_json)


@app.command(rich_help_panel=START)
def watch(
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where the API listens; [api] listen by default.")
    ] = None,
    config: Config = None,
) -> int:
    """Watch the fleet until stopped, and serve the API."""
    from gizzi.cli.watch import watch_until_stopped

    return watch_until_stopped(config, listen)


@app.command(rich_help_panel=LOOK)
def status(
    as_json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 while any validator is critical.")] = False,
    config: Config = None,
) -> int:
    """Look at every validator once."""
    from gizzi.cli.status import show_status

    return show_status(config, as_json=as_json, check=check)


@app.command(rich_help_panel=LOOK)
def incidents(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not resolved.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """List incidents, newest first."""
    from gizzi.cli.incidents import list_incidents

    return list_incidents(config, only_open=only_open, as_json=as_json)


@app.command(rich_help_panel=LOOK)
def incident(
    name: Annotated[str, typer.Argument(metavar="ID", help="Such as inc-3.")], as_json: Json = False, config: Config = None
) -> int:
    """Show one incident: its cause, evidence, decision and timeline."""
    from gizzi.cli.incidents import show_incident

    return show_incident(config, name, as_json=as_json)


@app.command(rich_help_panel=ASK)
def ask(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - reads it from stdin.")],
    critical: Annotated[bool, typer.Option("--critical", help="It matters: ask the frontier tier.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Ask this model, or this tier.")] = None,
    role: Annotated[str | None, typer.Option("--role", metavar="R", help="Who asks, for that role's budget.")] = None,
    show_prompt: Annotated[bool, typer.Option("--show-prompt", help="Show exactly what would be sent, and send nothing.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Ask a question; the cheapest model that can answers it, or none where live status does."""
    from gizzi.cli.ask import ask_once

    return ask_once(config, question, critical=critical, model=model, role=role, as_json=as_json, show_prompt=show_prompt)


@app.command(rich_help_panel=ASK)
def compare(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - reads it from stdin.")],
    critical: Annotated[bool, typer.Option("--critical", help="It may use the budget kept for critical work.")] = False,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Ask every reachable model the same, and say what they agree on."""
    from gizzi.cli.ask import compare_all

    return compare_all(config, question, critical=critical, as_json=as_json)


@app.command(rich_help_panel=ASK)
def route(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - reads JSON lines from stdin.")],
    critical: Annotated[bool, typer.Option("--critical", help="It matters: the frontier tier.")] = False,
    private: Annotated[bool, typer.Option("--private", help="It may not leave the local tier.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Ask for this model, or this tier.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Say which model would answer, and why no other; nothing is called."""
    from gizzi.cli.route import show_route

    return show_route(config, question, critical=critical, private=private, model=model, as_json=as_json)


@app.command(rich_help_panel=ASK)
def models(as_json: Json = False, config: Config = None) -> int:
    """List the models with their tier, price and whether they can be reached."""
    from gizzi.cli.models import show_models

    return show_models(config, as_json=as_json)


@app.command(rich_help_panel=ASK)
def feedback(
    answer: Annotated[str, typer.Argument(metavar="ANSWER-ID", help="As `gizzi ask` shows it.")],
    verdict: Annotated[str, typer.Argument(metavar="good|bad", help="How the answer was.")],
    config: Config = None,
) -> int:
    """Say how an answer was; `gizzi learn train` learns from it."""
    from gizzi.cli.learn import give_feedback

    return give_feedback(config, answer, verdict)


@learning.callback()
def learnings(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@learning.command("train")
def train_router(
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Learn from this .csv or .csv.gz instead: prompt, model, right; or prompt, weak, strong."
        ),
    ] = None,
    weak: Annotated[str | None, typer.Option("--weak", metavar="ID", help="The model of the column weak.")] = None,
    strong: Annotated[str | None, typer.Option("--strong", metavar="ID", help="The model of the column strong.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Learn this model alone; the others stay as they are.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Train the router that the strategy `learned` asks, from feedback and from answers that facts contradicted."""
    from gizzi.cli.learn import train

    return train(config, file, weak=weak, strong=strong, model=model, as_json=as_json)


@app.command(rich_help_panel=ANSWER)
def ack(name: Annotated[str, typer.Argument(metavar="ID", help="Such as inc-3.")], config: Config = None) -> int:
    """Say that you have seen an incident and look after it."""
    from gizzi.cli.control import acknowledge

    return acknowledge(config, name)


@app.command(rich_help_panel=ANSWER)
def silence(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Such as peers_low.")],
    span: For,
    why: Why,
    validator: Annotated[int | None, typer.Option("--validator", metavar="N", help="Only on this validator.")] = None,
    config: Config = None,
) -> int:
    """Tell nobody of one rule for a while."""
    from gizzi.cli.control import add_silence

    return add_silence(config, rule, validator, span, why)


@app.command(rich_help_panel=ANSWER)
def maintenance(
    whom: Annotated[str, typer.Argument(metavar="N|CHAIN", help="A validator's number, or a chain.")],
    span: For,
    why: Why,
    config: Config = None,
) -> int:
    """Say that somebody works on a validator or a chain."""
    from gizzi.cli.control import add_maintenance

    return add_maintenance(config, whom, span, why)


@guard.callback()
def show_guard(context: typer.Context, config: Config = None) -> int | None:
    if context.invoked_subcommand is not None:
        return None
    from gizzi.cli.guard import show_guard

    return show_guard(config)


@guard.command("check")
def check_guard() -> int:
    """Read proposals as JSON lines from stdin and answer each: allow, ask or deny, and why."""
    from gizzi.cli.guard import check_lines

    return check_lines()


@guard.command("stop")
def stop_guard(
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for those who read it later.", show_default=False)] = "",
    config: Config = None,
) -> int:
    """Stop everything that would be carried out, in every process, at once."""
    from gizzi.cli.guard import stop_guard

    return stop_guard(config, why)


@guard.command("resume")
def resume_guard(config: Config = None) -> int:
    """Let actions be carried out again."""
    from gizzi.cli.guard import resume_guard

    return resume_guard(config)


@notify.callback()
def notifications(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@notify.command("test")
def test_channels(as_json: Json = False, config: Config = None) -> int:
    """Send a test message to every channel; exit with 1 if one fails."""
    from gizzi.cli.notify import send_test

    return send_test(config, as_json=as_json)


@costs.callback()
def show_costs(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="model|tier|role|kind|day", help="What to add up by.")] = "model",
    as_json: Json = False,
    config: Config = None,
) -> int | None:
    if context.invoked_subcommand is not None:
        return None
    from gizzi.cli.spend import show_costs

    return show_costs(config, by, as_json)


@costs.command("project")
def project_costs(
    mix: Annotated[str, typer.Option("--mix", metavar="SHARES", help="Such as local=70,standard=20,frontier=10, in percent.")],
    queries: Annotated[
        int | None,
        typer.Option("--queries-per-day", metavar="N", min=0, max=1_000_000_000, help="How many questions a day.", show_default=False),
    ] = None,
    tokens_in: Annotated[
        int | None, typer.Option("--tokens-in", metavar="N", min=0, max=100_000_000, help="Tokens of a question.", show_default=False)
    ] = None,
    tokens_out: Annotated[
        int | None, typer.Option("--tokens-out", metavar="N", min=0, max=100_000_000, help="Tokens of an answer.", show_default=False)
    ] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Work out what a mix of tiers would cost in a month."""
    from gizzi.cli.costs import show_projection

    return show_projection(config, mix, queries_per_day=queries, tokens_in=tokens_in, tokens_out=tokens_out, as_json=as_json)


@evaluation.callback()
def evaluations(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@evaluation.command("routing")
def eval_routing(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .csv.gz file with the columns prompt, weak and strong.")],
    train: Annotated[int, typer.Option("--train", metavar="N", help="Train on so many rows, and test on the others.")] = 1500,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Draws the rows to train on.")] = 0,
    cascade: Annotated[bool, typer.Option("--cascade", help="Read weak_response, the weak model's answer, before choosing.")] = False,
    as_json: Json = False,
) -> int:
    """Train a router on some rows of a file, and measure on the others how well it chooses."""
    from gizzi.cli.evaluate import eval_routing

    return eval_routing(file, train=train, seed=seed, cascade=cascade, as_json=as_json)


@evaluation.command("questions")
def eval_questions(as_json: Json = False, config: Config = None) -> int:
    """Measure the configured routing on 200 questions of operators; nothing is called."""
    from gizzi.cli.evaluate import eval_questions

    return eval_questions(config, as_json=as_json)


@scenario.callback()
def scenarios(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@scenario.command("run")
def run_scenarios(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Scenarios, or folders of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, one a scenario.")] = False,
    config: Config = None,
) -> int:
    """Run scenarios in simulated time; exit with 1 if one fails."""
    from gizzi.cli.scenarios import run_all

    return run_all(folders, as_json=as_json)


@scenario.command("record")
def record_scenario(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for it.")], span: For = "10m", config: Config = None
) -> int:
    """Turn what happens in the fleet now into a scenario."""
    from gizzi.cli.scenarios import record_one

    return record_one(config, folder, span)


@memory.callback()
def memories(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


Newest = Annotated[int, typer.Option("-n", "--number", metavar="N", min=1, max=10_000, help="At most so many, the newest.")]


@memory.command("tail")
def memory_tail(number: Newest = 20, as_json: Json = False, config: Config = None) -> int:
    """Show the newest entries, the newest last."""
    from gizzi.cli.memory import show_tail

    return show_tail(config, number, as_json=as_json)


@memory.command("search")
def memory_search(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="Words, or the beginnings of words; all of them must occur.")],
    number: Newest = 20,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Find entries, the newest first."""
    from gizzi.cli.memory import show_search

    return show_search(config, words, number, as_json=as_json)


@memory.command("verify")
def memory_verify(as_json: Json = False, config: Config = None) -> int:
    """Check that every entry is as it was written; exit with 1, and name the entry, where one is not."""
    from gizzi.cli.memory import show_verification

    return show_verification(config, as_json=as_json)


@memory.command("export")
def memory_export(
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write this file instead of stdout.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one an entry.")] = False,
    config: Config = None,
) -> int:
    """Write all entries, the oldest first, in the form of GLOBAL_MEMORY.md."""
    from gizzi.cli.memory import export

    return export(config, to, as_json=as_json)


@memory.command("note")
def memory_note(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be remembered.")],
    validator: Annotated[
        list[int] | None, typer.Option("--validator", metavar="N", min=0, help="A validator it is about; may be said again.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="T", help="A word to find it by; may be said again.")] = None,
    priority: Annotated[str, typer.Option("--priority", metavar="LOW|MEDIUM|HIGH|CRITICAL", help="How much it matters.")] = "LOW",
    config: Config = None,
) -> int:
    """Remember something yourself, signed with your account's name."""
    from gizzi.cli.memory import add_note

    return add_note(config, words, validators=validator or (), tags=tag or (), priority=priority)


app.add_typer(memory, name="memory", rich_help_panel=LOOK)
app.add_typer(notify, name="notify", rich_help_panel=START)
app.add_typer(costs, name="costs", rich_help_panel=ASK)
app.add_typer(guard, name="guard", rich_help_panel=ANSWER)
app.add_typer(learning, name="learn", rich_help_panel=ASK)
app.add_typer(evaluation, name="eval", rich_help_panel=PRACTISE)
app.add_typer(scenario, name="scenario", rich_help_panel=PRACTISE)

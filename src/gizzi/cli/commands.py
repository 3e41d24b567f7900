"""Every command: its words, its help, and the call behind it. What a command needs is imported when it runs, so that help is instant."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

ABOUT = "An on-call engineer for fleets of Substrate validators: it watches, finds the one cause, and says what to do."
START, LOOK, ASK, ANSWER, PRACTISE = HEADINGS = "Start", "Look", "Ask", "Answer", "Practise"
PARTS = ("models", "act", "memory", "roles", "workflow", "mcp", "scan", "propose", "service", "plugins", "tune")
"""The modules beside this one that add commands."""


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
                heading = getattr(command, "rich_help_panel", None) or START
                sections.setdefault(heading, []).append((name, command.get_short_help_str(90)))
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for heading, rows in sorted(sections.items(), key=lambda section: HEADINGS.index(section[0])):
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


OPTIONS: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}
app = typer.Typer(cls=Grouped, help=ABOUT, invoke_without_command=True, **OPTIONS)
scenario = typer.Typer(help="Run simulated incidents, or record real ones.", invoke_without_command=True, **OPTIONS)
notify = typer.Typer(help="See whether people can be told.", invoke_without_command=True, **OPTIONS)


def program() -> Any:
    """Every command there is."""
    for part in PARTS:
        import_module(f"gizzi.cli.commands_{part}")
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
def top(config: Config = None) -> int:
    """Watch the fleet live on this terminal; answer what waits."""
    from gizzi.cli.top import show_top

    return show_top(config)


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
    name: Annotated[str, typer.Argument(metavar="ID", help="Such as inc-3.")],
    postmortem: Annotated[bool, typer.Option("--postmortem", help="Write a postmortem in Markdown, from the facts alone.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the postmortem to this file, not to stdout.", show_default=False)
    ] = None,
    phrase: Annotated[
        bool, typer.Option("--phrase", help="Let a model phrase its summary; one that says what no fact does is left out.")
    ] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Which model, or tier, phrases it.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> int:
    """Show one incident: its cause, evidence, decision and timeline."""
    if postmortem:
        from gizzi.cli.postmortem import write_postmortem

        return write_postmortem(config, name, out=out, phrase=phrase, model=model)
    if out or phrase or model:
        raise typer.BadParameter("--out, --phrase and --model go with --postmortem")
    from gizzi.cli.incidents import show_incident

    return show_incident(config, name, as_json=as_json)


@notify.callback()
def notifications(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@notify.command("test")
def test_channels(as_json: Json = False, config: Config = None) -> int:
    """Send a test message to every channel; exit with 1 if one fails."""
    from gizzi.cli.notify import send_test

    return send_test(config, as_json=as_json)


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


app.add_typer(notify, name="notify", rich_help_panel=START)
app.add_typer(scenario, name="scenario", rich_help_panel=PRACTISE)

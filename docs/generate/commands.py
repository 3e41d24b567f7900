"""The commands, from the command line's own definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gizzi.cli.commands import program

from .markdown import code, join, page, sentence, table

INTRO = """
`gizzi COMMAND --help` prints the same. JSON goes to standard output, and nothing else does; progress and errors go to standard error.
Times are UTC. Spans of time are written `90s`, `1m30s`, `2h`, `1d`.

| exit code | means |
|---|---|
| 0 | done |
| 1 | what was asked failed: a scenario failed, a validator is critical (`--check`), the doctor found something broken, no answer came |
| 2 | a wrong command line or configuration; one line on standard error names the option, or the file and the key |
| 130, 141 | interrupted with Ctrl-C; whoever read the output went away |

Where a command reads a configuration, it takes `--config FILE`, which may also stand before the command; else `gizzi.toml` in this
folder, in `~/.config/gizzi/`, or in `/etc/gizzi/`. `gizzi demo`, `gizzi scenario run` and `gizzi init` need none.
"""
ALWAYS = {"--help"}


def walk(group: Any = None, path: str = "gizzi") -> Iterator[tuple[str, Any]]:
    """(words, command) of every command, the program itself first."""
    group = group or program()
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        if not command.hidden:
            yield from walk(command, f"{path} {name}")


def options_of(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option" and not ALWAYS & set(p.opts) and not p.hidden]


def arguments_of(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "argument" and not p.hidden]


def commands() -> list[tuple[str, Any]]:
    """(words, command) of all that does something: commands, and groups that do something by themselves, such as `gizzi costs`."""
    others = list(walk())[1:]
    return [(path, command) for path, command in others if not getattr(command, "commands", {}) or options_of(command)]


def commands_page() -> str:
    found = commands()
    summary = table(["command", "does"], [(f"[`{path}`](#{path.replace(' ', '-')})", command.help or "") for path, command in found])
    whole = table(["option of `gizzi` itself", "means"], [(code(_written(o)), o.help or "") for o in options_of(program())])
    return page("Commands", INTRO, summary, whole, *(_one(path, command) for path, command in found))


def _one(path: str, command: Any) -> str:
    rows = [(code(a.metavar or a.name), sentence(a.help or "")) for a in arguments_of(command)]
    rows += [(code(_written(o)), _meaning(o)) for o in options_of(command)]
    return join(f"## {path}", sentence(command.help or ""), f"```\n{_usage(path, command)}\n```", table(["word", "means"], rows))


def _usage(path: str, command: Any) -> str:
    words = [path, *(a.metavar or a.name.upper() for a in arguments_of(command))]
    words += [_written(o) if o.required else f"[{_written(o)}]" for o in options_of(command)]
    return " ".join(words)


def _written(option: Any) -> str:
    """`--for SPAN`; `--json`."""
    name = ", ".join(option.opts)
    return name if option.is_flag else f"{name} {option.metavar or 'N'}"


def _meaning(option: Any) -> str:
    told = sentence(option.help or "")
    if option.required:
        return f"{told} Required."
    shown = option.default is not None and option.show_default and not option.is_flag
    bounds = f" From {option.min} to {option.max}." if option.min is not None and option.max is not None else ""
    return told + bounds + (f" Default: `{option.default}`." if shown else "")

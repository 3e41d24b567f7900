"""The command line. `main` is the program: everything that goes wrong below ends here, as one plain line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from typer import Abort, TyperException

from gizzi.errors import GizziError
from gizzi.readers.text import one_line

LONGEST_ERROR = 1000
DEBUG = "--debug"


def main() -> None:
    """The entry point of the `gizzi` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command. Returns its exit code; never raises, but shows a traceback with --debug."""
    debug = DEBUG in arguments
    words = [word for word in arguments if word != DEBUG]
    words = [DEBUG, *words] if debug else words
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = _call(words, debug)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, Abort):
        return 130
    except TyperException as error:
        return _fail(_usage(error), 2)
    except GizziError as error:
        return _fail(str(error), error.exit_code)
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(f"this is a fault in Gizzi: {type(error).__name__}: {error}; `gizzi {DEBUG} …` shows where it happened", 1)


def _usage(error: TyperException) -> str:
    """What was wrong with the words of a command, and where to read how it is called."""
    said = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "gizzi"
    return f"{said[:1].lower()}{said[1:]} (`{path} --help` says how)"


def _call(words: list[str], debug: bool) -> int:
    from gizzi.cli.commands import program

    try:
        return program().main(words, "gizzi", standalone_mode=False) or 0
    except BaseExceptionGroup as group:
        raise _first(group) from (group if debug else None)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception of a group that a person should hear of: ours before others."""
    known = group.subgroup(GizziError) or group
    first: BaseException = known.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _fail(text: str, code: int) -> int:
    print(f"gizzi: {one_line(text, LONGEST_ERROR)}", file=sys.stderr)
    return code

"""A Modelfile for Ollama: what a tuned model is made of. https://docs.ollama.com/modelfile

The base brings its own template; the instructions reach it as data, so template marks in them do nothing. The format has no escape: a text
in triple quotes ends where a line, or the text, ends with three quotes.
"""

from __future__ import annotations

from gizzi.errors import UsageError
from gizzi.models.merge import OLLAMA_CONTEXT_TOKENS

PARAMETERS = {"temperature": "0", "num_ctx": str(OLLAMA_CONTEXT_TOKENS)}
"""The same evidence, the same decision; room for the longest prompt that such a model is sent."""
HINT = "# ADAPTER ./adapter.gguf        the trained adapter: without it this is its base with our instructions"


def modelfile(base: str, instructions: str, adapter: str | None = None) -> str:
    """base: an Ollama model's name, with or without "ollama/" before it, or a GGUF file. Raises UsageError."""
    lines = [f"FROM {_word('--base', base.removeprefix('ollama/'))}"]
    lines.append(f"ADAPTER {_word('--adapter', adapter)}" if adapter is not None else HINT)
    lines += [f"PARAMETER {name} {value}" for name, value in PARAMETERS.items()]
    return "\n".join((*lines, f"SYSTEM {quoted(instructions)}", ""))


def quoted(text: str) -> str:
    """In triple quotes, as one text whatever it holds: three quotes in it become apostrophes, control characters blanks."""
    shown = "".join(char if char.isprintable() or char == "\n" else " " for char in text.replace("\r\n", "\n").replace("\r", "\n"))
    return '"""' + shown.strip().replace('"""', "'''") + '"""'


def _word(option: str, value: str) -> str:
    """A name or a path, as one line says it."""
    if not value or not value.isprintable() or value != value.strip() or value.startswith('"'):
        raise UsageError(f"{option} {value[:80]!r} is no name and no path that a Modelfile can hold")
    return value

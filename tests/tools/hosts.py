"""A host that answers commands from a table: what the real one behind sshd cannot be made to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gizzi import SourceError, Validator

Answer = str | SourceError | Callable[[], str]


class TableSsh:
    """Answers a command by the first entry whose words all occur in its arguments; SourceErrors are raised."""

    def __init__(self, *table: tuple[str, Answer]) -> None:
        self.table = list(table)
        self.asked: list[list[str]] = []

    async def run(
        self,
        validator: Validator,
        command: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        timeout_s: float | None = None,
        with_stderr: bool = False,
    ) -> str:
        self.asked.append(list(command))
        line = " ".join(command)
        for words, answer in self.table:
            if all(word in line for word in words.split()):
                if isinstance(answer, SourceError):
                    raise answer
                return answer if isinstance(answer, str) else answer()
        raise AssertionError(f"no answer for {line}")

"""Where log lines go: nowhere while a command answers a person, to stderr while the daemon runs. Never to stdout."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from gizzi.readers.text import one_line

LONGEST_VALUE = 500


def quiet(debug: bool = False) -> None:
    """Only with --debug anything is said."""
    _configure(logging.DEBUG if debug else logging.CRITICAL)


def to_stderr() -> None:
    """One line an event: time, level, event, then key=value."""
    _configure(logging.INFO)


def _configure(level: int) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def _line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Values come from anywhere: each is one harmless word, or in quotes."""
    head = f"{event.pop('timestamp')} {event.pop('level')} {event.pop('event')}"
    return " ".join([head, *(f"{key}={_word(value)}" for key, value in event.items() if not key.startswith("_"))])


def _word(value: object) -> str:
    text = one_line(str(value), LONGEST_VALUE)
    return text if text and not any(c in ' "=\\' for c in text) else json.dumps(text, ensure_ascii=False)


class _OneLine(logging.Formatter):
    """Other libraries' warnings in the same form; of an exception its name and words, no traceback."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {"timestamp": _utc(record.created), "level": record.levelname.lower(), "event": record.name}
        event["message"] = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            event["error"] = repr(record.exc_info[1])
        return _line(None, "", event)


def _utc(at: float) -> str:
    from gizzi.clock import iso

    return iso(at) or ""

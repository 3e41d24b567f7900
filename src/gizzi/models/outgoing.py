"""What of a call may leave for a model: without secrets where the model is not on our own machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gizzi.models.redact import Redactor


def redacted(messages: Sequence[Any], redactor: Redactor) -> list[Any]:
    """The history with every text in it redacted; the messages given stay as they are."""
    return [_message(message, redactor) for message in messages]


def _message(message: Any, redactor: Redactor) -> Any:
    changed: dict[str, Any] = {"parts": [_part(part, redactor) for part in message.parts]}
    if getattr(message, "instructions", None):
        changed["instructions"] = redactor.redact(message.instructions).text
    return replace(message, **changed)


def _part(part: Any, redactor: Redactor) -> Any:
    changed: dict[str, Any] = {}
    for name in ("content", "args"):
        value = getattr(part, name, None)
        if isinstance(value, str):
            changed[name] = redactor.redact(value).text
        elif isinstance(value, list) and name == "content" and part.part_kind == "user-prompt":
            changed[name] = [redactor.redact(item).text if isinstance(item, str) else item for item in value]
        elif value and name == "content":
            changed[name] = _whole(part, value, redactor)
    return replace(part, **changed) if changed else part


def _whole(part: Any, value: Any, redactor: Redactor) -> Any:
    """A tool's result that is no text: as it is where nothing in it is secret."""
    said = part.model_response_str() if hasattr(part, "model_response_str") else json.dumps(value, default=str)
    shown = redactor.redact(said)
    return shown.text if shown.found else value

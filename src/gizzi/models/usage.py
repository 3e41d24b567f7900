"""Tokens: as a provider counted them where that can be believed, estimated from the text where not."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from gizzi.models.budget import is_amount
from gizzi.models.task import Usage

BYTES_A_TOKEN = 3.5
"""Of English prose it is 4 to 4.5, of code and JSON 3 to 4: estimates lean to the dear side."""
OVERHEAD_TOKENS = 8
SLACK_TOKENS = 20_000
"""What a provider may add to a prompt on its side (templates, tools) before its count is not believed."""
MOST_OUTPUT_TOKENS = 2_000_000
COST = "cost_usd"
"""In a response's provider_details: what it cost, a Decimal, where the wire is told. Then one question may be many calls, and its counts
large."""
MOST_RUN_TOKENS = 100_000_000


def estimated_tokens(text_bytes: int) -> int:
    return int(text_bytes / BYTES_A_TOKEN) + OVERHEAD_TOKENS


def sent_bytes(messages: Sequence[Any], parameters: Any = None) -> int:
    """About how many bytes of text go to the model."""
    texts = [content for message in messages for part in message.parts for content in _texts(part)]
    texts += [message.instructions for message in messages if getattr(message, "instructions", None)]
    for tool in (*getattr(parameters, "function_tools", ()), *getattr(parameters, "output_tools", ())):
        texts += [tool.name, tool.description or "", str(tool.parameters_json_schema)]
    schema = getattr(parameters, "output_object", None)
    if schema is not None:
        texts.append(str(schema.json_schema))
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def received_bytes(response: Any) -> int:
    return sum(len(text.encode("utf-8", "replace")) for part in response.parts for text in _texts(part))


def usage_of(response: Any, prompt_bytes: int) -> Usage:
    """What the provider said, where it said something possible; else an estimate, marked so."""
    said = response.usage
    counts = (said.input_tokens, said.output_tokens, said.cache_read_tokens, said.cache_write_tokens)
    whole = all(isinstance(count, int) and count >= 0 for count in counts)
    most = MOST_RUN_TOKENS if cost_of(response) is not None else 2 * prompt_bytes + SLACK_TOKENS
    if not whole or said.unmeasured_requests or not _is_possible(said, most):
        return estimated_usage(prompt_bytes, received_bytes(response))
    reasoning = said.output_reasoning_tokens or said.details.get("reasoning_tokens", 0)
    read = min(said.cache_read_tokens, said.input_tokens)
    return Usage(
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        cached_input_tokens=read,
        cache_write_tokens=min(said.cache_write_tokens, said.input_tokens - read),
        reasoning_tokens=max(0, min(reasoning, said.output_tokens)),
    )


def estimated_usage(prompt_bytes: int, answer_bytes: int) -> Usage:
    output = estimated_tokens(answer_bytes) if answer_bytes else 0
    return Usage(input_tokens=estimated_tokens(prompt_bytes), output_tokens=output, estimated=True)


def cost_of(response: Any) -> Decimal | None:
    """What the provider said that it cost, in US$; None where it said nothing, or nothing possible."""
    said = (getattr(response, "provider_details", None) or {}).get(COST)
    return said if isinstance(said, Decimal) and is_amount(said) else None


def _is_possible(said: Any, most_input: int) -> bool:
    """No tokenizer makes more tokens than there are bytes; and an answer with no tokens in or out was not counted."""
    input_tokens: int = said.input_tokens
    output_tokens: int = said.output_tokens
    return 0 < input_tokens <= most_input and output_tokens <= MOST_OUTPUT_TOKENS


def _texts(part: Any) -> list[str]:
    found = [getattr(part, "content", None), getattr(part, "args", None)]
    return [content if isinstance(content, str) else str(content) for content in found if content]

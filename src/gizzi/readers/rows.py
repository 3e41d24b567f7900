"""Rows of the catalogue as a file writes them: [providers.NAME] and [models."PROVIDER/NAME"], in gizzi.toml and in plugins alike.

Every key may be left out, because a later row changes an earlier one key by key; what a row must have in the end, the catalogue checks.
"""

from __future__ import annotations

import difflib
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

TIER_NAMES = ("local", "standard", "frontier")
Capability = Literal["tools", "json", "stream"]
HIGHEST_PRICE = 1_000_000
"""US$ per million tokens, a dollar a token: above it a price is a slip of the pen."""


def _http_url(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is not an http:// or https:// address")
    return value


def _tier(value: Any) -> Any:
    if value in TIER_NAMES or not isinstance(value, str):
        return value
    close = difflib.get_close_matches(value, TIER_NAMES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"the tiers are {', '.join(TIER_NAMES)}"
    raise ValueError(f"{value!r} is not a tier; {hint}")


TierName = Annotated[Literal["local", "standard", "frontier"], BeforeValidator(_tier)]
HttpUrl = Annotated[str, BeforeValidator(_http_url)]
Usd = Annotated[Decimal, Field(ge=0, le=HIGHEST_PRICE)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


class ProviderRow(_Row):
    api: str | None = Field(
        None,
        min_length=1,
        description="What it speaks: openai, openai-responses, anthropic, google, mistral, ollama, claude-code or a plugin's wire.",
    )
    url: HttpUrl | None = Field(None, description="Its base address, such as https://api.example/v1.")
    key_env: str | None = Field(
        None, min_length=1, description="The variable or systemd credential with its key; leave it out where it needs none."
    )
    key_file: str | None = Field(None, description="A file with its key, where the variable is not set.")
    program: str | None = Field(
        None, description="The program that its wire starts, by name or whole path; claude-code is off until it is named."
    )
    local: bool | None = Field(
        None, description="It runs on your own machines and sends nothing on, so what is private may go there; a near Ollama is by itself."
    )


class PriceRow(_Row):
    input: Usd = Field(description="US$ per million tokens of input.")
    output: Usd = Field(description="US$ per million tokens of output; reasoning counts as output.")
    cached_input: Usd | None = Field(None, description="US$ per million tokens read from the provider's cache; as input by default.")
    cache_write: Usd | None = Field(None, description="US$ per million tokens written to that cache; as input by default.")
    checked: date | None = Field(None, description="The day somebody last looked it up.")


class ModelRow(_Row):
    tier: TierName | None = Field(None, description="local, standard or frontier; the tier whose list in [tiers] names it goes first.")
    price: PriceRow | None = Field(None, description="What it costs; without it the installed price data is asked, and else it is unknown.")
    name: str | None = Field(None, min_length=1, description="What the provider calls it; by default what follows the first / of its id.")
    context_tokens: int | None = Field(None, ge=1, description="How many tokens of prompt and answer it takes together.")
    capabilities: tuple[Capability, ...] | None = Field(None, description="Which of tools, json and stream it can do; all by default.")
    retired: date | None = Field(None, description="The day from which requests to it fail.")
    base: str | None = Field(None, description="For a fine-tuned model: the id whose context and capabilities it shares.")

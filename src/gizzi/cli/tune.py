"""`gizzi tune export`: closed incidents as a data set to fine-tune a model on, with a card that says what is in it,
and a Modelfile."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from gizzi.cli.memory import everything, with_memory
from gizzi.cli.words import settings_of
from gizzi.clock import iso
from gizzi.engine.modelfile import modelfile
from gizzi.engine.training import Example, TrainingSet, training_set
from gizzi.errors import ConfigError, NotFound, UsageError
from gizzi.memory import Memory, Stored
from gizzi.memory.case import case_of
from gizzi.models.secrets import word_list
from gizzi.roles.load import ON_CALL, load_roles

CARD = """# Training set: decisions about incidents

Chat messages, one JSON object a line: the role on-call's instructions, an incident as it was remembered, and the decision that
its verdict bears out.

- `train.jsonl`: {train} examples{train_span}; SHA-256 {train_hash}
- `test.jsonl`: {test} examples{test_span}, newer than all of train; SHA-256 {test_hash}
- `Modelfile`: for Ollama, with the same instructions

## What is in it

{actions}

{rules}

## What is not

Of {cases} closed incidents:

{left_out}

## What was taken out

{redacted}

Keys, tokens, seeds, mnemonics, passwords and private IP addresses are looked for. Names of hosts and validators stay: read it
before you pass it on.

## What it cannot teach

- An action whose verdict was `resolved` is an example of that decision; after one that did not help, the example says so and escalates.
- A decision without an action has no verdict, so waiting and investigating hardly occur. A model trained on this alone will act too often.
- The words of the reasons were written by the model or the rules that decided.
"""


def export_examples(config: Path | None, out: Path, *, base: str, adapter: str | None) -> int:
    """base, adapter: for the Modelfile. Raises UsageError, NotFound, ConfigError."""
    settings = settings_of(config)
    instructions = load_roles(settings)[ON_CALL].persona
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out}: it is there and not empty; name a new folder")
    recipe = modelfile(base, instructions, adapter)
    stored = asyncio.run(with_memory(settings, _trusted))
    cases = [case for case in map(case_of, stored) if case is not None]
    found = training_set(cases, instructions, word_list())
    if not found.train:
        raise NotFound(f"none of {found.cases} closed incidents has a verdict to learn from; nothing was written")
    files = {f"{name}.jsonl": "".join(map(Example.line, part)) for name, part in (("train", found.train), ("test", found.test))}
    files |= {"card.md": card(found, files), "Modelfile": recipe}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error}") from None
    print(f"{out}: {len(found.train)} examples to train on, {len(found.test)} newer ones to test with; read {out / 'card.md'}")
    return 0


async def _trusted(memory: Memory) -> list[Stored]:
    verified = await memory.verify()
    if not verified.ok:
        raise ConfigError(f"the memory was changed, so nothing is learnt from it: {verified.fault}")
    return await everything(memory)


def card(found: TrainingSet, files: Mapping[str, str]) -> str:
    examples = found.train + found.test
    return CARD.format(
        train=len(found.train),
        test=len(found.test),
        train_span=_span(found.train),
        test_span=_span(found.test),
        train_hash=_hash(files["train.jsonl"]),
        test_hash=_hash(files["test.jsonl"]),
        actions=_list(Counter(example.action for example in examples)),
        rules=_list(Counter(example.rule for example in examples)),
        cases=found.cases,
        left_out=_list(found.left_out),
        redacted=_list(found.redacted),
    )


def _span(examples: list[Example]) -> str:
    return f", closed {iso(examples[0].closed_at)} to {iso(examples[-1].closed_at)}" if examples else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _list(counts: Counter[str]) -> str:
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return "\n".join(f"- {name}: {number}" for name, number in rows) or "- nothing"

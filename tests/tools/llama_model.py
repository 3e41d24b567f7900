"""Writes a language model of random weights that llama.cpp loads: half a megabyte, in a fraction of a second.

`python llama_model.py FILE`, with the interpreter that `llama.py install` gave the `gguf` package. What it says is ASCII noise, and it
never ends an answer by itself: the limit on tokens does, or a JSON schema, to which the server holds it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

WIDTH, HIDDEN, HEADS, LAYERS, CONTEXT_TOKENS = 64, 128, 4, 2, 8192
WORDS = ("▁the", "▁validator", "▁peers", "▁wait", "▁restart", "▁is", "▁and", "er")
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
UNKNOWN, BEGIN, END, FIRST_BYTE = 0, 1, 2, 3
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
"""Kinds of tokens in llama.cpp's vocabularies."""


def vocabulary() -> list[tuple[str, float, int]]:
    """Text, score and kind of each token, as SentencePiece has them."""
    special = [("<unk>", 0.0, _UNKNOWN), ("<s>", 0.0, _CONTROL), ("</s>", 0.0, _CONTROL)]
    bytes_ = [(f"<0x{byte:02X}>", 0.0, _BYTE) for byte in range(256)]
    letters = [("▁" if code == 0x20 else chr(code), -float(code), _NORMAL) for code in range(0x20, 0x7F)]
    return [*special, *bytes_, *letters, *((word, -float(place), _NORMAL) for place, word in enumerate(WORDS, 1))]


def write(path: str) -> None:
    gguf: Any = import_module("gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_vocabulary(writer)
    _add_weights(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any) -> None:
    texts, scores, kinds = zip(*vocabulary(), strict=True)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def _add_weights(writer: Any) -> None:
    numpy: Any = import_module("numpy")
    dice = numpy.random.default_rng(1)

    def add(name: str, *shape: int, at: Any = (), value: float = 0.0) -> None:
        made = numpy.ones(shape) if name.endswith("norm.weight") else dice.normal(0, WIDTH**-0.5, shape)
        if at:
            made[at] = value
        writer.add_tensor(name, made.astype(numpy.float32))

    tokens = len(vocabulary())
    add("token_embd.weight", tokens, WIDTH, at=(slice(None), 0), value=8.0)  # a signal that is always there,
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        add(f"blk.{layer}.attn_norm.weight", WIDTH)
        add(f"blk.{layer}.ffn_norm.weight", WIDTH)
        add(f"blk.{layer}.ffn_gate.weight", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_up.weight", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN)
    add("output_norm.weight", WIDTH)
    never = [END, *range(FIRST_BYTE + 0x80, FIRST_BYTE + 0x100)]
    add("output.weight", tokens, WIDTH, at=(never, 0), value=-10.0)  # and speaks against ending, and against broken UTF-8


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(sys.argv[1])

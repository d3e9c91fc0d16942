"""A tiny language model as GGUF, inside a package whose code must not run, as a built-in model has it."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import dequantize, quantize
from tokenizers.pre_tokenizers import ByteLevel

from showdown.core.files import sha256_of
from showdown.models import built_in
from showdown.models.built_in import BuiltIn

NAME = "tiny"
PACKAGE = "tiny_language_model"
FILE = "tiny.Q4_1.gguf"
TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = [*SPECIAL, *sorted(ByteLevel.alphabet()), "ĊĊ"]
WIDTH, HEADS, KEY_HEADS, INNER = 64, 2, 1, 96
_Q4_1, _Q8_0 = GGMLQuantizationType.Q4_1, GGMLQuantizationType.Q8_0


def _shapes() -> dict[str, tuple[int, int]]:
    keys = WIDTH // HEADS * KEY_HEADS
    return {
        "token_embd": (len(TOKENS), WIDTH),
        "blk.0.attn_q": (WIDTH, WIDTH),
        "blk.0.attn_k": (keys, WIDTH),
        "blk.0.attn_v": (keys, WIDTH),
        "blk.0.attn_output": (WIDTH, WIDTH),
        "blk.0.ffn_gate": (INNER, WIDTH),
        "blk.0.ffn_up": (INNER, WIDTH),
        "blk.0.ffn_down": (WIDTH, INNER),
    }


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Return rows of queries or keys in the order that llama.cpp has for its rotary embedding."""
    rows = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, rows, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(path: Path) -> dict[str, np.ndarray]:
    """Write the model, and return its weight matrices as the file holds them, rows in the order of transformers."""
    draw = np.random.default_rng(0)
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([TokenType.CONTROL] * len(SPECIAL) + [TokenType.NORMAL] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(["Ċ Ċ"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    held = {}
    for name, shape in _shapes().items():
        kind = _Q8_0 if name == "token_embd" else _Q4_1
        weight = draw.normal(0, 0.05, shape).astype(np.float32)
        held[name] = dequantize(quantize(weight, kind), kind)
        heads = {"attn_q": HEADS, "attn_k": KEY_HEADS}.get(name.rpartition(".")[2])
        stored = weight if heads is None else _interleaved(weight, heads)
        writer.add_tensor(f"{name}.weight", quantize(stored, kind), raw_dtype=kind)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


def install(root: Path, patch: pytest.MonkeyPatch, *, converted_sha256: str, sha256: str | None = None) -> Path:
    """Install the package, make its model a built-in one, and return its file.

    Args:
        root: an empty folder; the user's cache is in it too.
        patch: undoes all that.
        converted_sha256: of the weights that must result.
        sha256: of the file that is expected; None for what it has.

    """
    file = root / "packages" / PACKAGE / FILE
    file.parent.mkdir(parents=True)
    (file.parent / "__init__.py").write_text("raise SystemExit('run!')\n")
    write_gguf(file)
    patch.syspath_prepend(str(root / "packages"))
    patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    model = BuiltIn(
        package=PACKAGE,
        requirement="tiny-language-model==1.0",
        needs_dependencies=False,
        weights=FILE,
        sha256=sha256 or sha256_of(file),
        converted_sha256=converted_sha256,
        was_quantised="4 bits (GGUF Q4_1)",
        on_hub="somebody/tiny",
    )
    patch.setitem(dict_of(built_in.BUILT_IN), NAME, model)
    return file


def dict_of(table: object) -> dict[str, BuiltIn]:
    """Return the table of built-in models as what it is, so that a test can add to it."""
    assert isinstance(table, dict)
    return table

"""A language model of LLaMA's architecture as one GGUF file: weights, configuration, tokenizer and chat template.

Names of tensors and keys are those of the package `gguf`, which comes from llama.cpp; so is the order of the rows of
query and key, which llama.cpp turns in pairs of neighbours and transformers in halves.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.errors import UserError

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Floats = npt.NDArray[np.float32]
ARCHITECTURE = "llama"
_SUFFIXES = (".weight", ".bias")
_BYTE_LEVEL, _DIGITS = "ByteLevel", "Digits"
_SPLITS = {(_BYTE_LEVEL,): "gpt-2", (_DIGITS, _BYTE_LEVEL): "smollm"}
"""What GGUF calls a way to split texts before pairs of bytes are merged, by the kinds of its steps."""


def write_gguf(
    path: Path, module: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", name: str, kind: "GGMLQuantizationType"
) -> None:
    """Write a network and its tokenizer.

    Args:
        path: of the file.
        module: a causal language model, its number type any.
        tokenizer: of pairs of bytes, with a chat template.
        name: the model's, for those who open the file.
        kind: of the matrices' numbers; vectors stay in float32.

    Raises:
        UserError: for a tokenizer or a configuration that the file cannot hold.

    """
    from gguf import GGUFWriter

    writer = GGUFWriter(path, ARCHITECTURE)
    _write_configuration(writer, module.config, name, kind)
    _write_tokenizer(writer, tokenizer, int(module.config.vocab_size))
    _write_tensors(writer, module, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_configuration(
    writer: "GGUFWriter", config: "PretrainedConfig", name: str, kind: "GGMLQuantizationType"
) -> None:
    from gguf import GGMLQuantizationType, LlamaFileType

    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type", "default") != "default":
        raise UserError(f"positions are scaled as `{rope['rope_type']}`, which is not written into a GGUF here")
    heads = int(config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    types = {GGMLQuantizationType.F16: LlamaFileType.MOSTLY_F16, GGMLQuantizationType.Q8_0: LlamaFileType.MOSTLY_Q8_0}
    writer.add_name(name)
    writer.add_file_type(types[kind])
    writer.add_vocab_size(int(config.vocab_size))
    writer.add_context_length(int(config.max_position_embeddings))
    writer.add_embedding_length(int(config.hidden_size))
    writer.add_block_count(int(config.num_hidden_layers))
    writer.add_feed_forward_length(int(config.intermediate_size))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.num_key_value_heads))
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(rope.get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(float(config.rms_norm_eps))


def split_name(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """Return what GGUF calls the way in which a tokenizer splits texts; None where it has no such way.

    Only tokenizers of pairs of bytes have one (GPT-2's, SmolLM2's).
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    written = json.loads(backend.to_str())
    split = written["pre_tokenizer"] or {}
    steps = split.get("pretokenizers", [split])
    if (
        written["model"]["type"] != "BPE"
        or written["normalizer"]
        or any(step.get("add_prefix_space") for step in steps)
    ):
        return None
    if any(step.get("individual_digits") is False for step in steps):
        return None
    return _SPLITS.get(tuple(step.get("type") for step in steps))


def _write_tokenizer(writer: "GGUFWriter", tokenizer: "PreTrainedTokenizerBase", rows: int) -> None:
    """Write tokens, merges, special tokens and the chat template.

    Args:
        writer: of the file.
        tokenizer: see `write_gguf`.
        rows: of the embedding; those without a token get one that is never used.

    """
    from gguf import TokenType

    split = split_name(tokenizer)
    if split is None:
        raise UserError("its tokenizer splits texts in a way that is not written into a GGUF here")
    backend: Any = tokenizer
    merges = json.loads(backend.backend_tokenizer.to_str())["model"]["merges"]
    tokens = {number: token for token, number in tokenizer.get_vocab().items()}
    added = tokenizer.added_tokens_decoder
    special = {number for number, token in added.items() if token.special} | set(tokenizer.all_special_ids)
    kinds = []
    for number in range(rows):
        tokens.setdefault(number, f"[PAD{number}]")
        usual = TokenType.USER_DEFINED if number in added else TokenType.NORMAL
        unused = tokens[number] == f"[PAD{number}]"
        kinds.append(TokenType.UNUSED if unused else TokenType.CONTROL if number in special else usual)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list([tokens[number] for number in range(rows)])
    writer.add_token_types(kinds)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in merges])
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(int(number))
    writer.add_add_bos_token(False)  # the chat template writes it where there is one
    if tokenizer.chat_template:
        writer.add_chat_template(str(tokenizer.chat_template))


def _write_tensors(writer: "GGUFWriter", module: "PreTrainedModel", kind: "GGMLQuantizationType") -> None:
    from gguf import MODEL_ARCH, GGMLQuantizationType, get_tensor_name_map, quants

    config = module.config
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, int(config.num_hidden_layers))
    for name, value in module.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        called = names.get_name(name, try_suffixes=_SUFFIXES)
        if called is None:
            raise UserError(f"GGUF has no name for the tensor `{name}`")
        numbers: Floats = value.detach().to(torch.float32).cpu().numpy()
        if name.endswith(("q_proj.weight", "q_proj.bias")):
            numbers = _in_pairs(numbers, int(config.num_attention_heads))
        elif name.endswith(("k_proj.weight", "k_proj.bias")):
            numbers = _in_pairs(numbers, int(config.num_key_value_heads))
        whole = numbers.ndim == 1 or numbers.shape[-1] % 32
        used = GGMLQuantizationType.F32 if whole else kind
        writer.add_tensor(called, np.asarray(quants.quantize(numbers, used)), raw_dtype=used)


def _in_pairs(numbers: Floats, heads: int) -> Floats:
    """Return the rows of query or key with those that are turned together beside each other, as llama.cpp has them."""
    parts = numbers.reshape(heads, 2, numbers.shape[0] // heads // 2, *numbers.shape[1:])
    return np.ascontiguousarray(parts.swapaxes(1, 2).reshape(numbers.shape))

"""What the GPU benchmarks train: a classifier of Mistral-7B's shape, on texts of the study's lengths.

The weights are random. Engine and recipe get the same weights, rows, order and effective batch.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from showdown.fp8.linear import Fp8Linear
from showdown.training.batches import effective_batches

LABELS = 25
PAD = 2
"""The pad token is the end-of-sequence token, as in the study."""
RANK, ALPHA = 8, 16
EFFECTIVE_ROWS = {"full": 8, "lora": 16, "qlora": 16, "lora-fp8": 16, "full-fp8": 8}
LEARNING_RATE = {"full": 2e-5, "lora": 1e-4, "qlora": 2e-4, "lora-fp8": 1e-4, "full-fp8": 2e-5}
WEIGHT_DECAY = 0.01
HEADS = ("score", "lm_head")
"""Of a classifier and of a language model; neither is quantised."""
MATRIX_PARAMETERS = 6.979e9
"""Parameters in matrix products of the 7B shape."""
FLOPS_PER_SECOND = 790e12
"""Measured ceiling of bf16 matrix products on an H200."""
FULL_SHAPE = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 8, "vocab_size": 32000}  # fmt: skip
SMALL_SHAPE = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
               "num_key_value_heads": 8, "vocab_size": 32000}  # fmt: skip
"""Llama-3.2-1B's shape with another vocabulary: 0.97e9 weights in the layers."""
TINY_SHAPE = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4,
              "num_key_value_heads": 2, "vocab_size": 512}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Token ids and label of each training row."""

    ids: list[torch.Tensor]
    targets: list[int]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [row.numel() for row in self.ids]


def training_rows(vocabulary: int) -> Rows:
    """Return rows of random tokens with the lengths of the study's 673 training texts.

    Every fourth token tells the label, so that there is something to learn.
    """
    lengths = json.loads((Path(__file__).parent / "seed_lengths.json").read_text())["train"]
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(100, vocabulary, (length,), generator=generator) for length in lengths]
    targets = torch.randint(0, LABELS, (len(lengths),), generator=generator).tolist()
    for row, target in zip(ids, targets, strict=True):
        row[::4] = 10 + target
    return Rows(ids=ids, targets=targets)


def random_rows(lengths: list[int], vocabulary: int) -> Rows:
    """Return rows of these lengths, with random tokens and labels in turn."""
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(100, vocabulary, (length,), generator=generator) for length in lengths]
    return Rows(ids=ids, targets=[number % LABELS for number in range(len(lengths))])


def random_bf16(*shape: int) -> torch.Tensor:
    """Return random bfloat16 numbers on the GPU."""
    return torch.randn(*shape, device="cuda").bfloat16()


def vocabulary_of(*, tiny: bool) -> int:
    """Return the number of tokens of the network that is measured, or of the tiny one."""
    return (TINY_SHAPE if tiny else FULL_SHAPE)["vocab_size"]


def steps_of(method: str, rows: Rows, *, every: int, at_most: int | None) -> list[list[int]]:
    """Return the rows of each measured step: every `every`-th step of the seeded epoch, without its short last one."""
    size = EFFECTIVE_ROWS[method]
    batches = [batch for batch in effective_batches(len(rows.ids), size, seed=0, epoch=0) if len(batch) == size]
    return batches[::every][:at_most]


def base_model(
    *, tiny: bool, dtype: torch.dtype, device: str, four_bit: bool = False, fp8: bool = False,
    shape: dict[str, int] | None = None,
) -> Any:  # fmt: skip
    """Return a classifier with seeded random weights; `four_bit` or `fp8` holds all but embedding and head so."""
    from transformers import MistralConfig, MistralForSequenceClassification

    config = MistralConfig(
        **(shape or (TINY_SHAPE if tiny else FULL_SHAPE)), num_labels=LABELS, pad_token_id=PAD,
        max_position_embeddings=32768,
        sliding_window=4096, rms_norm_eps=1e-5, problem_type="single_label_classification", use_cache=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = MistralForSequenceClassification(config).to(dtype)
    if device != "meta":
        draw_weights(model, dtype=dtype, device=device, four_bit=four_bit, fp8=fp8)
    return model


def draw_weights(model: Any, *, dtype: torch.dtype, device: str, four_bit: bool, fp8: bool = False) -> None:
    """Give a network of Mistral's kind on the meta device seeded random weights, in place.

    Args:
        model: the network, with any head.
        dtype: of all weights, norms included.
        device: where they are drawn, one by one.
        four_bit: quantise the layers' matrices to NF4 as they are drawn; embedding and head stay as they are.
        fp8: the same with the product's own form.

    """
    generator = torch.Generator(device).manual_seed(0)
    for name, module in list(model.named_modules()):
        for own, parameter in list(module.named_parameters(recurse=False)):
            drawn = torch.empty(parameter.shape, dtype=dtype, device=device)
            drawn = drawn.normal_(0.0, 0.02, generator=generator) if parameter.dim() > 1 else drawn.fill_(1.0)
            setattr(module, own, nn.Parameter(drawn))
        if (four_bit or fp8) and type(module) is nn.Linear and name not in HEADS:
            parent, _, child = name.rpartition(".")
            held = Fp8Linear(module.weight.detach(), None, dtype) if fp8 else _quantised(module)
            setattr(model.get_submodule(parent), child, held)
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config).to(device)
    if four_bit:
        model.is_loaded_in_4bit = True


def _quantised(linear: nn.Linear) -> nn.Module:
    from bitsandbytes.nn import Linear4bit, Params4bit

    shape = (linear.in_features, linear.out_features)
    layer = Linear4bit(*shape, bias=False, quant_type="nf4", compute_dtype=torch.bfloat16, device="meta")
    device = linear.weight.device
    weight = Params4bit(linear.weight.data, requires_grad=False, quant_type="nf4", module=layer)
    layer.weight = weight.to(device)
    return layer


def arithmetic(method: str, tokens: int) -> float:
    """Return the operations of matrix products: 4 a parameter and token with a frozen base, 6 without."""
    return (6 if method.startswith("full") else 4) * MATRIX_PARAMETERS * tokens

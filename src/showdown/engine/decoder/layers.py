"""The parts of a decoder's layers that are called one by one."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from showdown.engine.decoder.projection import SharedInput, read_projection

if TYPE_CHECKING:
    from transformers import PretrainedConfig

ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_tanh": "gelu_tanh"}
"""Activations of gated units that the engine computes, by their name in a configuration."""


def activation_name(config: "PretrainedConfig") -> str:
    """Return the activation of the gated units."""
    return str(getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", None))


Positions = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Cosines and sines by layer type, each of shape (tokens, head width)."""


def window_of(attention: Any, config: "PretrainedConfig") -> int | None:
    """Return how many tokens a token of this attention sees, itself included; None for all before it."""
    if config.model_type == "mistral":
        return config.sliding_window  # type: ignore[no-any-return]
    return getattr(attention, "sliding_window", None)


def rotary(backbone: Any, like: torch.Tensor, places: torch.Tensor) -> Positions:
    """Return cosines and sines for each layer type of the backbone.

    Args:
        backbone: of the decoder.
        like: of the device and the number type that they get.
        places: of the tokens, shape (tokens,), int64.

    """
    embedding = backbone.rotary_emb
    by_type = "layer_type" in inspect.signature(type(embedding).forward).parameters
    types = sorted(set(getattr(backbone.config, "layer_types", None) or ["full_attention"]))
    found = {}
    for kind in types:
        cosine, sine = embedding(like[None], places[None], *([kind] if by_type else []))
        found[kind] = (cosine[0], sine[0])
    return found


@dataclass(frozen=True, kw_only=True)
class Linears:
    """The linear layers of one decoder layer, grouped by their input."""

    query_key_value: SharedInput
    query: SharedInput
    key_value: SharedInput
    output: SharedInput
    gate_up: SharedInput
    down: SharedInput


def linears_of(layer: Any, *, keep_scales: bool) -> Linears:
    """Return the linear layers of a decoder layer. `keep_scales` is that of `SharedInput`."""
    attention, mlp = layer.self_attn, layer.mlp

    def shared(*modules: nn.Module) -> SharedInput:
        return SharedInput(modules, keep_scales=keep_scales)

    return Linears(
        query_key_value=shared(attention.q_proj, attention.k_proj, attention.v_proj),
        query=SharedInput([attention.q_proj]),
        key_value=SharedInput([attention.k_proj, attention.v_proj]),
        output=shared(attention.o_proj),
        gate_up=shared(mlp.gate_proj, mlp.up_proj),
        down=shared(mlp.down_proj),
    )


def in_use(linears: Sequence[Linears]) -> list[SharedInput]:
    """Return the groups that are used: only the last layer may have queries apart from keys and values."""
    last = linears[-1]
    common = [shared for one in linears for shared in (one.output, one.gate_up, one.down)]
    return [*common, *(one.query_key_value for one in linears), last.query, last.key_value]


def has_foreign_dropout(layer: nn.Module) -> bool:
    """Return whether the layer draws random numbers of its own, which recomputing it must repeat."""
    linears = [module for name, module in layer.named_modules() if name.endswith("_proj")]
    return any(read_projection(module) is None for module in linears)

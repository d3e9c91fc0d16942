"""The names of a network's parts: its head, the linear layers of its stack, and parts that no text goes through."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_OTHER_MODALITIES = ("vision", "audio", "image", "video", "speech")
"""In the names of the configurations of a multimodal network's towers for pictures and sound."""
_FUSED = 3
"""Dimensions of a tensor that holds one matrix for each expert."""
_FEED_FORWARD = ("gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3")
_STATE_SPACES = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")
"""transformers' `model_type` of networks whose fused kernels read the weight of a layer's output projection themselves,
so that PEFT refuses an adapter on it."""
_LINEAR_TYPES = (nn.Linear, Conv1D)
"""bitsandbytes' Linear4bit is a subclass of nn.Linear; Conv1D is GPT-2's linear layer, its weight transposed."""


def outside_backbone(module: nn.Module) -> tuple[str, ...]:
    """Return the names of the children beside the backbone that have parameters: the head."""
    backbone = str(getattr(module, "base_model_prefix", ""))
    return tuple(
        name for name, child in module.named_children() if name != backbone and any(True for _ in child.parameters())
    )


def topmost(names: set[str]) -> tuple[str, ...]:
    """Drop names that lie inside another of them."""
    return tuple(sorted(name for name in names if not any(name.startswith(other + ".") for other in names)))


def other_modalities(module: nn.Module) -> tuple[str, ...]:
    """Return the names of a multimodal network's towers for pictures and sound, found by their configurations."""
    config: Any = module.config
    kinds = tuple(
        type(part)
        for name, part in parts_of(config)
        if part is not config and any(modality in name for modality in _OTHER_MODALITIES)
    )
    return topmost(
        {name for name, child in module.named_modules() if isinstance(getattr(child, "config", None), kinds)}
    )


def parts_of(config: "PretrainedConfig", name: str = "") -> Iterator[tuple[str, "PretrainedConfig"]]:
    """Yield a configuration and all configurations within it, each with its name there."""
    yield name, config
    for inner in getattr(config, "sub_configs", {}):
        part = getattr(config, inner, None)
        if part is not None:
            yield from parts_of(part, inner)


def _is_linear(child: nn.Module) -> bool:
    """Return whether a layer maps one vector to one. A router that is a linear layer by class returns more."""
    if not isinstance(child, _LINEAR_TYPES):
        return False
    if isinstance(child, Conv1D) or type(child).forward is nn.Linear.forward or hasattr(child, "quant_state"):
        return True
    try:
        with torch.no_grad():
            found = child(torch.zeros_like(child.weight[:1]))
    except Exception:  # whatever it raises, it is no linear layer
        return False
    return isinstance(found, torch.Tensor) and found.shape == (1, child.out_features)


def stack_linears(module: nn.Module, other_names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the linear layers inside stacks of layers, but for those in these modules.

    Where the experts of a mixture are one tensor, PEFT takes the names of feed-forward layers for theirs: those beside
    them are left out.
    """
    stacks = [name for name, child in module.named_modules() if isinstance(child, nn.ModuleList)]
    kind = getattr(getattr(module, "config", None), "model_type", None)
    fused = any(".experts." in name and value.dim() == _FUSED for name, value in module.named_parameters())
    return tuple(
        name
        for name, child in module.named_modules()
        if _is_linear(child)
        and not (fused and name.rpartition(".")[2] in _FEED_FORWARD)
        and not (kind in _STATE_SPACES and name.endswith(".out_proj"))
        and any(name.startswith(stack + ".") for stack in stacks)
        and not any(name == other or name.startswith(other + ".") for other in other_names)
    )

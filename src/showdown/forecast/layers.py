"""The linear layers of an adapted network, and what learns beside them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import nn

from showdown.engine.decoder.projection import read_projection
from showdown.methods.parts import roles_of, widths


@dataclass(frozen=True, kw_only=True)
class LinearKind:
    """All linear layers of the network's stack that are alike."""

    role: str
    """What it does in its layer; `other` where unknown."""
    inputs: int
    outputs: int
    learns: bool
    """Whether its own weight learns."""
    rank: int
    """Of its adapter; 0 without one."""
    dropout: bool
    opaque: bool
    """Whether the engine calls the layer's module, which may do anything, instead of computing it."""


def linear_kinds(module: nn.Module, linear_names: tuple[str, ...]) -> dict[LinearKind, list[nn.Module]]:
    """Return the linear layers of a stack, those that are alike together.

    Args:
        module: the adapted network.
        linear_names: layers of the stack, by their names in the pretrained network.

    """
    wanted, found = set(linear_names), dict[LinearKind, list[nn.Module]]()
    for name, child in module.named_modules():
        own = name.removeprefix("base_model.model.")
        if own in wanted:
            kind = _kind(own, child)
            found.setdefault(kind, []).append(child)
    return found


def _kind(name: str, child: Any) -> LinearKind:
    base = getattr(child, "base_layer", child)
    inputs, outputs = widths(base)
    adapters = getattr(child, "lora_A", None)
    rank = max((int(one.weight.shape[0]) for one in adapters.values()), default=0) if adapters is not None else 0
    dropouts = getattr(child, "lora_dropout", None) or {}
    return LinearKind(
        role=next(iter(roles_of(name)), "other"),
        inputs=inputs,
        outputs=outputs,
        learns=bool(base.weight.requires_grad),
        rank=rank,
        dropout=any(getattr(one, "p", 0.0) > 0 for one in dropouts.values()),
        opaque=child is not base and read_projection(child) is None,
    )


def learning_tensors(module: nn.Module) -> Counter[tuple[int, str]]:
    """Return how many tensors learn, by numbers and type."""
    return Counter((value.numel(), str(value.dtype)) for value in module.parameters() if value.requires_grad)

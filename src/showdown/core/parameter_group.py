"""Parameter groups: which parameters of a network share a learning rate and a weight decay."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """Parameters that are stepped alike."""

    names: tuple[str, ...]
    """As `named_parameters` of the module gives them; all are trainable."""
    rate_scale: float = 1.0
    """Multiplies the learning rate of the step."""
    decay_scale: float = 1.0
    """Multiplies the weight decay of the protocol."""


def default_groups(parameters: "Iterable[tuple[str, torch.Tensor]]") -> list[ParameterGroup]:
    """Return two groups: matrices, which decay, and vectors, which do not, as in transformers' Trainer.

    Args:
        parameters: names and parameters; frozen ones are left out.

    """
    trainable = [(name, value) for name, value in parameters if value.requires_grad]
    matrices = tuple(name for name, value in trainable if value.dim() > 1)
    vectors = tuple(name for name, value in trainable if value.dim() <= 1)
    return [ParameterGroup(names=matrices), ParameterGroup(names=vectors, decay_scale=0.0)]

"""Settings of an optimizer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from showdown.core.parameter_group import ParameterGroup

Rounding = Literal["nearest", "stochastic", "float32"]
"""Of bfloat16 weights (`bf16.py`)."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """How steps are taken."""

    weight_decay: float
    """Decoupled from the gradient; each group has it scaled."""
    name: str = "adamw"
    """A key of `showdown.engine.optim.table.OPTIMIZERS`."""
    groups: Sequence[ParameterGroup] | None = None
    """Together they name every parameter that learns, once; None for `default_groups`."""
    rounding: Rounding = "nearest"
    """Of bfloat16 weights; parameters of any other type are stepped in their own."""
    in_backward: bool = False
    """Step each parameter as soon as its gradient is there, and free the gradient. No clipping, no accumulation."""
    moments_on_host: bool = False
    """Offload the moments to pinned host memory, copied to the GPU for each parameter's step. Needs `in_backward`."""
    places: Mapping[str, int] | None = None
    """For each parameter a number that tells its random bits from others': copies of one have the same in all processes
    that train a network together, parts of one have different ones. None numbers the parameters."""

"""The table of optimizers: a name and its class."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from showdown.engine.optim.adamw import AdamW
from showdown.engine.optim.adamw_8bit import Adamw8bit
from showdown.engine.optim.apollo import Apollo
from showdown.engine.optim.galore import Galore
from showdown.engine.optim.lion import Lion
from showdown.engine.optim.optimizer import Optimizer
from showdown.engine.optim.settings import OptimizerSettings, Rounding

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adamw": AdamW,
    "lion": Lion,
    "adamw_8bit": Adamw8bit,
    "galore_adamw": Galore,
    "apollo_adamw": Apollo,
}


def build_optimizer(parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings) -> Optimizer:
    """Return the optimizer of these parameters.

    Raises:
        ValueError: for an unknown optimizer, or for settings that it does not take.

    """
    if settings.name not in OPTIMIZERS:
        raise ValueError(f"optimizer `{settings.name}` unknown; there are {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[settings.name](parameters, settings)


def state_bytes(parameters: Iterable[torch.Tensor], rounding: Rounding, *, optimizer: str = "adamw") -> int:
    """Return the bytes of moments and master weights that an optimizer keeps for these parameters.

    Args:
        parameters: all that learn.
        rounding: of bfloat16 weights.
        optimizer: a key of `OPTIMIZERS`.

    """
    return OPTIMIZERS[optimizer].state_bytes(parameters, rounding)


def decompositions(parameters: Iterable[torch.Tensor], *, optimizer: str, steps: int) -> Counter[tuple[int, int]]:
    """Return how many singular value decompositions an optimizer takes in a training, by rows and columns.

    Args:
        parameters: all that learn.
        optimizer: a key of `OPTIMIZERS`.
        steps: of the training.

    """
    kind = OPTIMIZERS[optimizer]
    times = math.ceil(steps / kind.refresh_steps) if kind.refresh_steps else 0
    shapes = Counter((min(value.shape), max(value.shape)) for value in parameters if kind.decomposed(value.shape))
    return Counter({shape: times * number for shape, number in shapes.items()})

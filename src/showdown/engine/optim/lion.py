"""Lion (Chen et al., arXiv 2302.06675): steps by the sign of an interpolated gradient, with one moment."""

from collections.abc import Mapping
from typing import ClassVar

import torch

from showdown.engine.optim.bf16 import master_weight, store_
from showdown.engine.optim.optimizer import Optimizer

_BETA1, _BETA2 = 0.9, 0.99
"""The paper's defaults: of the step's direction, and of the moment."""


class Lion(Optimizer):
    """Lion with decoupled weight decay: half of AdamW's optimizer state."""

    moments: ClassVar[tuple[str, ...]] = ("first",)

    def _step(self, gradients: Mapping[str, torch.Tensor], scale: torch.Tensor) -> None:
        """Step one parameter after another, in float32."""
        for name, given in gradients.items():
            parameter, low = self._parameters[name].data, self._low.get(name)
            (first,) = self._moments_of(name)
            gradient, moment, rate = given.float() / scale, first.float(), self._rate_of(name)
            direction = torch.lerp(gradient, moment, _BETA1).sign()
            exact = master_weight(parameter, low) * (1.0 - rate * self._decay_of(name)) - rate * direction
            store_(parameter, exact, low, [(first, torch.lerp(gradient, moment, _BETA2))], self._seeds_of(name))

"""What optimizers have in common that keep the moments of a matrix at a lower rank.

The gradient of a matrix with m rows and n columns, m at most n (else its transpose), is projected to r rows, r a
quarter of m: the share that both papers train with from 350 million weights on. Vectors are stepped as AdamW steps
them, and so are matrices with one side more than six times the other: embeddings and heads, which the papers leave out.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch

from showdown.engine.optim.bf16 import AdamwStep, master_weight, store_
from showdown.engine.optim.optimizer import Moments, Optimizer

RANK_SHARE = 4
"""m / r."""
_MOST_UNLIKE = 6
"""The longer side over the shorter one, up to which a matrix is projected; feed-forward layers have up to 5.8."""
SCALE = RANK_SHARE**0.5
"""Of the step. A step in r of m directions is sqrt(m / r) times shorter than AdamW's; so it is as long."""
REFRESH = 200
"""Steps after which another projection is taken: the default of both papers."""


def rank_of(shape: torch.Size) -> int:
    """Return the rank that the gradient of a parameter is projected to; 0 where it is not projected."""
    if len(shape) != 2:
        return 0
    short, long = sorted(shape)
    return short // RANK_SHARE if long <= _MOST_UNLIKE * short else 0


class LowRank(Optimizer):
    """AdamW, with the moments of most matrices at a quarter of their rank."""

    keeps_rows: ClassVar[bool] = False

    @classmethod
    def new_state(cls, parameter: torch.Tensor, kind: torch.dtype) -> Moments:
        """Return the moments, of a projected matrix with its rank as rows, and what else is kept of it."""
        rank = rank_of(parameter.shape)
        shape = (rank, max(parameter.shape)) if rank else parameter.shape
        first = torch.zeros(shape, dtype=kind, device=parameter.device)
        more = cls.kept_of_projected(parameter, kind)
        return first, first.clone(), more if rank else more.new_zeros(0)

    @classmethod
    @abstractmethod
    def kept_of_projected(cls, parameter: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        """Return what is kept of a projected matrix beside its moments, before the first step."""

    def _step(self, gradients: Mapping[str, torch.Tensor], scale: torch.Tensor) -> None:
        """Step one parameter after another, in float32."""
        for name, given in gradients.items():
            parameter, low = self._parameters[name].data, self._low.get(name)
            step = AdamwStep(learning_rate=self._rate_of(name), weight_decay=self._decay_of(name), number=self._steps)
            gradient = given.float() / scale
            if rank_of(parameter.shape):
                wide = parameter.shape[0] <= parameter.shape[1]
                direction, moments = self._projected(name, gradient if wide else gradient.T, step)
                direction = direction if wide else direction.T
            else:
                first, second, _ = self._moments_of(name)
                direction, moments = adam_(gradient, first, second, step)
            exact = master_weight(parameter, low) * (1.0 - step.learning_rate * step.weight_decay)
            store_(parameter, exact - step.learning_rate * direction, low, moments, self._seeds_of(name))

    @abstractmethod
    def _projected(
        self, name: str, gradient: torch.Tensor, step: AdamwStep
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Return the direction of a matrix's step, and where its moments are kept with their new values.

        Args:
            name: of the parameter.
            gradient: float32, with at most as many rows as columns.
            step: the step's numbers.

        """

    def _is_refreshed(self) -> bool:
        """Return whether this step takes another projection."""
        return (self._steps - 1) % REFRESH == 0


def adam_(
    gradient: torch.Tensor, first: torch.Tensor, second: torch.Tensor, step: AdamwStep
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Return Adam's direction, and where both moments are kept with their new values, all in float32."""
    new_first = torch.lerp(first.float(), gradient, 1.0 - step.first_decay)
    new_second = second.float() * step.second_decay + (1.0 - step.second_decay) * gradient.square()
    denominator = new_second.sqrt() / step.second_correction + step.epsilon
    return new_first / denominator / step.first_correction, [(first, new_first), (second, new_second)]

"""APOLLO (Zhu et al., arXiv 2412.05270): each column of a gradient is scaled as AdamW would scale its projection."""

from typing import ClassVar

import torch

from showdown.engine.dropout import hash_seeds
from showdown.engine.optim.bf16 import AdamwStep
from showdown.engine.optim.low_rank import REFRESH, SCALE, LowRank, adam_, rank_of

_MOST_GROWTH = 1.01
"""Of a step's norm from one step to the next; the paper's limiter, which spares the first steps' spikes."""


class Apollo(LowRank):
    """The projection is random, drawn anew from a seed in each step, so that it is not kept (algorithm 1)."""

    moments: ClassVar[tuple[str, ...]] = ("first", "second", "norm")

    @classmethod
    def kept_of_projected(cls, parameter: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        """Return the norm of the last step's direction, float32."""
        del kind
        return torch.zeros(1, dtype=torch.float32, device=parameter.device)

    def _projected(
        self, name: str, gradient: torch.Tensor, step: AdamwStep
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        first, second, last = self._moments_of(name)
        low = self._projection(name, gradient) @ gradient
        adam, moments = adam_(low, first, second, step)
        tiny = torch.finfo(torch.float32).tiny
        columns = adam.norm(dim=0) / low.norm(dim=0).clamp(min=tiny)
        direction = SCALE * gradient * columns
        norm = direction.norm()
        limit = torch.where(last[0] > 0, _MOST_GROWTH * last[0] / norm.clamp(min=tiny), torch.ones_like(norm))
        shrink = limit.clamp(max=1.0)
        last.copy_((norm * shrink).view(1))
        return direction * shrink, moments

    def _projection(self, name: str, gradient: torch.Tensor) -> torch.Tensor:
        """Return normal numbers of shape (rank, rows), of variance 1 / rank; the same ones for 200 steps."""
        rows = gradient.shape[0]
        rank = rank_of(gradient.shape)
        draw = torch.Generator(device=gradient.device)
        draw.manual_seed(hash_seeds((self._steps - 1) // REFRESH, self._places[name])[0])
        normal: torch.Tensor = torch.randn(rank, rows, generator=draw, device=gradient.device)
        return normal.div_(rank**0.5)

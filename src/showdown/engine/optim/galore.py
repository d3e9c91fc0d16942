"""GaLore (Zhao et al., arXiv 2403.03507): AdamW on the gradient's projection to its main directions."""

from typing import ClassVar

import torch

from showdown.engine.optim.bf16 import AdamwStep
from showdown.engine.optim.low_rank import REFRESH, SCALE, LowRank, adam_, rank_of


class Galore(LowRank):
    """The projection is that to the left singular vectors of a gradient, taken every 200 steps (algorithm 2)."""

    moments: ClassVar[tuple[str, ...]] = ("first", "second", "projection")
    refresh_steps: ClassVar[int] = REFRESH

    @classmethod
    def decomposed(cls, shape: torch.Size) -> bool:
        """See `Optimizer`."""
        return rank_of(shape) > 0

    @classmethod
    def kept_of_projected(cls, parameter: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        """Return the projection, shape (shorter side, rank)."""
        shape = (min(parameter.shape), rank_of(parameter.shape))
        return torch.zeros(shape, dtype=kind, device=parameter.device)

    def _projected(
        self, name: str, gradient: torch.Tensor, step: AdamwStep
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        first, second, projection = self._moments_of(name)
        if self._is_refreshed():
            left, _, _ = torch.linalg.svd(gradient, full_matrices=False)
            projection.copy_(left[:, : projection.shape[1]])
        direction, moments = adam_(projection.float().T @ gradient, first, second, step)
        return SCALE * (projection.float() @ direction), moments

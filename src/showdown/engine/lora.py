"""The adapters of one input: u = scale (x m) A^T for each, and its gradients, on any device.

With dropout on a GPU the Triton kernels do it in one pass over x; elsewhere plain matrix products do.
"""

import functools
import importlib.util
from collections.abc import Sequence

import torch

from showdown.engine.dropout import Dropout, keep_mask


@functools.cache
def _triton_here() -> bool:
    return importlib.util.find_spec("triton") is not None


def _kernels_apply(x: torch.Tensor, downs: Sequence[torch.Tensor], dropout: Dropout | None) -> bool:
    if dropout is None or not x.is_cuda or not _triton_here() or x.dtype == torch.float32:
        return False
    from showdown.engine import lora_kernels

    same = len({down.shape for down in downs}) == 1
    return same and len(downs) <= lora_kernels.MOST_ADAPTERS and downs[0].shape[0] <= lora_kernels.MOST_RANK


def _stacked(downs: Sequence[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """Return the A matrices as (adapters, padded rank, width) in `dtype`, zeros in the padding."""
    from showdown.engine import lora_kernels

    rank, width = downs[0].shape
    padded = lora_kernels.padded_rank(rank)
    stacked = torch.zeros((len(downs), padded, width), dtype=dtype, device=downs[0].device)
    for number, down in enumerate(downs):
        stacked[number, :rank].copy_(down)
    return stacked


def _padded(gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    from showdown.engine import lora_kernels

    tokens, rank = gradients[0].shape
    padded = gradients[0].new_zeros((len(gradients), tokens, lora_kernels.padded_rank(rank)))
    for number, gradient in enumerate(gradients):
        padded[number, :, :rank].copy_(gradient)
    return padded


def _masked(x: torch.Tensor, dropout: Dropout | None, number: int) -> torch.Tensor:
    if dropout is None:
        return x
    return x * (keep_mask((x.shape[0], x.shape[1]), dropout, mask=number, device=x.device) * dropout.scale).to(x.dtype)


def project_down(x: torch.Tensor, downs: Sequence[torch.Tensor], dropout: Dropout | None) -> list[torch.Tensor]:
    """Return u of shape (tokens, rank) for each A of shape (rank, width)."""
    if dropout is not None and _kernels_apply(x, downs, dropout):
        from showdown.engine import lora_kernels

        u = lora_kernels.down(x, _stacked(downs, x.dtype), dropout)
        return [u[number, :, : downs[0].shape[0]] for number in range(len(downs))]
    return [_masked(x, dropout, number) @ down.to(x.dtype).t() for number, down in enumerate(downs)]


def gradients_down(
    x: torch.Tensor, gradients: Sequence[torch.Tensor], downs: Sequence[torch.Tensor], dropout: Dropout | None
) -> list[torch.Tensor]:
    """Return dA of shape (rank, width) for each du of shape (tokens, rank)."""
    if dropout is not None and _kernels_apply(x, downs, dropout):
        from showdown.engine import lora_kernels

        found = lora_kernels.down_gradient(x, _padded(gradients), dropout)
        return [found[number, : downs[0].shape[0]] for number in range(len(downs))]
    return [gradient.t() @ _masked(x, dropout, number) for number, gradient in enumerate(gradients)]


def add_input_gradient_(
    dx: torch.Tensor, gradients: Sequence[torch.Tensor], downs: Sequence[torch.Tensor], dropout: Dropout | None
) -> None:
    """Add scale m (du A) of each adapter to dx of shape (tokens, width), in place."""
    if dropout is not None and _kernels_apply(dx, downs, dropout):
        from showdown.engine import lora_kernels

        lora_kernels.input_gradient_(dx, _padded(gradients), _stacked(downs, dx.dtype), dropout)
        return
    for number, (gradient, down) in enumerate(zip(gradients, downs, strict=True)):
        if dropout is None:
            dx.addmm_(gradient, down.to(dx.dtype))
        else:
            dx += _masked(gradient @ down.to(dx.dtype), dropout, number)

"""LoRA adapters of one input: u = scale (x m) A^T for each, and its gradients, on any device.

With dropout on a GPU Triton kernels compute it in one pass over x, otherwise plain matrix products. The A matrices of
all adapters of an input are stacked, in the compute type; without dropout one product serves all of them, and u of each
is a slice of its result.
"""

import torch

from showdown.engine.dropout import Dropout, keep_mask
from showdown.engine.kernels.available import triton_is_here
from showdown.engine.products import linear

_MOST_ADAPTERS = 3
_LEAST_RANK, _MOST_RANK = 16, 64


def padded_rank(rank: int, *, on_gpu: bool) -> int:
    """Return the rank to compute with: on a GPU a power of two and at least 16, as its matrix units need."""
    return max(_LEAST_RANK, 1 << (rank - 1).bit_length()) if on_gpu else rank


def _kernels_apply(x: torch.Tensor, adapters: int, rank: int) -> bool:
    fits = adapters <= _MOST_ADAPTERS and _LEAST_RANK <= rank <= _MOST_RANK
    return fits and x.is_cuda and triton_is_here() and x.dtype != torch.float32


def _masked(x: torch.Tensor, dropout: Dropout | None, number: int) -> torch.Tensor:
    if dropout is None:
        return x
    return x * (keep_mask((x.shape[0], x.shape[1]), dropout, mask=number, device=x.device) * dropout.scale).to(x.dtype)


def project_down(x: torch.Tensor, a: torch.Tensor, dropout: Dropout | None) -> torch.Tensor:
    """Return u of shape (adapters, tokens, rank) for x (tokens, width) and the stacked A (adapters, rank, width)."""
    adapters, rank, _ = a.shape
    if dropout is not None and _kernels_apply(x, adapters, rank):
        from showdown.engine.kernels import lora as lora_kernels

        return lora_kernels.down(x, a, threshold=dropout.threshold, seeds=dropout.seeds, scale=dropout.scale)
    if dropout is None:
        return linear(x, a.flatten(0, 1)).view(x.shape[0], adapters, rank).transpose(0, 1)
    u = x.new_empty((adapters, x.shape[0], rank))
    for number in range(adapters):
        torch.mm(_masked(x, dropout, number), a[number].t(), out=u[number])
    return u


def add_up_(y: torch.Tensor, u: torch.Tensor, b: torch.Tensor, scaling: float) -> None:
    """Add scaling u B^T to y of shape (tokens, width), in place, for u (tokens, rank) and B (width, rank)."""
    if _kernels_apply(y, 1, u.shape[1]) and y.is_contiguous():
        from showdown.engine.kernels import lora as lora_kernels

        lora_kernels.add_up_(y, u, b, scaling)
        return
    y.addmm_(u, b.t(), alpha=scaling)


def gradients_down(x: torch.Tensor, du: torch.Tensor, dropout: Dropout | None) -> torch.Tensor:
    """Return dA of shape (adapters, rank, width) for du of shape (adapters, tokens, rank)."""
    adapters, _, rank = du.shape
    if dropout is not None and _kernels_apply(x, adapters, rank):
        from showdown.engine.kernels import lora as lora_kernels

        return lora_kernels.down_gradient(x, du, threshold=dropout.threshold, seeds=dropout.seeds, scale=dropout.scale)
    if dropout is None:
        return torch.mm(_side_by_side(du).t(), x).view(adapters, rank, x.shape[1])
    da = x.new_empty((adapters, rank, x.shape[1]))
    for number in range(adapters):
        torch.mm(du[number].t(), _masked(x, dropout, number), out=da[number])
    return da


def add_input_gradient_(dx: torch.Tensor, du: torch.Tensor, a: torch.Tensor, dropout: Dropout | None) -> None:
    """Add scale m (du A) of each adapter to dx of shape (tokens, width), in place."""
    adapters, rank, _ = a.shape
    if dropout is not None and _kernels_apply(dx, adapters, rank):
        from showdown.engine.kernels import lora as lora_kernels

        lora_kernels.input_gradient_(dx, du, a, threshold=dropout.threshold, seeds=dropout.seeds, scale=dropout.scale)
        return
    if dropout is None:
        dx.addmm_(_side_by_side(du), a.flatten(0, 1))
        return
    for number in range(adapters):
        dx += _masked(du[number] @ a[number], dropout, number)


def _side_by_side(u: torch.Tensor) -> torch.Tensor:
    """Return u of shape (adapters, tokens, rank) as (tokens, adapters * rank); no copy where `project_down` made it."""
    return u.transpose(0, 1).flatten(1)

"""RMS norms (Zhang and Sennrich 2019) of a residual stream: one Triton kernel on a GPU, transformers' module elsewhere.

The kernel adds to the residual stream and normalises it in one pass over memory. Its backward pass adds the gradient of
the norm and that of the sum, in one pass too.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from showdown.engine.kernels.available import triton_is_here


def _takes_kernel(x: torch.Tensor, norm: nn.Module) -> bool:
    """Return whether the kernel computes this norm: it does not where PEFT has put an adapter layer around it."""
    return x.is_cuda and triton_is_here() and not hasattr(norm, "base_layer")


def _epsilon_and_offset(norm: Any) -> tuple[float, bool]:
    """Return epsilon, and whether the weight is an offset from 1 (Gemma)."""
    return (norm.variance_epsilon, False) if hasattr(norm, "variance_epsilon") else (norm.eps, True)


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, residual: torch.Tensor, delta: torch.Tensor | None, weight: torch.Tensor, epsilon: float, offset: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        from showdown.engine.kernels import norms as norm_kernels

        total, normed, rstd = norm_kernels.forward(residual, delta, weight, epsilon, offset=offset)
        ctx.offset, ctx.adds = offset, delta is not None
        ctx.save_for_backward(total, weight, rstd)
        return total, normed

    @staticmethod
    def backward(ctx: Any, dtotal: torch.Tensor, dnormed: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        from showdown.engine.kernels import norms as norm_kernels

        total, weight, rstd = ctx.saved_tensors
        dx, dweight = norm_kernels.backward(
            dnormed.contiguous(), dtotal.contiguous(), total, weight, rstd,
            offset=ctx.offset, learns=ctx.needs_input_grad[2],
        )  # fmt: skip
        return dx, dx if ctx.adds else None, dweight, None, None


def add_rms_norm(
    residual: torch.Tensor, delta: torch.Tensor | None, norm: nn.Module
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return residual + delta and its RMS norm over the last dimension, as the transformers module computes it.

    Args:
        residual: shape (tokens, width).
        delta: as `residual`; None where nothing is added.
        norm: the module: Llama's kind, which has `variance_epsilon`, or Gemma's, which has `eps`.

    """
    if not _takes_kernel(residual, norm):
        total = residual if delta is None else residual + delta
        return total, norm(total)
    weight: Any = norm.weight
    found: tuple[torch.Tensor, torch.Tensor] = _AddNorm.apply(residual, delta, weight, *_epsilon_and_offset(norm))  # type: ignore[no-untyped-call]
    return found


def rms_norm(x: torch.Tensor, norm: nn.Module) -> torch.Tensor:
    """Return the RMS norm of x over its last dimension."""
    if not _takes_kernel(x, norm):
        normed: torch.Tensor = norm(x)
        return normed
    return add_rms_norm(x.reshape(-1, x.shape[-1]), None, norm)[1].view(x.shape)


def plain_rms_norm(norm: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a norm as a function for passes without gradients: one call of PyTorch's where no kernel computes it."""
    weight: Any = getattr(norm, "weight", None)
    if weight is None or hasattr(norm, "base_layer"):
        return norm
    if _takes_kernel(weight, norm):
        return lambda x: rms_norm(x, norm)
    epsilon, offset = _epsilon_and_offset(norm)
    factor = (weight.detach().float() + 1.0) if offset else weight.detach()
    if not offset or weight.dtype == torch.float32:
        return lambda x: functional.rms_norm(x, (x.shape[-1],), factor, epsilon)
    return lambda x: functional.rms_norm(x.float(), (x.shape[-1],), factor, epsilon).to(x.dtype)

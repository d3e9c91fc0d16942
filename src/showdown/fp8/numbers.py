"""Numbers in e4m3 with a float32 scale a row, and products of them.

A row of values is divided by its largest absolute value over 448 before it is rounded.

The gradient of an input is dY W, for a weight W of rows s_n w_n. The scales lie on the dimension that is summed, where
a product has none: they are multiplied into dY before it is rounded. The gradient is then that of the very numbers that
the forward pass multiplied with, and needs the bytes of w alone, transposed (`transposed`).

A GPU computes with Triton's kernels and its matrix units. Elsewhere plain PyTorch makes the same roundings, slowly: for
trials and tests (`machine.EMULATE`).
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from showdown.fp8.format import E4M3, LARGEST, MULTIPLE, SMALLEST_TOP


class Quantised(NamedTuple):
    """Rows in e4m3."""

    codes: torch.Tensor
    """Shape (rows, width), e4m3."""
    scale: torch.Tensor
    """What each row is multiplied by, shape (rows, 1), float32."""


def quantise(parts: Sequence[torch.Tensor], factors: Sequence[torch.Tensor] | None = None) -> Quantised:
    """Return rows that lie side by side as one row each, with one scale for all of it.

    Args:
        parts: up to three, each of shape (rows, its width).
        factors: for each part what its columns are multiplied by first, shape (its width,), float32.

    """
    if parts[0].is_cuda:
        from showdown.fp8 import kernels

        return Quantised(*kernels.quantise([_in_rows(part) for part in parts], factors))
    wide = [part.float() for part in parts]
    if factors is not None:
        wide = [part * factor for part, factor in zip(wide, factors, strict=True)]
    return rounded(torch.cat(wide, dim=1))


def _in_rows(part: torch.Tensor) -> torch.Tensor:
    """Return a matrix with the numbers of each row beside each other in memory."""
    return part if part.stride(1) == 1 else part.contiguous()


def rounded(rows: torch.Tensor) -> Quantised:
    """Return float32 rows in e4m3, in plain PyTorch on any device."""
    top = rows.abs().amax(dim=1, keepdim=True).clamp_min(SMALLEST_TOP)
    scale = top * (1 / LARGEST)
    return Quantised(_codes(rows, scale), scale)


def _codes(rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (rows * scale.reciprocal()).to(E4M3)


def stacked(weights: Sequence[torch.Tensor]) -> Quantised:
    """Return weights below each other in e4m3.

    Args:
        weights: up to three, each of shape (its outputs, inputs), contiguous.

    """
    if weights[0].is_cuda:
        from showdown.fp8 import kernels

        return Quantised(*kernels.stacked(weights))
    return rounded(torch.cat([weight.float() for weight in weights]))


def turned_stack(weights: Sequence[torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
    """Return the codes of `stacked` transposed: shape (inputs, all outputs), e4m3, from the weights again.

    Args:
        weights: those of `stacked`, unchanged since.
        scale: which it returned, shape (all outputs, 1).

    """
    if weights[0].is_cuda:
        from showdown.fp8 import kernels

        return kernels.turned_stack(weights, scale)
    return (
        _codes(torch.cat([weight.float() for weight in weights]), scale).view(torch.uint8).t().contiguous().view(E4M3)
    )


def transposed(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return weights of shape (its outputs, inputs) side by side, transposed: shape (inputs, all outputs), e4m3."""
    if weights[0].is_cuda:
        from showdown.fp8 import kernels

        return kernels.transposed(weights)
    return torch.cat([weight.view(torch.uint8) for weight in weights]).t().contiguous().view(E4M3)


def columns(rows: torch.Tensor, factor: torch.Tensor) -> Quantised:
    """Return the columns of a matrix as rows in e4m3, each with its own scale; zeros fill them up to a multiple of 16.

    Args:
        rows: shape (rows, width).
        factor: what each row is multiplied by first, shape (rows, 1), float32.

    """
    if rows.is_cuda:
        from showdown.fp8 import kernels

        return Quantised(*kernels.columns(_in_rows(rows), factor))
    found = rounded((rows.float() * factor).t())
    return Quantised(_filled_up(found.codes), found.scale)


def turned(codes: torch.Tensor) -> torch.Tensor:
    """Return codes of shape (rows, width) transposed, each row filled up with zeros to a multiple of 16."""
    if codes.is_cuda:
        from showdown.fp8 import kernels

        return kernels.transposed([codes], multiple=MULTIPLE)
    return _filled_up(codes.t())


def _filled_up(codes: torch.Tensor) -> torch.Tensor:
    missing = -codes.shape[1] % MULTIPLE
    return nn.functional.pad(codes.contiguous().view(torch.uint8), (0, missing)).view(E4M3)


def weight_gradient(dy: Quantised, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return dY^T X of shape (outputs, inputs).

    The scales of the rows of X lie on the dimension that is summed: they are multiplied into dY before it is rounded.

    Args:
        dy: the gradient of a layer's output, from `columns` with the scales of the rows of X as factors.
        x: the codes of the layer's input, as `turned` returns them.
        dtype: of the gradient.

    """
    return product(dy, x, None, dtype)


def product(x: Quantised, weight: torch.Tensor, scale: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor:
    """Return x W^T of shape (rows, outputs).

    Args:
        x: of width (inputs).
        weight: shape (outputs, inputs), e4m3, contiguous.
        scale: of its rows, shape (outputs,), float32; None where it is one.
        dtype: of the product.

    """
    if not weight.is_cuda:
        sums = (x.codes.float() @ weight.float().t()) * x.scale
        return (sums if scale is None else sums * scale).to(dtype)
    scales = _ones(weight.shape[0], weight.device) if scale is None else scale
    return torch._scaled_mm(
        x.codes, weight.t(), scale_a=x.scale, scale_b=scales.view(1, -1), out_dtype=dtype, use_fast_accum=True
    )


@functools.cache
def _ones(count: int, device: torch.device) -> torch.Tensor:
    return torch.ones(count, device=device)

"""Rotary positions and gated units: Liger's kernels on a GPU where they are installed, plain PyTorch elsewhere.

Both compute the same function; `docs/performance.md` says how much time each saves.
"""

import functools
import importlib.util
from typing import Any

import torch
from torch.nn import functional

from showdown.engine.decoder.projection import Group, SharedInput


@functools.cache
def liger_is_here() -> bool:
    """Return whether Liger's kernels can be imported; they need Triton too."""
    return all(importlib.util.find_spec(name) is not None for name in ("liger_kernel", "triton"))


def _fused(x: torch.Tensor) -> bool:
    return x.is_cuda and liger_is_here()


def _rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cosine[:, None, :] + torch.cat((-second, first), dim=-1) * sine[:, None, :]


def rotate(
    query: torch.Tensor, key: torch.Tensor, positions: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return query and key rotated by their positions (RoPE, Su et al. 2021, arXiv 2104.09864).

    Args:
        query: shape (tokens, query heads, head width); it may be overwritten.
        key: shape (tokens, key heads, head width); it may be overwritten.
        positions: cosines and sines, each of shape (tokens, head width), with equal halves.

    """
    cosine, sine = positions
    if not _fused(query):
        return _rotated(query, cosine, sine), _rotated(key, cosine, sine)
    from liger_kernel.ops.rope import LigerRopeFunction

    turned_query, turned_key = LigerRopeFunction.apply(
        query[None].transpose(1, 2), key[None].transpose(1, 2), cosine[None], sine[None]
    )
    # Not `[0]`: its backward pass fills a new tensor with zeros and copies the gradient into it.
    return turned_query.transpose(1, 2).squeeze(0), turned_key.transpose(1, 2).squeeze(0)


def rotate_apart(x: torch.Tensor, positions: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return x of shape (tokens, heads, head width) rotated by its positions."""
    return _rotated(x, *positions)


def gated(gate: torch.Tensor, up: torch.Tensor, activation: str) -> torch.Tensor:
    """Return activation(gate) * up."""
    if _fused(gate):
        from liger_kernel.ops.geglu import geglu_forward
        from liger_kernel.ops.swiglu import swiglu_forward

        forward = swiglu_forward if activation == "silu" else geglu_forward
        product: torch.Tensor = forward(gate, up)[-1]
        return product
    acted = functional.silu(gate) if activation == "silu" else functional.gelu(gate, approximate="tanh")
    return acted * up


def gated_gradients(
    gate: torch.Tensor, up: torch.Tensor, product: torch.Tensor, activation: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradients of gate and up from that of their product; on a GPU they overwrite gate and up."""
    if _fused(gate):
        from liger_kernel.ops.geglu import geglu_backward
        from liger_kernel.ops.swiglu import swiglu_backward

        if activation == "silu":
            da, db = swiglu_backward(gate, up, product)
        else:
            da, db = geglu_backward(gate, up, product)
        return da, db
    with torch.enable_grad():
        leaves = gate.detach().requires_grad_(), up.detach().requires_grad_()
        value = gated(leaves[0], leaves[1], activation)
    da, db = torch.autograd.grad(value, leaves, product)
    return da, db


class _GatedDown(torch.autograd.Function):
    """down(activation(gate) * up). The backward pass computes the product again instead of keeping it."""

    @staticmethod
    def forward(
        ctx: Any, gate: torch.Tensor, up: torch.Tensor, group: Group, activation: str, *_parameters: torch.Tensor
    ) -> torch.Tensor:
        outputs, inner = group.project(gated(gate, up, activation))
        ctx.group, ctx.activation = group, activation
        ctx.save_for_backward(gate, up, inner)
        return outputs[0]

    @staticmethod
    def backward(ctx: Any, output: torch.Tensor) -> tuple[Any, ...]:
        gate, up, inner = ctx.saved_tensors
        product = gated(gate, up, ctx.activation) if ctx.group.needs_input else None
        dproduct, found = ctx.group.gradients(product, inner, [output.contiguous()], needs_input_gradient=True)
        del product
        da, db = gated_gradients(gate, up, dproduct, ctx.activation)
        return (da, db, None, None, *found)


def gated_down(
    gate: torch.Tensor, up: torch.Tensor, down: SharedInput, *, activation: str, seeds: torch.Tensor
) -> torch.Tensor:
    """Return down(activation(gate) * up) for gate and up of shape (tokens, inner width).

    Args:
        gate: before the activation. The backward pass overwrites gate and up, so it can run once.
        up: the other factor.
        down: the linear layer that reads the product, alone.
        activation: `silu`, or `gelu_tanh`.
        seeds: of the dropout masks of the product in this forward pass, shape (2,).

    """
    output: torch.Tensor
    group = down.group(seeds)
    if group is None:
        (output,) = (module(_differentiable_gated(gate, up, activation)) for module in down.modules)
        return output
    output = _GatedDown.apply(gate, up, group, activation, *group.parameters)  # type: ignore[no-untyped-call]
    return output


def _differentiable_gated(gate: torch.Tensor, up: torch.Tensor, activation: str) -> torch.Tensor:
    acted = functional.silu(gate) if activation == "silu" else functional.gelu(gate, approximate="tanh")
    return acted * up

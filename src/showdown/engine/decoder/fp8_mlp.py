"""A gated feed-forward part in fp8 as one autograd function: what lies between its products is rounded as it is made.

The product of gate and up is not written in 16 bits, nor are the gradients of both, unless an adapter reads them.
"""

from collections.abc import Sequence
from typing import Any

import torch

from showdown.engine.decoder import fused
from showdown.engine.decoder.projection import Group, SharedInput
from showdown.fp8.numbers import Quantised, quantise, turned


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, gate_up: Group, down: Group, activation: str, *_parameters: torch.Tensor
    ) -> torch.Tensor:
        rounded_x = quantise([x])
        gate, up, inner = _gate_and_up(gate_up, x, rounded_x)
        product, rounded = _gated(gate, up, activation, plain=bool(down.adapted))
        outputs, inner_down = down.project(product, rounded)
        ctx.gate_up, ctx.down, ctx.activation = gate_up, down, activation
        codes, scale = rounded_x if gate_up.learns_in_fp8 else (None, None)
        ctx.save_for_backward(
            x if gate_up.needs_input else None, codes, scale, rounded.scale if down.learns_in_fp8 else None,
            gate, up, inner, inner_down,
        )  # fmt: skip
        return outputs[0]

    @staticmethod
    def backward(ctx: Any, doutput: torch.Tensor) -> tuple[Any, ...]:
        x, codes, scale, product_scale, gate, up, inner, inner_down = ctx.saved_tensors
        gate_up, down, activation = ctx.gate_up, ctx.down, ctx.activation
        turned_product = None if product_scale is None else _turned_gated(gate, up, activation, product_scale)
        dproduct, of_down = down.gradients(
            _product(gate, up, activation) if down.needs_input else None, inner_down, [doutput.contiguous()],
            needs_input_gradient=True, turned_x=turned_product, scale_x=product_scale,
        )  # fmt: skip
        del turned_product
        gradients, rounded = _gradients(gate, up, dproduct, gate_up, activation)
        del dproduct
        dx, of_gate_up = gate_up.gradients(
            x, inner, gradients, needs_input_gradient=ctx.needs_input_grad[0], rounded=rounded,
            turned_x=None if codes is None else turned(codes), scale_x=scale,
        )  # fmt: skip
        return (dx, None, None, None, *of_gate_up, *of_down)


def _gate_and_up(
    group: Group, x: torch.Tensor, rounded: Quantised
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Return gate and up of shape (tokens, inner width), side by side where one product gives both, and u."""
    if group.is_stack and not group.adapted and not group.has_bias:
        gate, up = group.project_stack(rounded, x.dtype).chunk(2, dim=1)
        return gate, up, None
    (gate, up), inner = group.project(x, rounded)
    return gate, up, inner


def _product(gate: torch.Tensor, up: torch.Tensor, activation: str) -> torch.Tensor:
    """Return activation(gate) * up again."""
    if gate.is_contiguous():
        return fused.gated(gate, up, activation)
    return _gated(gate, up, activation, plain=True)[0]


def _gated(gate: torch.Tensor, up: torch.Tensor, activation: str, *, plain: bool) -> tuple[torch.Tensor, Quantised]:
    """Return activation(gate) * up, and the same in e4m3.

    On a GPU the first is `gate` itself unless `plain`: nobody reads it.
    """
    if not gate.is_cuda:
        product = fused.gated(gate, up, activation)
        return product, quantise([product])
    from showdown.fp8 import kernels

    found, codes, scale = kernels.gated(gate, up, silu=activation == "silu", plain=plain)
    return gate if found is None else found, Quantised(codes, scale)


def _turned_gated(gate: torch.Tensor, up: torch.Tensor, activation: str, scale: torch.Tensor) -> torch.Tensor:
    """Return the codes of activation(gate) * up transposed, as `turned` does, for the scales of its rows."""
    if not gate.is_cuda:
        return turned(quantise([fused.gated(gate, up, activation)]).codes)
    from showdown.fp8 import kernels

    return kernels.turned_gated(gate, up, scale, silu=activation == "silu")


def _gradients(
    gate: torch.Tensor, up: torch.Tensor, dproduct: torch.Tensor, group: Group, activation: str
) -> tuple[Sequence[torch.Tensor], Quantised]:
    """Return the gradients of gate and up, if anything learns from them, and both as `Group.gradients` takes them."""
    if not gate.is_cuda:
        both = fused.gated_gradients(gate, up, dproduct, activation)
        return both, quantise(both, group.scales())
    from showdown.fp8 import kernels

    codes, scale = kernels.gated_gradients(
        gate, up, dproduct, group.scales(), silu=activation == "silu", plain=bool(group.parameters)
    )
    return (gate, up), Quantised(codes, scale)


def mlp(
    x: torch.Tensor, gate_up: SharedInput, down: SharedInput, *, activation: str, seeds: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return down(activation(gate(x)) * up(x)) for x of shape (tokens, width); both inputs have all layers in fp8.

    Args:
        x: the normed input.
        gate_up: the layers of gate and up. The backward pass overwrites what they return, so it can run once.
        down: the layer that reads their product.
        activation: `silu`, or `gelu_tanh`.
        seeds: of the dropout masks of both inputs in this forward pass, each of shape (2,).

    """
    first, second = gate_up.group(seeds[0]), down.group(seeds[1])
    assert first is not None and second is not None
    output: torch.Tensor = _Mlp.apply(x, first, second, activation, *first.parameters, *second.parameters)  # type: ignore[no-untyped-call]
    return output

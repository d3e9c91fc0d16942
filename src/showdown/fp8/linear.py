"""Linear layers that compute in fp8: a frozen one, which PEFT takes as the base of any adapter, and one that learns."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn

from showdown.fp8.format import E4M3, MULTIPLE
from showdown.fp8.numbers import (
    Quantised,
    columns,
    product,
    quantise,
    stacked,
    transposed,
    turned,
    turned_stack,
    weight_gradient,
)

WEIGHT_GRADIENTS_IN_FP8 = False
"""Whether the third product of a layer that learns is in fp8 too, or in the type of its input. The latter is faster and
nearer to bfloat16: a 7B took 0.213 s a step in place of 0.227 on an H100 (`full_fp8`), and the losses of 50 steps
were 0.047 off in place of 0.066 (`fp8_curves`)."""


def fits(linear: nn.Linear) -> bool:
    """Return whether a layer's widths are those that fp8 products take."""
    return linear.in_features % MULTIPLE == 0 and linear.out_features % MULTIPLE == 0


def fp8_layer(linear: nn.Linear, weight: torch.Tensor, dtype: torch.dtype) -> nn.Module:
    """Return a linear layer in fp8.

    Args:
        linear: gives the bias.
        weight: shape (outputs, inputs), on the device where it stays.
        dtype: the compute type.

    """
    return Fp8Linear(weight, linear.bias, dtype)


class Fp8Linear(nn.Linear):
    """A linear layer whose weight is in e4m3 with a scale for each output; its input is rounded too, token by token.

    It computes gradients of its input alone.
    """

    scale: torch.Tensor
    """Of each output, shape (outputs,), float32."""

    def __init__(self, weight: torch.Tensor, bias: Any, dtype: torch.dtype) -> None:
        """Round a weight.

        Args:
            weight: shape (outputs, inputs), on the device where it stays.
            bias: in `dtype`, or None.
            dtype: the compute type.

        """
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.dtype = dtype
        codes, scale = quantise([weight])
        # As plain bytes, which nothing takes for numbers that could be cast to another type.
        self.bytes = nn.Parameter(codes.view(torch.uint8), requires_grad=False)
        self.register_buffer("scale", scale.view(-1), persistent=False)
        self.bias = bias

    @property
    def codes(self) -> torch.Tensor:
        """The weight before its scales, shape (outputs, inputs), e4m3."""
        return self.bytes.detach().view(E4M3)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]  # a parameter of nn.Linear
        """The weight as plain numbers of the compute type, made anew: for layers that do more than a product."""
        weight: torch.Tensor = (self.codes.float() * self.scale[:, None]).to(self.dtype)
        return weight

    def held(self) -> Quantised:
        """Return the weight with its scales."""
        return Quantised(self.codes, self.scale[:, None])

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        scale = self.scale
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.scale = scale.to(self.bytes.device)  # float32, whatever type the network is cast to
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x W^T + bias for x of shape (..., inputs)."""
        return _called(self, x, None)


class LearningFp8Linear(nn.Linear):
    """A linear layer whose three products are in fp8 while its weight, which learns, is a plain one.

    The weight is rounded anew in each pass, by output; the input and the gradient of the output token by token, and for
    the gradient of the weight the latter by output.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x W^T + bias for x of shape (..., inputs)."""
        return _called(self, x, self.weight)


def learn_in_fp8(linear: nn.Linear) -> None:
    """Let a plain linear layer multiply in fp8 from now on, its parameters as they are."""
    linear.__class__ = LearningFp8Linear


def _called(layer: Fp8Linear | LearningFp8Linear, x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    y: torch.Tensor = _Product.apply(x.reshape(-1, layer.in_features), layer, weight)  # type: ignore[no-untyped-call]
    if layer.bias is not None:
        y = y + layer.bias.to(y.dtype)
    return y.view(*x.shape[:-1], layer.out_features)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, layer: Fp8Linear | LearningFp8Linear, weight: torch.Tensor | None
    ) -> torch.Tensor:
        rows = quantise([x])
        held = layer.held() if isinstance(layer, Fp8Linear) else stacked([layer.weight.detach()])
        learns = weight is not None and weight.requires_grad
        ctx.layer, ctx.scale, ctx.rows = layer, held.scale, rows if learns else None
        return product(rows, held.codes, held.scale.view(-1), x.dtype)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor | None]:
        layer, scale, x = ctx.layer, ctx.scale, ctx.rows
        rows = quantise([dy], [scale.view(-1)])
        back = (
            transposed([layer.codes]) if isinstance(layer, Fp8Linear) else turned_stack([layer.weight.detach()], scale)
        )
        dx = product(rows, back, None, dy.dtype)
        if x is None:
            return dx, None, None
        return dx, None, weight_gradient(columns(dy, x.scale), turned(x.codes), dy.dtype)

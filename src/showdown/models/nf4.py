"""Linear layers in NF4 with double quantisation, as bitsandbytes computes them."""

from typing import Any

import torch
from torch import nn


def nf4_layer(linear: Any, weight: torch.Tensor, dtype: torch.dtype) -> nn.Module:
    """Return a layer with its weight in four bits.

    Args:
        linear: gives the widths and the bias.
        weight: shape (outputs, inputs), on the device where it stays.
        dtype: the compute type.

    """
    from bitsandbytes.nn import Linear4bit, Params4bit

    layer: nn.Module = Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=dtype,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    layer.weight = Params4bit(weight, requires_grad=False, quant_type="nf4", module=layer).to(weight.device)
    if linear.bias is not None:
        layer.bias = linear.bias
    return layer

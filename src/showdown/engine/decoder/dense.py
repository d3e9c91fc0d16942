"""Products with a weight that many steps of a few rows each read: packed once for oneDNN on a CPU.

PyTorch hands a float32 product to its matrix library, which arranges the weight anew for each call. With 16 rows that
takes as long as the product: 25 ms for a vocabulary of 49,152 and a width of 576, and 11 ms with an arranged weight
(`benchmarks/cpu/writing.py`).
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

_ROWS = 16
"""For which the weight is arranged; the arrangement serves from 2 to 64 rows."""
Product = Callable[[torch.Tensor], torch.Tensor]
"""From x of shape (rows, input width) to x weight^T + bias."""


def packs(dtype: torch.dtype) -> bool:
    """Return whether weights of this type can be arranged on this machine's processor."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    known = hasattr(torch.ops.mkldnn, "_reorder_linear_weight") and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return known and (dtype == torch.float32 or (dtype == torch.bfloat16 and multiplies_bfloat16()))


def multiplies_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16 (AVX-512 BF16, AMX) that oneDNN uses."""
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return supported is not None and bool(supported())


def packed_product(weight: torch.Tensor, bias: torch.Tensor | None) -> Product:
    """Return the product with a copy of a weight of shape (output width, input width) that is arranged for few rows."""
    arranged = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)
    offset = None if bias is None else bias.detach().to(weight.dtype)

    def product(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, arranged, offset, "none", [], "")
        return found

    return product


def plain_product(weight: Callable[[torch.dtype], torch.Tensor], bias: torch.Tensor | None) -> Product:
    """Return the product with a weight that is asked for in the type of x each time."""
    return lambda x: functional.linear(x, weight(x.dtype), None if bias is None else bias.to(x.dtype))


def packed_linear(layer: nn.Module) -> Product | None:
    """Return a linear layer's product with an arranged weight; None for any other layer, and where nothing packs."""
    if type(layer) is not nn.Linear or layer.weight.is_cuda or not packs(layer.weight.dtype):
        return None
    return packed_product(layer.weight, layer.bias)

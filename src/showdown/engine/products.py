"""Products with the weights of linear layers; on a CPU by oneDNN, whatever the number type.

PyTorch hands float32 products on a CPU to MKL, which took 7 to 18 % longer on an AMD EPYC than oneDNN, and two to three
times as long where the product is a few columns wide, as LoRA's are (`python -m benchmarks.cpu.products`). 16-bit
products go to oneDNN anyway.
"""

import torch
from torch.nn import functional


def _by_onednn(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether oneDNN is to be asked by name: it reads dense rows alone fast."""
    plain = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and x.is_contiguous()
    return plain and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # type: ignore[no-untyped-call]


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return x weight^T + bias, not differentiable.

    Args:
        x: shape (rows, input width).
        weight: shape (output width, input width), or the transpose of a dense matrix.
        bias: shape (output width,).

    """
    if not _by_onednn(x, weight):
        return functional.linear(x, weight, bias)
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def input_gradient(output: torch.Tensor, weight: torch.Tensor, dx: torch.Tensor | None = None) -> torch.Tensor:
    """Return output weight: the input's gradient from that of the output, of shape (rows, output width).

    Args:
        output: gradient of the output.
        weight: dense, shape (output width, input width).
        dx: where the input has a gradient already: the other is added to it in place.

    """
    if _by_onednn(output, weight):
        found = linear(output, weight.t())
        return found if dx is None else dx.add_(found)
    return output @ weight if dx is None else dx.addmm_(output, weight)


def scaled_gradient_(du: torch.Tensor, output: torch.Tensor, weight: torch.Tensor, scaling: float) -> None:
    """Write scaling * output weight to du."""
    if _by_onednn(output, weight):
        torch.mul(linear(output, weight.t()), scaling, out=du)
    else:
        torch.addmm(du, output, weight, beta=0, alpha=scaling, out=du)


def narrow_gradient(output: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Return output^T u for u of shape (rows, rank), a weight's gradient with few columns.

    On a CPU it is the transpose of u^T output: the same numbers four to five times as fast in float32.
    """
    return output.t() @ u if output.is_cuda else (u.t() @ output).t()

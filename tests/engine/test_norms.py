"""Norms of a residual stream: the Triton kernels against transformers' modules, values and gradients.

`TRITON_INTERPRET=1 pytest tests/engine/test_norms.py` checks them without a GPU.
"""

import importlib.util
import os
from typing import Any

import pytest
import torch
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm

from showdown.engine.decoder import norms

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None or not (INTERPRETED or torch.cuda.is_available()),
    reason="needs Triton, and a CUDA GPU or TRITON_INTERPRET=1",
)


def made(kind: Any, width: int, rows: int, dtype: torch.dtype) -> tuple[Any, list[torch.Tensor]]:
    torch.manual_seed(3)
    norm = kind(width, eps=1e-5)
    norm.weight.data.copy_(1 + 0.2 * torch.randn(width))
    tensors = [torch.randn(rows, width, device=DEVICE).to(dtype) for _ in range(4)]
    return norm.to(DEVICE, dtype), tensors


def exact_gradients(norm: Any, residual: torch.Tensor, delta: torch.Tensor | None, out: Any) -> list[torch.Tensor]:
    """Gradients by transformers' own module in float32 of residual, delta and weight."""
    wide = type(norm)(norm.weight.numel(), eps=1e-5).to(DEVICE)
    wide.weight.data.copy_(norm.weight.data)
    leaves = [one.detach().float().requires_grad_() for one in (residual, delta) if one is not None]
    total = sum(leaves[1:], leaves[0])
    torch.autograd.backward([total, wide(total)], [one.float() for one in out])
    return [leaf.grad for leaf in leaves if leaf.grad is not None] + [wide.weight.grad]


@needs_triton
@pytest.mark.gpu
@pytest.mark.parametrize("kind", [MistralRMSNorm, GemmaRMSNorm])
@pytest.mark.parametrize(("width", "rows"), [(4096, 7), (128, 300), (96, 33)])
@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("learns", [True, False])
def test_kernels_equal_transformers(kind: Any, width: int, rows: int, adds: bool, learns: bool) -> None:
    dtype = torch.float32 if INTERPRETED else torch.bfloat16
    norm, (residual, given, *out) = made(kind, width, rows, dtype)
    norm.weight.requires_grad_(learns)
    delta = given if adds else None
    leaves = [one.requires_grad_() for one in (residual, delta) if one is not None]
    total, normed = norms._AddNorm.apply(residual, delta, norm.weight, *norms._epsilon_and_offset(norm))
    expected_total = residual if delta is None else residual + delta
    assert torch.equal(total, expected_total)
    bound = {"atol": 1e-5, "rtol": 1e-5} if INTERPRETED else {"atol": 0.02, "rtol": 0.01}
    torch.testing.assert_close(normed, norm(expected_total), **bound)
    torch.autograd.backward([total, normed], out)
    expected = exact_gradients(norm, residual, delta, out)
    found = [leaf.grad for leaf in leaves] + ([norm.weight.grad] if learns else [])
    assert (norm.weight.grad is not None) == learns
    for one, other in zip(found, expected, strict=learns):
        distance = (one.float() - other).norm() / other.norm()
        assert distance < (1e-5 if INTERPRETED else 0.01)


def test_a_stream_without_a_gpu_is_transformers_own() -> None:
    norm = MistralRMSNorm(16)
    residual, delta = torch.randn(2, 5, 16)
    total, normed = norms.add_rms_norm(residual, delta, norm)
    assert torch.equal(total, residual + delta)
    assert torch.equal(normed, norm(total))
    assert torch.equal(norms.rms_norm(total.view(5, 2, 8), MistralRMSNorm(8)), MistralRMSNorm(8)(total.view(5, 2, 8)))

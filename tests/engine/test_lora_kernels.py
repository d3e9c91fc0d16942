"""The Triton kernels against plain PyTorch; on a machine without a GPU they run in Triton's interpreter, if asked to.

`TRITON_INTERPRET=1 pytest tests/engine/test_lora_kernels.py` checks them without a GPU.
"""

import importlib.util
import os

import pytest
import torch
from torch.nn import functional

from showdown.engine import dropout
from showdown.engine.decoder import lora

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None or not (INTERPRETED or torch.cuda.is_available()),
    reason="needs Triton, and a CUDA GPU or TRITON_INTERPRET=1",
)


def test_masks_differ_by_stream_number_and_seed_and_drop_the_right_share() -> None:
    masks = [
        dropout.keep_mask((64, 512), dropout.dropout_for(0.1, pair), mask=mask, device=torch.device("cpu"))
        for seeds in (dropout.draw_seeds(2), dropout.draw_seeds(2))
        for pair in seeds
        for mask in (0, 1, 2)
    ]
    for number, mask in enumerate(masks):
        assert abs(mask.float().mean().item() - 0.9) < 0.01
        for other in masks[:number]:
            both = (mask & other).float().mean().item()
            assert abs(both - 0.81) < 0.01, "two masks must be independent"
    by_column = masks[0].float().mean(dim=0)
    assert by_column.min() > 0.7, "no place may be dropped more often than others"


def test_scale_matches_the_rounded_probability() -> None:
    one = dropout.dropout_for(0.1, dropout.draw_seeds(1)[0])
    assert one.threshold == 6554
    assert one.scale == pytest.approx(1 / (1 - 6554 / 65536))


@needs_triton
@pytest.mark.gpu
@pytest.mark.parametrize("adapters", [1, 2, 3])
@pytest.mark.parametrize(("tokens", "width", "rank"), [(70, 160, 8), (1, 128, 16), (600, 256, 20)])
def test_kernels_equal_plain_products(adapters: int, tokens: int, width: int, rank: int) -> None:
    from showdown.engine.kernels import lora as lora_kernels

    kind = torch.float32 if INTERPRETED else torch.bfloat16
    x = torch.randn(tokens, width, device=DEVICE).to(kind)
    downs = [torch.randn(rank, width, device=DEVICE) * 0.1 for _ in range(adapters)]
    du = [torch.randn(tokens, rank, device=DEVICE).to(kind) for _ in range(adapters)]
    drop = dropout.dropout_for(0.25, dropout.draw_seeds(3)[2].to(DEVICE))
    padded = lora.padded_rank(rank, on_gpu=True)
    stacked = torch.stack([functional.pad(a, (0, 0, 0, padded - rank)) for a in downs]).to(kind)
    padded_du = torch.stack([functional.pad(one, (0, padded - rank)) for one in du])

    masks = {"threshold": drop.threshold, "seeds": drop.seeds, "scale": drop.scale}
    u = lora_kernels.down(x, stacked, **masks)
    da = lora_kernels.down_gradient(x, padded_du, **masks)
    dx = torch.randn(tokens, width, device=DEVICE).to(kind)
    expected_dx = dx.float().clone()
    lora_kernels.input_gradient_(dx, padded_du, stacked, **masks)
    for number in range(adapters):
        mask = dropout.keep_mask((tokens, width), drop, mask=number, device=x.device) * drop.scale
        masked = x.float() * mask
        a = downs[number].to(kind).float()
        _assert_near(u[number, :, :rank], masked @ a.t())
        _assert_near(da[number, :rank], du[number].float().t() @ masked)
        expected_dx = expected_dx + (du[number].float() @ a) * mask
    _assert_near(dx, expected_dx)


@needs_triton
@pytest.mark.gpu
@pytest.mark.parametrize(("tokens", "width", "rank"), [(70, 160, 16), (1, 128, 16), (300, 1024, 32)])
def test_what_comes_up_again_is_added(tokens: int, width: int, rank: int) -> None:
    from showdown.engine.kernels import lora as lora_kernels

    kind = torch.float32 if INTERPRETED else torch.bfloat16
    y, u, b = (
        torch.randn(*shape, device=DEVICE).to(kind) for shape in ((tokens, width), (tokens, rank), (width, rank))
    )
    expected = y.float() + 0.5 * u.float() @ b.float().t()
    lora_kernels.add_up_(y, u, b, 0.5)
    _assert_near(y, expected)


def _assert_near(found: torch.Tensor, expected: torch.Tensor) -> None:
    error = (found.float() - expected).norm() / expected.norm()
    assert error < (1e-5 if INTERPRETED else 1e-2)

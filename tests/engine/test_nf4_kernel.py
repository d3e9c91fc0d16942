"""The dequantisation in one launch gives what bitsandbytes gives in three, to the bit."""

import importlib.util

import pytest
import torch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None or not torch.cuda.is_available(),
        reason="needs Triton and a CUDA GPU",
    ),
]


@pytest.mark.parametrize("shape", [(64, 64), (1024, 4096), (4096, 14336), (192, 320)])
@pytest.mark.parametrize("nested", [True, False])
def test_it_equals_bitsandbytes(shape: tuple[int, int], nested: bool) -> None:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    from showdown.engine.decoder.projection import _scales
    from showdown.engine.kernels.nf4 import Dense

    weight = torch.randn(shape, device="cuda", dtype=torch.bfloat16) * 0.02
    packed, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=nested)
    expected = dequantize_4bit(packed, state)
    assert torch.equal(Dense(packed, state, None)(), expected)
    assert torch.equal(Dense(packed, state, _scales(state))(), expected)

# mypy: disable-error-code="import-not-found,untyped-decorator,no-untyped-def"
# ruff: noqa: PLR0913, PLR0917
"""Triton kernel that dequantises an NF4 weight with double quantisation in one launch.

bitsandbytes needs three launches (scales from 8 bits, their offset, the weight), and more time of the host than the GPU
needs for them. Values are equal to the bit. Imported only where Triton is installed.
"""

from typing import Any

import torch
import triton
import triton.language as tl

_BLOCKS_A_PROGRAM = 32


@triton.jit
def _dequantise_kernel(
    packed_ptr, scale_ptr, code_ptr, outer_code_ptr, outer_scale_ptr, offset_ptr, dense_ptr, blocks,
    NESTED: tl.constexpr, OUTER_BLOCK: tl.constexpr, BLOCKS: tl.constexpr, BYTES: tl.constexpr,
):  # fmt: skip
    block = tl.program_id(0).to(tl.int64) * BLOCKS + tl.arange(0, BLOCKS)
    inside = block < blocks
    if NESTED:
        step = tl.load(scale_ptr + block, mask=inside, other=0).to(tl.int32)
        outer = tl.load(outer_scale_ptr + block // OUTER_BLOCK, mask=inside, other=0.0)
        scale = tl.load(outer_code_ptr + step) * outer + tl.load(offset_ptr)
    else:
        scale = tl.load(scale_ptr + block, mask=inside, other=0.0)
    index = block[:, None] * BYTES + tl.arange(0, BYTES)[None, :]
    packed = tl.load(packed_ptr + index, mask=inside[:, None], other=0).to(tl.int32)
    first = tl.load(code_ptr + (packed >> 4)) * scale[:, None]
    second = tl.load(code_ptr + (packed & 15)) * scale[:, None]
    place = block[:, None] * (2 * BYTES) + tl.arange(0, 2 * BYTES)[None, :]
    tl.store(dense_ptr + place, tl.interleave(first, second).to(dense_ptr.dtype.element_ty), mask=inside[:, None])


class Dense:
    """Dequantises one NF4 weight; what does not change from call to call is looked up once."""

    def __init__(self, packed: torch.Tensor, state: Any, scales: torch.Tensor | None) -> None:
        """Look up what does not change.

        Args:
            packed: two weights a byte, the first in the high half: uint8, contiguous, on a GPU; whole blocks.
            state: bitsandbytes' `QuantState` of it.
            scales: float32, one for each block, where they are kept; None takes them from the state.

        """
        nested = scales is None and state.nested
        held = state.absmax if scales is None else scales
        outer = state.state2 if nested else state
        self._shape, self._dtype, self._device = tuple(state.shape), state.dtype, packed.device
        # A plain tensor: every access to bitsandbytes' own parameter runs Python code.
        self._before = (
            packed.detach().as_subclass(torch.Tensor),
            held,
            state.code,
            outer.code,
            outer.absmax,
            state.offset if nested else held,
        )
        self._blocks = 2 * packed.numel() // state.blocksize
        self._launch = _dequantise_kernel[(triton.cdiv(self._blocks, _BLOCKS_A_PROGRAM),)]
        self._constants = {"NESTED": nested, "OUTER_BLOCK": outer.blocksize, "BYTES": state.blocksize // 2}

    def __call__(self) -> torch.Tensor:
        """Return the dense weight, of the shape and type of its state."""
        dense = torch.empty(self._shape, dtype=self._dtype, device=self._device)
        self._launch(
            *self._before, dense, self._blocks, **self._constants, BLOCKS=_BLOCKS_A_PROGRAM, num_warps=4,
            enable_fp_fusion=False,
        )  # fmt: skip
        return dense

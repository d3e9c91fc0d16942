# mypy: disable-error-code="import-not-found,untyped-decorator,no-untyped-def"
# ruff: noqa: PLR0913, PLR0917
"""Triton kernel of an AdamW step on a bfloat16 weight: one pass over weight, gradient and moments.

Imported only where Triton is installed.
"""

import torch
import triton
import triton.language as tl

from showdown.engine.kernels.random_word import random_word

_PER_CALL = (  # not the count: that it divides by 16 lets loads be 16 bytes wide
    "learning_rate", "shrink", "first_decay", "second_decay", "epsilon", "first_correction",
    "second_correction", "first_seed", "second_seed",
)  # fmt: skip


@triton.jit
def _stochastic(exact, bits):
    rounded = (exact.to(tl.int32, bitcast=True) + bits.to(tl.int32)) >> 16
    return rounded.to(tl.int16).to(tl.bfloat16, bitcast=True)


@triton.jit(do_not_specialize=_PER_CALL)
def _adamw_kernel(
    value_ptr, gradient_ptr, first_ptr, second_ptr, low_ptr, scale_ptr, count, learning_rate, shrink,
    first_decay, second_decay, epsilon, first_correction, second_correction, first_seed, second_seed,
    ROUNDING: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = index < count
    gradient = tl.load(gradient_ptr + index, mask=inside, other=0.0).to(tl.float32) / tl.load(scale_ptr)
    first = tl.load(first_ptr + index, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(second_ptr + index, mask=inside, other=0.0).to(tl.float32)
    value = tl.load(value_ptr + index, mask=inside, other=0.0)
    first = first + (gradient - first) * (1.0 - first_decay)
    second = second * second_decay + (1.0 - second_decay) * gradient * gradient
    master = value.to(tl.float32)
    if ROUNDING == 2:
        low = tl.load(low_ptr + index, mask=inside, other=0)
        master = ((value.to(tl.int16, bitcast=True).to(tl.int32) << 16) + low.to(tl.int32)).to(tl.float32, bitcast=True)
    master = master * shrink
    master = master - (learning_rate / first_correction) * (first / (tl.sqrt(second) / second_correction + epsilon))
    if ROUNDING == 2:
        bits = master.to(tl.int32, bitcast=True)
        high = (bits + 0x8000) >> 16
        tl.store(low_ptr + index, (bits - (high << 16)).to(tl.int16), mask=inside)
        tl.store(value_ptr + index, high.to(tl.int16).to(tl.bfloat16, bitcast=True), mask=inside)
        tl.store(first_ptr + index, first, mask=inside)
        tl.store(second_ptr + index, second, mask=inside)
    elif ROUNDING == 1:
        word = random_word(index, first_seed, second_seed, 0)
        other = random_word(index, first_seed, second_seed, 1)
        tl.store(value_ptr + index, _stochastic(master, word >> 16), mask=inside)
        tl.store(first_ptr + index, _stochastic(first, word & 0xFFFF), mask=inside)
        tl.store(second_ptr + index, _stochastic(second, other >> 16), mask=inside)
    else:
        tl.store(value_ptr + index, master.to(value.dtype), mask=inside)
        tl.store(first_ptr + index, first.to(value.dtype), mask=inside)
        tl.store(second_ptr + index, second.to(value.dtype), mask=inside)


def update_(
    value: torch.Tensor, gradient: torch.Tensor, first: torch.Tensor, second: torch.Tensor, low: torch.Tensor | None,
    gradient_scale: torch.Tensor, *, learning_rate: float, shrink: float, first_decay: float, second_decay: float,
    epsilon: float, first_correction: float, second_correction: float, seeds: tuple[int, int] | None,
) -> None:  # fmt: skip
    """Take one AdamW step in place. All tensors are contiguous and of one shape, but for the scalar `gradient_scale`.

    Args:
        value: the weight, bfloat16.
        gradient: of the weight.
        first: first moment.
        second: second moment.
        low: the 16 bits of a float32 master weight that bfloat16 lacks, int16; None where there is no master weight.
        gradient_scale: float32 scalar on the device; gradients are divided by it.
        learning_rate: of this step.
        shrink: what the weight is multiplied by first, 1 - learning rate * weight decay.
        first_decay: beta1.
        second_decay: beta2.
        epsilon: added to the denominator.
        first_correction: 1 - beta1^t.
        second_correction: square root of 1 - beta2^t.
        seeds: of the random bits of stochastic rounding; None for rounding to nearest, or with a master weight.

    """
    count, block = value.numel(), 1024
    rounding = 2 if low is not None else 0 if seeds is None else 1
    _adamw_kernel[(triton.cdiv(count, block),)](
        value, gradient, first, second, value if low is None else low, gradient_scale, count, learning_rate, shrink,
        first_decay, second_decay, epsilon, first_correction, second_correction, *(seeds or (0, 0)),
        ROUNDING=rounding, BLOCK=block, num_warps=4,
    )  # fmt: skip

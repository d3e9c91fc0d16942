"""Steps on bfloat16 weights that lose no small updates.

bfloat16 keeps 8 significant bits, so an update smaller than 1/512 of a weight is rounded away each time. Two ways out:

* `stochastic`: weight and moments are rounded up or down at random, with the probabilities that make the expectation
  exact. No memory.
* `float32`: the 16 bits that bfloat16 lacks are kept beside each weight, so that both together are a float32 master
  weight, and the moments are float32. With AdamW, 14 instead of 8 bytes a parameter, gradients
  included.

Source of both: Zamirai et al. 2020 (arXiv 2010.06192).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from showdown.engine.dropout import random_words
from showdown.engine.kernels.available import triton_is_here

_BLOCK = 1 << 18
"""Elements of a CPU's block: its float32 values take 1 MB."""


@dataclass(frozen=True, kw_only=True)
class AdamwStep:
    """The numbers of one AdamW step."""

    learning_rate: float
    weight_decay: float
    first_decay: float = 0.9
    second_decay: float = 0.999
    epsilon: float = 1e-8
    number: int
    """1 for the first step."""

    @property
    def first_correction(self) -> float:
        """1 - beta1^t."""
        return 1.0 - self.first_decay**self.number

    @property
    def second_correction(self) -> float:
        """Square root of 1 - beta2^t."""
        return float((1.0 - self.second_decay**self.number) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A parameter with what its update needs."""

    value: torch.Tensor
    """bfloat16."""
    gradient: torch.Tensor
    first: torch.Tensor
    """First moment."""
    second: torch.Tensor
    """Second moment."""
    low: torch.Tensor | None
    """The bits that bfloat16 lacks, int16: present for rounding `float32`."""

    def tensors(self) -> list[torch.Tensor]:
        """Return all that are there."""
        held = (self.value, self.gradient, self.first, self.second, self.low)
        return [tensor for tensor in held if tensor is not None]

    def part(self, first: int, end: int) -> "Weight":
        """Return views of some elements, counted in the order in which they are stored."""
        value, gradient, moment, second, *low = (tensor.view(-1)[first:end] for tensor in self.tensors())
        return Weight(value=value, gradient=gradient, first=moment, second=second, low=low[0] if low else None)


def split_float32(master: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a float32 tensor as its nearest bfloat16 (ties away from zero) and the rest of its bits as int16."""
    bits = master.contiguous().view(torch.int32)
    high = (bits + 0x8000) >> 16
    low = (bits - (high << 16)).to(torch.int16)
    return high.to(torch.int16).view(torch.bfloat16), low


def join_float32(value: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """Return the float32 tensor that `split_float32` divided."""
    return ((value.contiguous().view(torch.int16).to(torch.int32) << 16) + low.to(torch.int32)).view(torch.float32)


def stochastic_bfloat16(exact: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Round float32 to bfloat16, up with a probability equal to the fraction lost.

    Args:
        exact: float32.
        words: 16 random bits for each value, int32.

    """
    bits = exact.contiguous().view(torch.int32) + words
    return (bits >> 16).to(torch.int16).view(torch.bfloat16)


def update_(weight: Weight, step: AdamwStep, gradient_scale: torch.Tensor, seeds: tuple[int, int] | None) -> None:
    """Take one AdamW step in place: on a float32 master where `low` is there, else stochastic where `seeds` are.

    Args:
        weight: the parameter, its gradient and its state.
        step: the step's numbers.
        gradient_scale: float32 scalar that gradients are divided by (1 where nothing is clipped).
        seeds: of the random bits, from `hash_seeds`; None for rounding to nearest.

    """
    if weight.value.is_cuda and triton_is_here():
        from showdown.engine.kernels import adamw as adamw_kernel

        adamw_kernel.update_(
            weight.value,
            weight.gradient,
            weight.first,
            weight.second,
            weight.low,
            gradient_scale,
            learning_rate=step.learning_rate,
            shrink=1.0 - step.learning_rate * step.weight_decay,
            first_decay=step.first_decay,
            second_decay=step.second_decay,
            epsilon=step.epsilon,
            first_correction=step.first_correction,
            second_correction=step.second_correction,
            seeds=seeds,
        )
        return
    for block, first in _blocks(weight):
        _update_block_(block, step, gradient_scale, seeds, first)


def _blocks(weight: Weight) -> Iterator[tuple[Weight, int]]:
    """Yield parts of a weight whose intermediate values stay in a CPU's caches, each with its first element's number.

    A step of 28 million weights then takes a sixth of the time (`benchmarks/cpu/optimizer_step.py`).
    """
    if weight.value.is_cuda or not all(held.is_contiguous() for held in weight.tensors()):
        yield weight, 0
        return
    for first in range(0, weight.value.numel(), _BLOCK):
        yield weight.part(first, first + _BLOCK), first


def _update_block_(
    weight: Weight, step: AdamwStep, gradient_scale: torch.Tensor, seeds: tuple[int, int] | None, first_element: int
) -> None:
    gradient = weight.gradient.float() / gradient_scale
    first = torch.lerp(weight.first.float(), gradient, 1.0 - step.first_decay)
    second = weight.second.float() * step.second_decay + (1.0 - step.second_decay) * gradient.square()
    master = master_weight(weight.value, weight.low)
    master = master * (1.0 - step.learning_rate * step.weight_decay)
    denominator = second.sqrt() / step.second_correction + step.epsilon
    master = master - (step.learning_rate / step.first_correction) * (first / denominator)
    moments = [(weight.first, first), (weight.second, second)]
    store_(weight.value, master, weight.low, moments, seeds, first_element=first_element)


def master_weight(value: torch.Tensor, low: torch.Tensor | None) -> torch.Tensor:
    """Return a weight in float32, with the bits that bfloat16 lacks where they are kept."""
    return value.float() if low is None else join_float32(value, low)


def store_(
    value: torch.Tensor,
    exact: torch.Tensor,
    low: torch.Tensor | None,
    moments: Sequence[tuple[torch.Tensor, torch.Tensor]],
    seeds: tuple[int, int] | None,
    *,
    first_element: int = 0,
) -> None:
    """Write a stepped weight and its moments in the types that they are kept in.

    Args:
        value: where the weight is kept.
        exact: the stepped weight, float32.
        low: where the bits go that bfloat16 lacks; None where they are not kept.
        moments: where each is kept, and its new value in float32.
        seeds: of stochastic rounding, which only bfloat16 needs; None for rounding to nearest.
        first_element: number of the first, where these are parts of larger tensors.

    """
    if low is not None:
        high, rest = split_float32(exact)
        value.copy_(high)
        low.copy_(rest)
        for kept, new in moments:
            kept.copy_(new)
        return
    for number, (kept, new) in enumerate([(value, exact), *moments]):
        rounded = seeds is not None and kept.dtype == torch.bfloat16
        words = random_words(new, seeds, number, first=first_element) if seeds and rounded else None
        kept.copy_(new if words is None else stochastic_bfloat16(new, words))

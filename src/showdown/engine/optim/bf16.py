"""AdamW on bfloat16 weights that loses no small updates.

bfloat16 keeps 8 significant bits, so an update smaller than 1/512 of a weight is rounded away each time. Two ways out:

* `stochastic`: weight and moments are rounded up or down at random, with the probabilities that make the expectation
  exact. No memory.
* `float32`: the 16 bits that bfloat16 lacks are kept beside each weight, so that both together are a float32 master
  weight, and the moments are float32. 14 instead of 8 bytes a parameter, gradients included.

Sources: Zamirai et al. 2020 (arXiv 2010.06192) for both; AdamW is Loshchilov and Hutter (arXiv 1711.05101).
"""

from dataclasses import dataclass
from typing import Literal

import torch

from showdown.engine.decoder.lora import triton_is_here
from showdown.engine.dropout import random_words

Rounding = Literal["nearest", "stochastic", "float32"]


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

        adamw_kernel.update_(weight, step, gradient_scale, seeds)
        return
    gradient = weight.gradient.float() / gradient_scale
    first = torch.lerp(weight.first.float(), gradient, 1.0 - step.first_decay)
    second = weight.second.float() * step.second_decay + (1.0 - step.second_decay) * gradient.square()
    master = weight.value.float() if weight.low is None else join_float32(weight.value, weight.low)
    master = master * (1.0 - step.learning_rate * step.weight_decay)
    denominator = second.sqrt() / step.second_correction + step.epsilon
    master = master - (step.learning_rate / step.first_correction) * (first / denominator)
    if weight.low is not None:
        value, low = split_float32(master)
        weight.value.copy_(value)
        weight.low.copy_(low)
        weight.first.copy_(first)
        weight.second.copy_(second)
        return
    for number, (kept, exact) in enumerate(((weight.value, master), (weight.first, first), (weight.second, second))):
        kept.copy_(exact if seeds is None else stochastic_bfloat16(exact, random_words(exact, seeds, number)))

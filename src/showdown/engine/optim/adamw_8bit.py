"""AdamW with moments in eight bits (Dettmers et al., arXiv 2110.02861): two bytes a weight where float32 takes eight.

Moments are kept in blocks of 256, each divided by its largest absolute value and rounded to the nearest of 256 numbers
that lie denser towards zero (the paper's dynamic map). A step takes them to float32, so that it is AdamW's but for the
rounding of what is kept. bitsandbytes does the same on a GPU alone.
"""

import functools
from collections.abc import Mapping
from typing import ClassVar

import torch

from showdown.engine.optim.bf16 import AdamwStep, master_weight, store_
from showdown.engine.optim.optimizer import Moments, Optimizer

BLOCK = 256
"""Elements that share a scale."""
SMALLEST = 4096
"""Elements from which on moments are kept in eight bits, as in bitsandbytes: norms and biases are small."""
_CHUNK = 1 << 22
"""Elements that are stepped at a time: 16 MB for each value in float32. A multiple of `BLOCK`."""
_DECADES = 7


@functools.cache
def dynamic_map(*, signed: bool, device: torch.device) -> torch.Tensor:
    """Return the 256 numbers that a moment is rounded to, rising to 1, float32.

    They cover seven decades; each decade has twice as many numbers as the one below it, at equal distances.
    """
    found = [0.0, 1.0]
    for decade in range(_DECADES):
        bounds = torch.linspace(0.1, 1.0, 2 ** (decade if signed else decade + 1) + 1, dtype=torch.float64)
        numbers = 10.0 ** (decade + 1 - _DECADES) * (bounds[:-1] + bounds[1:]) / 2
        found += [*numbers.tolist(), *((-numbers).tolist() if signed else [])]
    return torch.tensor(sorted(found), dtype=torch.float32, device=device)


@functools.cache
def _bounds(*, signed: bool, device: torch.device) -> torch.Tensor:
    """Return the middles between neighbours of the map."""
    numbers = dynamic_map(signed=signed, device=device)
    return (numbers[:-1] + numbers[1:]) / 2


def quantise(values: torch.Tensor, *, signed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return codes, uint8 of the same length, and the scale of each block, float32.

    Args:
        values: float32, one dimension.
        signed: whether any may be below zero.

    """
    blocks = torch.nn.functional.pad(values, (0, -len(values) % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(dim=1)
    unit = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny).unsqueeze(1)
    codes = torch.bucketize(unit.view(-1)[: len(values)], _bounds(signed=signed, device=values.device))
    return codes.to(torch.uint8), scales


def dequantise(codes: torch.Tensor, scales: torch.Tensor, *, signed: bool) -> torch.Tensor:
    """Return the values that `quantise` rounded."""
    numbers = dynamic_map(signed=signed, device=codes.device)[codes.int()]
    return numbers * scales.repeat_interleave(BLOCK)[: len(codes)]


class Adamw8bit(Optimizer):
    """AdamW whose moments are kept in eight bits."""

    moments: ClassVar[tuple[str, ...]] = ("first", "first_scale", "second", "second_scale")
    keeps_rows: ClassVar[bool] = False

    @classmethod
    def new_state(cls, parameter: torch.Tensor, kind: torch.dtype) -> Moments:
        """Return codes and scales of both moments, all zero; of a small parameter moments as they are, and no scales.

        Of the second moment code 0 stands for 0, of the first it does not, but its scale is 0.
        """
        count, small = parameter.numel(), parameter.numel() < SMALLEST
        moment = torch.zeros(count, dtype=kind if small else torch.uint8, device=parameter.device)
        scale = torch.zeros(0 if small else -(-count // BLOCK), dtype=torch.float32, device=parameter.device)
        return moment, scale, moment.clone(), scale.clone()

    def _step(self, gradients: Mapping[str, torch.Tensor], scale: torch.Tensor) -> None:
        """Step one parameter after another, a part at a time."""
        for name, gradient in gradients.items():
            value, given = self._parameters[name].data, gradient.reshape(-1)
            flat = value.reshape(-1)
            for first in range(0, len(flat), _CHUNK):
                part = slice(first, first + _CHUNK)
                self._step_part(name, flat[part], given[part].float() / scale, first)
            if not value.is_contiguous():
                value.copy_(flat.view_as(value))

    def _step_part(self, name: str, value: torch.Tensor, gradient: torch.Tensor, start: int) -> None:
        """Step elements of a parameter, from the one of this number on."""
        step = AdamwStep(learning_rate=self._rate_of(name), weight_decay=self._decay_of(name), number=self._steps)
        first_kept, first_scales, second_kept, second_scales = self._moments_of(name)
        elements = slice(start, start + len(value))
        blocks = slice(start // BLOCK, -(-(start + len(value)) // BLOCK))
        first = _opened(first_kept[elements], first_scales[blocks], signed=True).lerp(gradient, 1.0 - step.first_decay)
        second = _opened(second_kept[elements], second_scales[blocks], signed=False) * step.second_decay
        second = second + (1.0 - step.second_decay) * gradient.square()
        low = self._low[name].view(-1)[elements] if name in self._low else None
        exact = master_weight(value, low) * (1.0 - step.learning_rate * step.weight_decay)
        denominator = second.sqrt() / step.second_correction + step.epsilon
        exact = exact - (step.learning_rate / step.first_correction) * (first / denominator)
        store_(value, exact, low, [], self._seeds_of(name), first_element=start)
        _keep(first, first_kept[elements], first_scales[blocks], signed=True)
        _keep(second, second_kept[elements], second_scales[blocks], signed=False)


def _opened(kept: torch.Tensor, scales: torch.Tensor, *, signed: bool) -> torch.Tensor:
    """Return a moment in float32."""
    return dequantise(kept, scales, signed=signed) if kept.dtype == torch.uint8 else kept.float()


def _keep(moment: torch.Tensor, kept: torch.Tensor, scales: torch.Tensor, *, signed: bool) -> None:
    """Write a moment into what is kept of it."""
    if kept.dtype != torch.uint8:
        kept.copy_(moment)
        return
    codes, new_scales = quantise(moment, signed=signed)
    kept.copy_(codes)
    scales.copy_(new_scales)

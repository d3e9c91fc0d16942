"""Dropout masks that are computed again instead of being stored.

A mask is a pure function of a seed and of an element's index. The forward pass, the backward pass and a checkpointed
layer therefore get the same mask without storing it, and the GPU kernels compute it in registers while they read the
input. Two masks share one 32-bit hash, 16 bits each, so a dropout probability is rounded to a multiple of 1/65536 and
kept values are scaled for the rounded probability, so the expectation is exact.

The hash is `lowbias32` (`kernels/hash_constants.py`).
"""

from dataclasses import dataclass

import torch

from showdown.engine.kernels.hash_constants import FIRST_FACTOR, PAIR_STEP, SECOND_FACTOR

LEVELS = 65536
"""Resolution of a dropout probability."""
_WORD = 0xFFFFFFFF
Seeds = torch.Tensor | tuple[int, int]
"""The two seeds of the hash, of 31 bits each."""


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Dropout of one input: elements whose 16 random bits are below `threshold` become zero."""

    threshold: int
    """From 0 to 65535."""
    seeds: torch.Tensor
    """Of the hash, shape (2,), int64, on the input's device, where a CUDA graph reads them at each replay."""

    @property
    def scale(self) -> float:
        """What kept values are multiplied by."""
        return LEVELS / (LEVELS - self.threshold)


def threshold_of(probability: float) -> int:
    """Return the number of 65536 levels that are dropped."""
    return min(round(probability * LEVELS), LEVELS - 1)


def draw_seed() -> int:
    """Draw a seed from torch's CPU generator, so that seeded and resumed runs draw the same."""
    return int(torch.randint(0, 2**62, (), dtype=torch.int64))


def draw_seeds(streams: int) -> torch.Tensor:
    """Draw the seeds of one forward pass, shape (streams, 2), int64, on the CPU: a pair for each input with dropout."""
    seed = draw_seed()
    return torch.tensor([hash_seeds(seed, stream) for stream in range(streams)], dtype=torch.int64)


def dropout_for(probability: float, seeds: torch.Tensor) -> Dropout:
    """Return the dropout of one input; `seeds` is its row of `draw_seeds`."""
    return Dropout(threshold=threshold_of(probability), seeds=seeds)


def hash_seeds(seed: int, stream: int) -> tuple[int, int]:
    """Return the two seeds of the hash for stream number `stream` under one seed, from splitmix64.

    Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
    """
    state = (seed + (stream + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    state ^= state >> 31
    # 31 bits each: a larger number would change the type of a kernel's argument from call to call.
    return state & 0x7FFFFFFF, (state >> 32) & 0x7FFFFFFF


def _hash(index: torch.Tensor, seeds: Seeds, pair: int) -> torch.Tensor:
    """Return 32 random bits for each int64 index; `pair` numbers the hashes of one element."""
    word = (index + seeds[0] + pair * PAIR_STEP) & _WORD
    word = word ^ (word >> 16)
    word = (word * FIRST_FACTOR) & _WORD
    word = word ^ seeds[1]
    word = word ^ (word >> 15)
    word = (word * SECOND_FACTOR) & _WORD
    return word ^ (word >> 16)


def keep_mask(shape: tuple[int, int], dropout: Dropout, *, mask: int, device: torch.device) -> torch.Tensor:
    """Return mask number `mask` of an input of this shape: true where an element is kept."""
    index = torch.arange(shape[0] * shape[1], dtype=torch.int64, device=device).view(shape)
    word = _hash(index, dropout.seeds, mask // 2)
    bits = (word >> 16) if mask % 2 == 0 else (word & 0xFFFF)
    return bits >= dropout.threshold


def random_words(like: torch.Tensor, seeds: tuple[int, int], number: int, *, first: int = 0) -> torch.Tensor:
    """Return 16 random bits for each element, as int32.

    Args:
        like: has the shape and the device.
        seeds: of the hash.
        number: differs between tensors of one pair of seeds.
        first: number of the first element, where `like` is part of a tensor.

    """
    index = torch.arange(first, first + like.numel(), dtype=torch.int64, device=like.device).view(like.shape)
    word = _hash(index, seeds, number // 2)
    return ((word >> 16) if number % 2 == 0 else (word & 0xFFFF)).to(torch.int32)

"""Dropout and attention on a CPU, faster than PyTorch's and equal in distribution.

PyTorch draws a dropout mask number by number on one core, and uses no fast kernel for attention with dropout: together
half of a forward pass of a small BERT. Here each draw gives four 16-bit numbers, so a dropout probability is rounded to
a multiple of 1/65536, and kept values are scaled for the rounded probability. The draws are made by torch's own
generator, so that seeded and resumed runs repeat.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from showdown.engine.dropout import LEVELS, threshold_of


def _scaled_mask(like: torch.Tensor, probability: float) -> torch.Tensor:
    """Return zeros where a value is dropped and 1 / (1 - probability) elsewhere, in the type of `like`."""
    threshold = threshold_of(probability)
    words = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    mask = torch.empty(like.shape, dtype=like.dtype)
    return torch.ge(bits, threshold - LEVELS // 2, out=mask).mul_(LEVELS / (LEVELS - threshold))


def dropout(x: torch.Tensor, probability: float) -> torch.Tensor:
    """Return x with values dropped at random and the others scaled up, on a CPU."""
    return x * _scaled_mask(x, probability) if probability > 0 else x


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    mask: torch.Tensor | None,
    probability: float,
    scaling: float | None,
) -> torch.Tensor:
    """Return attention of shape (..., queries, width), its weights dropped with a probability.

    Args:
        query: shape (..., queries, width).
        key: shape (..., keys, width).
        value: shape (..., keys, width).
        mask: true where a query sees a key, or what is added to the scores; None where all is seen.
        probability: of dropping a weight.
        scaling: of the scores; by default one over the square root of the width.

    """
    scores = torch.matmul(query * (scaling or query.shape[-1] ** -0.5), key.transpose(-2, -1))
    if mask is not None:
        # Not infinity: padding that a window separates from every real token sees no key, and 0 / 0 is NaN.
        lowest = torch.finfo(scores.dtype).min
        scores = scores.masked_fill(~mask, lowest) if mask.dtype == torch.bool else (scores + mask).clamp(min=lowest)
    return torch.matmul(dropout(scores.softmax(dim=-1), probability), value)


@dataclass(frozen=True)
class Run:
    """Sequences of equal length that lie one after the other in a pack, and are computed together."""

    count: int
    length: int
    queries: int
    """Of each sequence: all its tokens, or the first alone."""


def runs_of(lengths: Sequence[int], *, first_tokens: bool) -> list[Run]:
    """Return the runs of a pack; `first_tokens` where no other token of a sequence asks."""
    found = [(len(list(run)), length) for length, run in groupby(lengths)]
    return [Run(count, length, 1 if first_tokens else length) for count, length in found]


def attention_within(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, runs: Sequence[Run], *, heads: int, probability: float
) -> torch.Tensor:
    """Return attention over a pack in which no sequence sees another, of the shape of `query`.

    Args:
        query: shape (queries, width).
        key: shape (tokens, width).
        value: shape (tokens, width).
        runs: of the pack.
        heads: into which the width is divided.
        probability: of dropping a weight.

    """
    queries, tokens = [run.count * run.queries for run in runs], [run.count * run.length for run in runs]
    parts = zip(query.split(queries), key.split(tokens), value.split(tokens), runs, strict=True)  # type: ignore[no-untyped-call]
    attended = [
        _attention_of_run(
            *(part.unflatten(0, (run.count, -1)).unflatten(-1, (heads, -1)).transpose(1, 2) for part in given),
            probability=probability,
        )
        for *given, run in parts
    ]
    return torch.cat([part.transpose(1, 2).flatten(2).flatten(0, 1) for part in attended])


def _attention_of_run(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, probability: float
) -> torch.Tensor:
    # PyTorch's kernel for bfloat16 takes two to five times as long as plain products (`benchmarks/cpu/products.py`).
    if probability > 0 or query.dtype == torch.bfloat16:
        return attention(query, key, value, mask=None, probability=probability, scaling=None)
    return functional.scaled_dot_product_attention(query, key, value)


class FastCpu(TorchFunctionMode):
    """Replaces dropout and attention with dropout by the functions above."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Replace the two functions, and call every other one."""
        kwargs = kwargs or {}
        if func is functional.dropout:
            return self._dropout(func, args, kwargs)
        if func is functional.scaled_dot_product_attention:
            return self._attention(func, args, kwargs)
        return func(*args, **kwargs)

    @staticmethod
    def _dropout(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        named = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
        x = named["input"]
        if named.get("inplace") or not named.get("training", True) or x.is_cuda or named.get("p", 0.5) >= 1:
            return func(*args, **kwargs)
        return dropout(x, named.get("p", 0.5))

    @staticmethod
    def _attention(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        named = dict(zip(names, args, strict=False)) | kwargs
        probability = named.get("dropout_p", 0.0)
        if probability == 0.0 or named.get("is_causal") or named.get("enable_gqa") or named["query"].is_cuda:
            return func(*args, **kwargs)
        query, key, value = named["query"], named["key"], named["value"]
        mask, scaling = named.get("attn_mask"), named.get("scale")
        return attention(query, key, value, mask=mask, probability=probability, scaling=scaling)

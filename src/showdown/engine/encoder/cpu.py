"""Dropout and attention on a CPU, faster than PyTorch's and equal in distribution.

PyTorch draws a dropout mask number by number on one core, and uses no fast kernel for attention with dropout: together
half of a forward pass of a small BERT. Here each draw gives four 16-bit numbers, so a dropout probability is rounded to
a multiple of 1/65536, and kept values are scaled for the rounded probability. The draws are made by torch's own
generator, so that seeded and resumed runs repeat.
"""

from collections.abc import Callable, Iterable
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


def _split(x: torch.Tensor, runs: list[tuple[int, int]]) -> list[torch.Tensor]:
    """Return a pack (1, heads, tokens, width) as (count, heads, length, width) for each run of equal lengths."""
    parts = torch.split(x[0], [count * length for count, length in runs], dim=1)
    return [part.unflatten(1, run).transpose(0, 1) for part, run in zip(parts, runs, strict=True)]  # type: ignore[no-untyped-call]


class FastCpu(TorchFunctionMode):
    """Replaces dropout and attention with dropout by the functions above; splits attention over packed sequences."""

    def __init__(self, lengths: list[int] | None = None, *, queries: int | None = None) -> None:
        """Begin.

        Args:
            lengths: tokens of each packed sequence, where attention runs over a pack: no sequence then sees another.
            queries: queries of each sequence; by default one for each token.

        """
        super().__init__()
        self._queries = queries
        self._runs = None if lengths is None else [(len(list(run)), length) for length, run in groupby(lengths)]
        """Count and length of each run of sequences of equal length, which are computed together."""

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

    def _attention(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        named = dict(zip(names, args, strict=False)) | kwargs
        if named.get("is_causal") or named.get("enable_gqa") or named["query"].is_cuda:
            return func(*args, **kwargs)
        query, key, value = named["query"], named["key"], named["value"]
        if self._runs is None:
            return self._one(func, (query, key, value), named)
        query_runs = [(count, self._queries or length) for count, length in self._runs]
        parts = zip(
            *(_split(x, runs) for x, runs in ((query, query_runs), (key, self._runs), (value, self._runs))), strict=True
        )
        attended = [self._one(func, part, named) for part in parts]
        return torch.cat([part.transpose(0, 1).flatten(1, 2) for part in attended], dim=1)[None]

    @staticmethod
    def _one(func: Callable[..., Any], parts: tuple[torch.Tensor, ...], named: dict[str, Any]) -> Any:
        probability, mask, scaling = named.get("dropout_p", 0.0), named.get("attn_mask"), named.get("scale")
        if probability == 0.0:
            return func(*parts, attn_mask=mask, scale=scaling)
        return attention(*parts, mask=mask, probability=probability, scaling=scaling)

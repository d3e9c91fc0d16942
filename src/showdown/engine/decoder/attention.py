"""Causal attention over packed sequences, none of which sees another."""

import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each sequence of a pack begins and ends."""

    starts: torch.Tensor
    """Shape (sequences + 1,), int32: the first token of each sequence, then the number of all tokens."""
    longest: int
    """Tokens of the longest sequence, or more."""
    lengths: tuple[int, ...] | None = None
    """Tokens of each sequence; None where `starts` is written to again, as in CUDA graphs."""

    @property
    def sequences(self) -> int:
        """How many there are."""
        return self.starts.numel() - 1

    @property
    def last_tokens(self) -> torch.Tensor:
        """Index of the last token of each sequence, shape (sequences,), int64."""
        return self.starts[1:].long() - 1


def layout_of(lengths: Sequence[int], device: torch.device | str) -> Layout:
    """Return the layout of sequences of these lengths, in this order."""
    starts = torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0).to(torch.int32)
    return Layout(starts=starts.to(device, non_blocking=True), longest=max(lengths), lengths=tuple(lengths))


@dataclass(frozen=True, kw_only=True)
class Queries:
    """The tokens that a network's last layer computes: some at the end of each sequence."""

    layout: Layout
    places: torch.Tensor
    """Of these tokens in the pack, shape (queries,), int64."""


def last_queries(layout: Layout) -> Queries:
    """Return one query for each sequence: its last token."""
    starts = torch.arange(layout.sequences + 1, dtype=torch.int32, device=layout.starts.device)
    return Queries(layout=Layout(starts=starts, longest=1), places=layout.last_tokens)


def end_queries(lengths: Sequence[int], counts: Sequence[int]) -> Queries:
    """Return the last tokens of each sequence, on the CPU.

    Args:
        lengths: tokens of each sequence.
        counts: how many of them, from the end; 0 for a sequence that is only seen by others.

    """
    ends = torch.tensor(lengths).cumsum(0).tolist()
    places = [torch.arange(end - count, end) for end, count in zip(ends, counts, strict=True)]
    return Queries(layout=layout_of(counts, "cpu"), places=torch.cat(places))


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Keys of sequences that begin alike: their common beginning is in the pack once, as its first sequence."""

    places: torch.Tensor
    """For the keys of each sequence, one behind the other, their places in the pack: int64."""
    layout: Layout
    """Of these keys."""


def shared_beginning(lengths: Sequence[int]) -> Shared:
    """Return the keys that each sequence of a pack sees, on the CPU.

    Args:
        lengths: tokens of the common beginning, then of what follows it in each sequence.

    """
    first, *others = lengths
    starts = torch.tensor(lengths).cumsum(0).tolist()
    beginning = torch.arange(first)
    own = [torch.arange(start, start + length) for start, length in zip(starts, others, strict=False)]
    places = torch.cat([beginning, *(part for one in own for part in (beginning, one))])
    return Shared(places=places, layout=layout_of([first, *(first + length for length in others)], "cpu"))


@functools.cache
def _varlen_parameters() -> frozenset[str]:
    from torch.nn.attention.varlen import varlen_attn

    return frozenset(inspect.signature(varlen_attn).parameters)


def varlen_is_here() -> bool:
    """Return whether this PyTorch has variable-length attention with windows (2.11 or later)."""
    try:
        return "window_size" in _varlen_parameters()
    except ImportError:
        return False


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Settings of one attention layer."""

    scaling: float
    window: int | None
    """A token sees itself and the `window` - 1 tokens before it; None for all before it."""


def packed_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    queries: Layout,
    keys: Layout,
    heads: Heads,
) -> torch.Tensor:
    """Return causal attention within each sequence, shape (query tokens, query heads, head width).

    Args:
        query: shape (query tokens, query heads, head width).
        key: shape (tokens, key heads, head width); the query heads are a multiple of the key heads.
        value: as `key`.
        queries: all tokens of each sequence, or only some at its end: the ends of queries and keys are aligned.
        keys: all tokens that each sequence sees.
        heads: scaling and window.

    """
    if query.is_cuda:
        return _varlen(query, key, value, queries, keys, heads)
    return _sequence_by_sequence(query, key, value, queries, keys, heads)


def _varlen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: Layout, keys: Layout, heads: Heads
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    # A window of w tokens reaches w - 1 to the left. torch 2.13 needs `enable_gqa` for grouped heads; 2.11 lacks it.
    left = -1 if heads.window is None else heads.window - 1
    options: dict[str, Any] = (
        {"enable_gqa": True} if "enable_gqa" in _varlen_parameters() and query.shape[1] != key.shape[1] else {}
    )
    attended = varlen_attn(
        query,
        key,
        value,
        queries.starts,
        keys.starts,
        queries.longest,
        keys.longest,
        scale=heads.scaling,
        window_size=(left, 0),
        **options,
    )
    assert isinstance(attended, torch.Tensor)
    return attended


def _visible(queries: int, keys: int, window: int | None, device: torch.device) -> torch.Tensor:
    """Return which key each query sees, shape (queries, keys); the last query is at the last key."""
    query = torch.arange(keys - queries, keys, device=device)[:, None]
    key = torch.arange(keys, device=device)[None, :]
    seen = key <= query
    return seen if window is None else seen & (key > query - window)


def _sequence_by_sequence(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: Layout, keys: Layout, heads: Heads
) -> torch.Tensor:
    parts = []
    query_lengths = list(queries.lengths or queries.starts.diff().tolist())
    key_lengths = list(keys.lengths or keys.starts.diff().tolist())
    for q, k, v in zip(
        torch.split(query, query_lengths),
        torch.split(key, key_lengths),
        torch.split(value, key_lengths),
        strict=True,
    ):
        if not q.shape[0]:
            continue
        whole = q.shape[0] == k.shape[0] and (heads.window is None or heads.window >= k.shape[0])
        attended = functional.scaled_dot_product_attention(
            q.transpose(0, 1)[None],
            k.transpose(0, 1)[None],
            v.transpose(0, 1)[None],
            attn_mask=None if whole else _visible(q.shape[0], k.shape[0], heads.window, q.device),
            is_causal=whole,
            scale=heads.scaling,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        parts.append(attended[0].transpose(0, 1))
    return torch.cat(parts)

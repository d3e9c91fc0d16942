"""Sequences one behind the other without padding: the input of a decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from showdown.engine.decoder.attention import Layout, Queries, Shared, layout_of, shared_beginning
from showdown.engine.dropout import draw_seeds


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Packed sequences: the input of a forward pass."""

    ids: torch.Tensor
    """Token ids, shape (tokens,), int64."""
    places: torch.Tensor
    """Position of each token within its sequence, from 0: shape (tokens,), int64."""
    seeds: torch.Tensor
    """Of the dropout masks, one pair for each of the decoder's `streams`: shape (streams, 2), int64."""
    layout: Layout
    read: int
    """How many sequences are read: all, or all but the last one, which fills the pack up."""
    queries: Queries | None = None
    """What is read, so that the last layer computes it alone; None for the last token of each sequence."""
    reads_all: bool = False
    """Whether every token is read."""
    shared: Shared | None = None
    """Where the first sequence is what all others begin with; None where each sequence sees itself alone."""

    def to(self, device: str) -> "Pack":
        """Return it on a device."""

        def moved(one: torch.Tensor) -> torch.Tensor:
            return one.to(device, non_blocking=True)

        def laid(layout: Layout) -> Layout:
            return replace(layout, starts=moved(layout.starts))

        queries, shared = self.queries, self.shared
        return replace(
            self,
            ids=moved(self.ids),
            places=moved(self.places),
            seeds=moved(self.seeds),
            layout=laid(self.layout),
            queries=queries and replace(queries, layout=laid(queries.layout), places=moved(queries.places)),
            shared=shared and replace(shared, layout=laid(shared.layout), places=moved(shared.places)),
        )


def pack_of(sequences: Sequence[torch.Tensor], *, streams: int, fill: int = 0, beginning: int = 0) -> Pack:
    """Return sequences as a pack on the CPU, its seeds drawn.

    Args:
        sequences: token ids of each, 1-D, int64, not empty.
        streams: of the decoder.
        fill: tokens of one more sequence that fills the pack up; its result is not read.
        beginning: tokens that all sequences begin with and that are packed once, as a sequence before all others. There
            is then nothing to fill up, and each sequence has more tokens.

    """
    assert not (fill and beginning), "a sequence that fills up begins otherwise"
    every = [sequences[0][:beginning]] if beginning else []
    every += [one[beginning:] for one in sequences]
    every += [sequences[0].new_zeros(fill)] if fill else []
    lengths = [one.numel() for one in every]
    starts = [0] + [beginning] * len(sequences) if beginning else [0] * len(every)
    return Pack(
        ids=torch.cat(every),
        places=torch.cat([torch.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)]),
        seeds=draw_seeds(streams),
        layout=layout_of(lengths, "cpu"),
        read=len(sequences),
        shared=shared_beginning(lengths) if beginning else None,
    )


def common_beginning(sequences: Sequence[torch.Tensor], most: int) -> int:
    """Return how many tokens all sequences begin with, at most so many; 0 for a single sequence."""
    if len(sequences) == 1 or most <= 0:
        return 0
    beginnings = torch.stack([sequence[:most] for sequence in sequences])
    same = (beginnings == beginnings[0]).all(dim=0)
    return int(same.long().cumprod(0).sum())

"""How many tokens the training rows have, as the memory plan needs it."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from showdown.core.examples import Examples
from showdown.core.task import EncodedExamples, Objective


def all_rows(sides: Sequence[Examples]) -> Examples:
    """Return the rows of all partitions, each once."""
    rows = {row_id: (side, place) for side in sides for place, row_id in enumerate(side.row_ids)}

    def column(name: str) -> tuple[Any, ...]:
        return tuple(getattr(side, name)[place] for side, place in rows.values() if getattr(side, name))

    return Examples(**{field.name: column(field.name) for field in fields(Examples)})


Sizes = list[tuple[int, int]]
"""Of each row its tokens, and how many of them a language model's last layer computes."""


def sizes_of(encoded: EncodedExamples) -> Sizes:
    """Return the sizes of rows; what is read of a row begins with its first token that has a loss."""
    nothing = Objective.padding_target
    firsts = [
        next((place for place, target in enumerate(row) if target != nothing), len(row) - 1) for row in encoded.targets
    ]
    lengths = encoded.lengths
    return [(tokens, tokens - encoded.virtual_tokens - first) for tokens, first in zip(lengths, firsts, strict=True)]


def read_share(sizes: Sizes, rows: int) -> float:
    """Return how much is read of the steps of so many rows that have most of it, from 0 to 1."""
    tokens = sum(sorted((tokens for tokens, _ in sizes), reverse=True)[:rows])
    return min(1.0, sum(sorted((read for _, read in sizes), reverse=True)[:rows]) / tokens)

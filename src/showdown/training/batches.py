"""Which rows go into which step.

Every method sees the same rows in the same steps: the order depends on the seed and the epoch alone. Rows are sorted by
length only inside a step, so that micro-batches have little padding while each step stays a random sample.
"""

import math
from collections.abc import Sequence

import torch


def effective_batches(row_count: int, effective_rows: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Return the rows of each optimiser step of an epoch; the last step may be smaller.

    Args:
        row_count: training rows.
        effective_rows: rows of a step.
        seed: the run's seed.
        epoch: 0-based; each epoch has an order of its own.

    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(row_count, generator=generator).tolist()
    return [order[start : start + effective_rows] for start in range(0, row_count, effective_rows)]


DRAWN_EPOCHS = 10
"""Epochs whose steps stand for those of a training, since none knows when it converges."""


def largest_drawn_tokens(lengths: Sequence[int], effective_rows: int, micro_rows: int, *, epochs: int) -> int:
    """Return the tokens of the largest micro-batch in the steps of seed 0, which stand for those of other seeds.

    The longest rows seldom meet in one step: of 1,024 rows with the lengths of instruction data, 16 in a step, the
    largest step of an epoch has 9,822 tokens, and the 16 longest rows have 20,507.

    Args:
        lengths: tokens of every training row, in the rows' order.
        effective_rows: rows of a step.
        micro_rows: the most rows of a micro-batch, which has the longest ones of its step.
        epochs: the most epochs of the training; at most `DRAWN_EPOCHS` are drawn.

    """
    missing = -len(lengths) % effective_rows  # of the last step
    tokens, largest = torch.tensor([*lengths, *[0] * missing]), 0
    nothing = list(range(len(lengths), len(tokens)))
    for epoch in range(min(epochs, DRAWN_EPOCHS)):
        steps = effective_batches(len(lengths), effective_rows, seed=0, epoch=epoch)
        steps[-1] = steps[-1] + nothing
        longest = tokens[torch.tensor(steps)].topk(min(micro_rows, effective_rows), dim=1).values
        largest = max(largest, int(longest.sum(1).max()))
    return largest


def micro_batches(
    rows: Sequence[int], lengths: Sequence[int], micro_rows: int, micro_tokens: int | None = None
) -> list[list[int]]:
    """Divide the rows of a step into micro-batches, longest rows first.

    The longest first, so that memory that does not suffice shows at once, and rows of like length lie together.

    Args:
        rows: rows of the step.
        lengths: tokens of every training row, indexed by row.
        micro_rows: the most rows of one forward pass.
        micro_tokens: the most tokens of one forward pass, padding not counted; a longer row goes alone. Rows then fill
            up the first micro-batch that has room for them (first fit decreasing).

    """
    by_length = sorted(rows, key=lambda row: (-lengths[row], row))
    if micro_tokens is None:
        return [by_length[start : start + micro_rows] for start in range(0, len(by_length), micro_rows)]
    filled: list[list[int]] = []
    room: list[int] = []
    for row in by_length:
        place = next(
            (n for n, left in enumerate(room) if left >= lengths[row] and len(filled[n]) < micro_rows), len(filled)
        )
        if place == len(filled):
            filled.append([])
            room.append(micro_tokens)
        filled[place].append(row)
        room[place] -= lengths[row]
    return filled


def shared_micro_batches(
    rows: Sequence[int],
    lengths: Sequence[int],
    micro_rows: int,
    micro_tokens: int | None = None,
    *,
    processes: int,
) -> list[list[list[int]]]:
    """Divide the rows of a step among processes, and each share into micro-batches.

    The longest row goes to the process with the fewest tokens so far (Graham 1969), of those that have room for it in
    the fewest micro-batches with which the step can be taken: one row too many would be a pass of its own, in which
    the other processes wait. All processes get the same number of micro-batches, since all gather weights for each
    pass; one without a row is empty.

    Args:
        rows: as in `micro_batches`. So for the next three.
        lengths: see there.
        micro_rows: see there.
        micro_tokens: see there.
        processes: how many.

    Returns:
        The micro-batches of each process.

    """
    shares: list[list[int]] = [[] for _ in range(processes)]
    tokens = [0] * processes
    most_rows = micro_rows * math.ceil(len(rows) / (processes * micro_rows))
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        free = [number for number in range(processes) if len(shares[number]) < most_rows]
        least = min(free, key=lambda number: (tokens[number], len(shares[number]), number))
        shares[least].append(row)
        tokens[least] += lengths[row]
    divided = [micro_batches(share, lengths, micro_rows, micro_tokens) for share in shares]
    most = max(map(len, divided))
    return [[*batches, *[[] for _ in range(most - len(batches))]] for batches in divided]

"""Prompts that are continued a batch at a time, in smaller batches where memory does not suffice."""

from collections.abc import Callable, Sequence

import torch

from showdown.core.language import Continuation


def in_batches(
    prompts: Sequence[Sequence[int]],
    batch_rows: int,
    write: Callable[[Sequence[Sequence[int]]], Sequence[Continuation]],
) -> list[Continuation]:
    """Return what is written behind each prompt.

    Args:
        prompts: token ids of each.
        batch_rows: prompts that are continued at a time to begin with; halved where memory runs out.
        write: continues the prompts of a batch together.

    Raises:
        torch.OutOfMemoryError: where memory does not suffice for a single prompt.

    """
    found: list[Continuation] = []
    rows = max(1, min(batch_rows, len(prompts)))
    while len(found) < len(prompts):
        try:
            found += write(prompts[len(found) : len(found) + rows])
        except torch.OutOfMemoryError:
            if rows == 1:
                raise
            rows = -(-rows // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    return found

"""Forward and backward passes of training: they add the gradients of one micro-batch to those that are there."""

from collections.abc import Sequence
from typing import Protocol

import torch

from showdown.core.task import ForwardPath, Objective


class Accumulator(Protocol):
    """Computes gradients of whole sequences with one network."""

    @property
    def replayed(self) -> int:
        """How many micro-batches were replayed from CUDA graphs."""
        ...

    def accumulate(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, step_terms: float) -> torch.Tensor:
        """Add a micro-batch's gradients to the parameters' `grad`, and return its share of the step's mean loss.

        Args:
            sequences: token ids of each sequence: 1-D, int64, not empty, on the CPU.
            targets: target ids, one for each row of the logits: 1-D, int64, on the CPU.
            step_terms: loss terms of the whole step, over which its loss is a mean (`Objective.terms`);
                infinite for a pass that counts for nothing.

        Returns:
            A float32 scalar on the network's device; the next call may write to it.

        """
        ...

    def release(self) -> bool:
        """Give back memory that only makes passes faster; return whether there was any."""
        ...


class EagerAccumulator:
    """Launches every kernel when its turn comes: works for every network and every size."""

    replayed = 0

    def __init__(self, forward: ForwardPath, objective: Objective) -> None:
        self._forward = forward
        self._objective = objective

    def accumulate(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, step_terms: float) -> torch.Tensor:
        """See `Accumulator`."""
        loss = self._forward.loss_sum(sequences, targets, self._objective) / step_terms
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def release(self) -> bool:
        """See `Accumulator`."""
        return False

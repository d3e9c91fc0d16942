"""Cross-entropy as an objective: over labels, or over the next token."""

import torch
from torch.nn import functional

from showdown.core.task import Objective


class CrossEntropyObjective(Objective):
    """Cross-entropy between the softmax of a row of logits and its target."""

    def loss_sum(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the training loss summed over the rows that count, with the protocol's label smoothing."""
        return functional.cross_entropy(
            logits,
            targets,
            ignore_index=self.padding_target,
            reduction="sum",
            label_smoothing=self.protocol.label_smoothing,
        )

    def mean_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean validation loss over the rows that count: plain cross-entropy, whatever `loss_sum` adds."""
        return functional.cross_entropy(logits, targets, ignore_index=self.padding_target)

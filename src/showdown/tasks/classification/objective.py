"""The loss of classification: cross-entropy over the labels."""

import torch
from torch.nn import functional

from showdown.core.task import Objective


class CrossEntropy(Objective):
    """Cross-entropy between the softmax of an example's logits and its label."""

    def loss_sum(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the training loss summed over the examples of a micro-batch, with the protocol's label smoothing."""
        return functional.cross_entropy(
            logits,
            targets,
            ignore_index=self.padding_target,
            reduction="sum",
            label_smoothing=self.protocol.label_smoothing,
        )

    def mean_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean validation loss over the examples: the plain cross-entropy, whatever `loss_sum` adds."""
        return functional.cross_entropy(logits, targets, ignore_index=self.padding_target)

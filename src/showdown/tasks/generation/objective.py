"""The loss of generation: cross-entropy of the next token, over the tokens that count."""

import torch
from torch.nn import functional

from showdown.core.task import Objective


class NextToken(Objective):
    """Cross-entropy between the softmax of a token's logits and the token after it."""

    def loss_sum(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the training loss summed over the tokens that count, with the protocol's label smoothing."""
        return functional.cross_entropy(
            logits,
            targets,
            ignore_index=self.padding_target,
            reduction="sum",
            label_smoothing=self.protocol.label_smoothing,
        )

    def mean_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean validation loss over the tokens that count: the plain cross-entropy."""
        return functional.cross_entropy(logits, targets, ignore_index=self.padding_target)

"""The output layer of a causal language model: from hidden states to logits of the vocabulary."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class LanguageHead:
    """The output layer and what the model does to its logits."""

    def __init__(
        self,
        module: nn.Module,
        *,
        softcap: float | None = None,
        product: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        """Take the layer.

        Args:
            module: gives logits of shape (..., vocabulary).
            softcap: logits are softcap * tanh(logits / softcap) (Gemma 2, arXiv 2408.00118); None where they are not.
            product: computes what the module does, in another way; None calls the module.

        """
        self.module, self.softcap, self._product = module, softcap, product or module

    def computed_by(self, product: Callable[[torch.Tensor], torch.Tensor] | None) -> "LanguageHead":
        """Return this head with another way to compute the layer; itself where there is none."""
        return self if product is None else LanguageHead(self.module, softcap=self.softcap, product=product)

    @property
    def learning(self) -> list[nn.Parameter]:
        """The trainable parameters; a weight that is tied to the embedding is one of them."""
        return [value for value in self.module.parameters() if value.requires_grad]

    @property
    def vocabulary(self) -> int:
        """How many logits there are."""
        layer: Any = self.module
        return int(layer.out_features if hasattr(layer, "out_features") else layer.weight.shape[0])

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return float32 logits of shape (tokens, vocabulary) for hidden states of shape (tokens, width)."""
        logits: torch.Tensor = self._product(hidden).float()
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

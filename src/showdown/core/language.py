"""What the engine promises of a causal language model: losses of tokens that count, and answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from showdown.core.task import ForwardPath

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """The tokens that a network wrote behind one prompt."""

    ids: Sequence[int]
    """Without the token that ended it."""
    finished: bool
    """Whether a stop token ended it, and not the limit."""
    first_token_seconds: float
    """From the start of its batch to its first token."""


class LanguagePath(ForwardPath, Protocol):
    """Computes with one causal language model. `loss_sum` never holds the logits of all tokens at once."""

    def logit_blocks(
        self, sequences: "Sequence[torch.Tensor]", targets: "torch.Tensor"
    ) -> "Iterator[tuple[torch.Tensor, torch.Tensor]]":
        """Yield the logits of the tokens that count, without gradients, a block of rows at a time.

        Args:
            sequences: token ids of each sequence: 1-D, int64, not empty.
            targets: for each token of all sequences, one behind the other, the id of the token after it, or
                `Objective.padding_target` where that does not count: 1-D, int64.

        Yields:
            float32 logits of shape (rows, vocabulary), and their targets of shape (rows,), in the order of the tokens.

        """
        ...

    def write(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, batch_rows: int
    ) -> list[Continuation]:
        """Continue each prompt greedily until a stop token comes, or ``most`` tokens were written.

        Args:
            prompts: token ids of each, not empty. What all of a batch begin with is computed once.
            stop_ids: tokens that end an answer.
            most: tokens that one answer may have, the stop token included.
            batch_rows: prompts that are continued at a time.

        Returns:
            One continuation for each prompt, in their order.

        """
        ...

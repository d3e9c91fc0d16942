"""Forward paths of a network with virtual tokens: each row gets them before it goes the way that it goes anyhow."""

from collections.abc import Iterator, Sequence

import torch

from showdown.core.language import Continuation, LanguagePath
from showdown.core.task import ForwardPath, Objective
from showdown.models.virtual_tokens import VirtualEmbedding


class VirtualTokensForward(ForwardPath):
    """A classifier's path."""

    def __init__(self, path: ForwardPath, embedding: VirtualEmbedding) -> None:
        """Take the path of the same network for rows with virtual tokens in them."""
        self.name = path.name  # how it is computed, which virtual tokens do not change
        self._path, self._behind, self._ids = path, embedding.behind, torch.tensor(embedding.ids())

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        return self._path.logits(self._longer(sequences))

    def _longer(self, sequences: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        virtual = self._ids.to(sequences[0].device)
        return [torch.cat([row, virtual] if self._behind else [virtual, row]) for row in sequences]


class VirtualTokensLanguageModel(LanguagePath):
    """A language model's path: virtual tokens stand before the text, and have no loss."""

    def __init__(self, path: LanguagePath, embedding: VirtualEmbedding) -> None:
        """Take the path of the same network for rows with virtual tokens in them."""
        self.name = path.name  # how it is computed, which virtual tokens do not change
        self._path, self._ids = path, torch.tensor(embedding.ids())

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (tokens of all sequences, vocabulary), differentiable."""
        longer = self._longer(sequences)
        rows = torch.split(self._path.logits(longer), [row.numel() for row in longer])
        return torch.cat([row[len(self._ids) :] for row in rows])

    def loss_sum(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, objective: Objective) -> torch.Tensor:
        """See `ForwardPath`."""
        wanted = self._longer_targets(sequences, targets, objective.padding_target)
        return self._path.loss_sum(self._longer(sequences), wanted, objective)

    def logit_blocks(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """See `LanguagePath`."""
        wanted = self._longer_targets(sequences, targets, Objective.padding_target)
        return self._path.logit_blocks(self._longer(sequences), wanted)

    def write(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, batch_rows: int
    ) -> list[Continuation]:
        """See `LanguagePath`."""
        virtual = self._ids.tolist()
        longer = [[*virtual, *prompt] for prompt in prompts]
        return self._path.write(longer, stop_ids=stop_ids, most=most, batch_rows=batch_rows)

    def _longer(self, sequences: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        virtual = self._ids.to(sequences[0].device)
        return [torch.cat([virtual, row]) for row in sequences]

    def _longer_targets(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, padding_target: int
    ) -> torch.Tensor:
        nothing = targets.new_full((len(self._ids),), padding_target)
        rows = torch.split(targets, [row.numel() for row in sequences])
        return torch.cat([part for row in rows for part in (nothing, row)])

"""Causal language models on padded rows: right for every architecture of transformers."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from showdown.core.language import Continuation, LanguagePath
from showdown.core.task import Objective
from showdown.engine.encoder.cpu import FastCpu
from showdown.engine.language.chunks import chunk_rows
from showdown.engine.language.generate import continued
from showdown.engine.language.head import LanguageHead
from showdown.engine.language.loss import chunked_loss_sum
from showdown.engine.structure import LanguageModel
from showdown.models.padding import of_equal_length

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_ON_THE_LONGEST = frozenset({"dynamic", "longrope"})
"""Kinds of rotary positions that depend on the longest row of a batch."""


class PaddedLanguageModel(LanguagePath):
    """Rows padded on the right. A causal network reads no later token, so that no token sees the padding.

    No attention mask is given, which would only hide padding from padding: where a window hides all keys of a query,
    gradients may be NaN. Hidden states are selected before the head where the network lets us.
    """

    def __init__(self, language: LanguageModel, *, pad_token_id: int, device: str) -> None:
        """Prepare.

        Args:
            language: the network, taken apart.
            pad_token_id: fills up short rows.
            device: `cpu` or `cuda`.

        """
        self._language, self._pad_token_id, self._device = language, pad_token_id, device
        self._head = self._head_apart()
        self._equal = _depends_on_the_longest(language.model.config)
        self.name = "rows of equal length together" if self._equal else "padded"

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (tokens of all sequences, vocabulary), differentiable."""
        places = torch.arange(sum(sequence.numel() for sequence in sequences))
        with self._fast():
            return self._logits_of(self._selected(sequences, places))

    def loss_sum(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, objective: Objective) -> torch.Tensor:
        """See `ForwardPath`."""
        places, wanted = counted(targets, objective.padding_target)
        with self._fast():
            selected = self._selected(sequences, places)
            if self._head is None:
                return objective.loss_sum(selected, wanted.to(selected.device))
            return chunked_loss_sum(selected, wanted.to(selected.device), self._head, objective)

    def logit_blocks(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """See `LanguagePath`."""
        places, wanted = counted(targets, Objective.padding_target)
        if not len(places):
            return
        with torch.no_grad(), self._fast():
            selected = self._selected(sequences, places)
        size = chunk_rows(len(selected), self._head.vocabulary) if self._head else len(selected)
        for rows, some in zip(torch.split(selected, size), torch.split(wanted.to(selected.device), size), strict=True):
            with torch.no_grad():
                yield self._logits_of(rows), some

    def write(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, batch_rows: int
    ) -> list[Continuation]:
        """See `LanguagePath`."""
        return continued(
            self._language, prompts, stop_ids=stop_ids, most=most, batch_rows=batch_rows,
            pad_token_id=self._pad_token_id, device=self._device,
        )  # fmt: skip

    def _fast(self) -> AbstractContextManager[Any]:
        return FastCpu() if self._device == "cpu" else nullcontext()

    def _logits_of(self, selected: torch.Tensor) -> torch.Tensor:
        return selected if self._head is None else self._head(selected)

    def _selected(self, sequences: Sequence[torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Return what the network makes of some tokens: hidden states, or float32 logits where it has no head apart.

        Args:
            sequences: token ids of each.
            places: of the tokens among those of all sequences, rising.

        """
        lengths = [sequence.numel() for sequence in sequences]
        groups = of_equal_length(lengths) if self._equal else [list(range(len(sequences)))]
        row_of = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        column_of = torch.cat([torch.arange(length) for length in lengths])
        found, order = [], []
        for rows in groups:
            number_of = torch.full((len(lengths),), -1)
            number_of[rows] = torch.arange(len(rows))
            here = places[number_of[row_of[places]] >= 0]
            output = self._output([sequences[row] for row in rows])
            chosen = number_of[row_of[here]] * output.shape[1] + column_of[here]
            found.append(output.flatten(0, 1).index_select(0, chosen.to(output.device)))
            order.append(here)
        if len(groups) == 1:
            return found[0] if self._head else found[0].float()
        every = torch.cat(found)
        together = every.index_select(0, torch.cat(order).argsort().to(every.device))
        return together if self._head else together.float()

    def _output(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return hidden states or logits, shape (sequences, longest, width)."""
        ids = nn.utils.rnn.pad_sequence(list(sequences), batch_first=True, padding_value=self._pad_token_id)
        ids = ids.to(self._device, non_blocking=True)
        if self._head is None:
            logits: torch.Tensor = self._language.model(input_ids=ids, use_cache=False).logits
            return logits
        hidden: torch.Tensor = self._language.backbone(input_ids=ids, use_cache=False).last_hidden_state
        return hidden

    def _head_apart(self) -> LanguageHead | None:
        """Return the head where it alone makes logits of hidden states, bit for bit those of the whole network."""
        language = self._language
        if language.head is None or any(value.is_meta for value in language.model.parameters()):
            return None
        ids = torch.arange(2, device=self._device)[None]
        training = [module for module in language.model.modules() if module.training]
        language.model.eval()
        try:
            with torch.no_grad():
                whole = language.model(input_ids=ids, use_cache=False).logits
                hidden = language.backbone(input_ids=ids, use_cache=False).last_hidden_state
                apart = language.head(hidden)
        except (RuntimeError, TypeError, ValueError, AttributeError):  # its parts are called in another way
            return None
        finally:
            for module in training:
                module.training = True
        return LanguageHead(language.head) if torch.equal(apart, whole) else None


def counted(targets: torch.Tensor, padding_target: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the places of the targets that count, and these targets."""
    places = (targets != padding_target).nonzero()[:, 0]
    return places, targets[places]


def _depends_on_the_longest(config: "PretrainedConfig") -> bool:
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    kinds = {str(part.get("rope_type")) for part in (rope, *rope.values()) if isinstance(part, dict)}
    return bool(kinds & _ON_THE_LONGEST)

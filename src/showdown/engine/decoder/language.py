"""Causal language models without padding: losses of the tokens that count, and answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from showdown.core.language import Continuation, LanguagePath
from showdown.core.task import Objective
from showdown.engine.decoder.attention import end_queries
from showdown.engine.decoder.cudnn_attention import CudnnAttention
from showdown.engine.decoder.forward import PackedPath
from showdown.engine.decoder.pack import Pack, pack_of
from showdown.engine.language.generate import continued
from showdown.engine.language.head import LanguageHead
from showdown.engine.language.loss import chunk_rows, chunked_loss_sum
from showdown.engine.structure import LanguageModel

_LEAST_SAVED = 1 / 16
"""Share of a pack's tokens that a common beginning must save: attention between it and the rest costs a little."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A pack, and which of the hidden states that it gives have a loss."""

    pack: Pack
    rows: torch.Tensor
    """Among the pack's queries, shape (tokens that count,), int64."""
    wanted: torch.Tensor
    """The token after each, shape (tokens that count,), int64."""

    def to(self, device: str) -> "Counted":
        """Return it on a device."""
        rows, wanted = (one.to(device, non_blocking=True) for one in (self.rows, self.wanted))
        return Counted(pack=self.pack.to(device), rows=rows, wanted=wanted)


class PackedLanguageModel(PackedPath, LanguagePath):
    """The sequences of a micro-batch packed without padding; only tokens with a loss go through the head."""

    def __init__(
        self,
        language: LanguageModel,
        *,
        pad_token_id: int,
        device: str,
        recompute: bool = False,
        attention: CudnnAttention | None = None,
    ) -> None:
        """Take a language model that can be packed; the other arguments are those of `PackedPath`."""
        self._language, self._pad_token_id = language, pad_token_id
        super().__init__(language.backbone, device=device, recompute=recompute, attention=attention)
        assert language.head is not None, "a model that can be packed has an output layer"
        self.head = LanguageHead(language.head, softcap=getattr(self.config, "final_logit_softcapping", None))
        self.shares_beginnings = not device.startswith("cuda")
        """Whether what all sequences of a pack begin with is computed once."""

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (tokens of all sequences, vocabulary), differentiable."""
        pack = self.pack(sequences, fill=self.missing_tokens(sequences))
        lengths = list(pack.layout.lengths or ())
        filling = lengths[pack.read :]
        pack = replace(pack, queries=end_queries(lengths, lengths[: pack.read] + [0] * len(filling)))
        return self.head(self.walk.hidden(pack.to(self.device)))

    def loss_sum(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, objective: Objective) -> torch.Tensor:
        """See `ForwardPath`."""
        given = self.lay_out(sequences, targets, objective.padding_target).to(self.device)
        return self.loss_of(given, objective)

    def loss_of(self, given: Counted, objective: Objective) -> torch.Tensor:
        """Return the loss sum of a pack on the device."""
        hidden = self.walk.hidden(given.pack).index_select(0, given.rows)
        return chunked_loss_sum(hidden, given.wanted, self.head, objective)

    @torch.no_grad()
    def logit_blocks(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """See `LanguagePath`."""
        given = self.lay_out(sequences, targets, Objective.padding_target).to(self.device)
        hidden = self.walk.hidden(given.pack).index_select(0, given.rows)
        size = chunk_rows(len(hidden), self.head.vocabulary)
        for rows, wanted in zip(torch.split(hidden, size), torch.split(given.wanted, size), strict=True):
            if len(rows):
                yield self.head(rows), wanted

    def write(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, batch_rows: int
    ) -> list[Continuation]:
        """See `LanguagePath`."""
        return continued(
            self._language, prompts, stop_ids=stop_ids, most=most, batch_rows=batch_rows,
            pad_token_id=self._pad_token_id, device=self.device,
        )  # fmt: skip

    def lay_out(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, padding_target: int) -> Counted:
        """Return a micro-batch as a pack on the CPU, whose last layer begins at the first token that counts."""
        parts = torch.split(targets.cpu(), [sequence.numel() for sequence in sequences])
        places = [(part != padding_target).nonzero()[:, 0] for part in parts]
        firsts = [
            int(place[0]) if place.numel() else part.numel() - 1 for place, part in zip(places, parts, strict=True)
        ]
        beginning = self._beginning(sequences, firsts)
        fill = 0 if beginning else self.missing_tokens(sequences)
        pack = pack_of(sequences, streams=self.walk.streams, fill=fill, beginning=beginning)
        counts = [part.numel() - first for part, first in zip(parts, firsts, strict=True)]
        starts = torch.tensor([0, *counts]).cumsum(0).tolist()
        before, behind = [0] * bool(beginning), [0] * bool(fill)
        return Counted(
            pack=replace(pack, queries=end_queries(list(pack.layout.lengths or ()), [*before, *counts, *behind])),
            rows=torch.cat(
                [start + place - first for start, place, first in zip(starts, places, firsts, strict=False)]
            ),
            wanted=torch.cat([part[place] for part, place in zip(parts, places, strict=True)]),
        )

    def _beginning(self, sequences: Sequence[torch.Tensor], firsts: Sequence[int]) -> int:
        """Return how many tokens all sequences begin with, none of which counts; 0 where that saves too little."""
        if not self.shares_beginnings or len(sequences) == 1:
            return 0
        most = min(firsts)
        heads = torch.stack([sequence[:most] for sequence in sequences])
        same = (heads == heads[0]).all(dim=0)
        common = int(same.long().cumprod(0).sum())
        saved = common * (len(sequences) - 1)
        return common if saved >= _LEAST_SAVED * sum(sequence.numel() for sequence in sequences) else 0

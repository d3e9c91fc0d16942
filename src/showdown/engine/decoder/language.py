"""Causal language models without padding: losses of the tokens that count, and answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from showdown.core.language import Continuation, LanguagePath
from showdown.core.task import Objective
from showdown.engine.budget import launch_bound_tokens, shape_of
from showdown.engine.decoder.attention import end_queries
from showdown.engine.decoder.cudnn_attention import CudnnAttention
from showdown.engine.decoder.forward import PackedPath
from showdown.engine.decoder.pack import Pack, common_beginning, pack_of
from showdown.engine.decoder.write import Recorder, Writer
from showdown.engine.language.batches import in_batches
from showdown.engine.language.chunks import chunk_rows
from showdown.engine.language.head import LanguageHead
from showdown.engine.language.loss import chunked_loss_sum
from showdown.engine.structure import LanguageModel

_LEAST_SAVED = 1 / 10
"""Share of a pack's tokens that a common beginning must save: attention between it and the rest costs a little."""
COUNTED_PARTS = 8
"""In a pack for a CUDA graph, tokens that count are filled up to a multiple of its tokens divided by this."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A pack, and which of the hidden states that it gives have a loss."""

    pack: Pack
    rows: torch.Tensor
    """Of the tokens that count among the pack's queries, filled up at the end: shape (rows,), int64."""
    wanted: torch.Tensor
    """The token after each, shape (rows,), int64; none for those that fill up."""
    count: int
    """Tokens that count."""

    def to(self, device: str) -> "Counted":
        """Return it on a device."""
        rows, wanted = (one.to(device, non_blocking=True) for one in (self.rows, self.wanted))
        return replace(self, pack=self.pack.to(device), rows=rows, wanted=wanted)


class PackedLanguageModel(PackedPath, LanguagePath):
    """The sequences of a micro-batch packed without padding; only tokens with a loss go through the head."""

    def __init__(
        self,
        language: LanguageModel,
        *,
        device: str,
        recompute: bool = False,
        attention: CudnnAttention | None = None,
    ) -> None:
        """Take a language model that can be packed; the other arguments are those of `PackedPath`."""
        super().__init__(language.backbone, device=device, recompute=recompute, attention=attention)
        assert language.head is not None, "a model that can be packed has an output layer"
        self.head = LanguageHead(language.head, softcap=getattr(self.config, "final_logit_softcapping", None))
        self.shares_beginnings = True
        """Whether what all sequences of a pack begin with is computed once."""
        self.shares_from = launch_bound_tokens(shape_of(self.config)) if device.startswith("cuda") else 0
        """Tokens of a pack from which that is done: smaller ones would only wait for the host."""
        self.recorder: Callable[[], Recorder] | None = None
        """Makes what captures steps of writing as CUDA graphs; None launches them."""

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (tokens of all sequences, vocabulary), differentiable."""
        pack = replace(self.pack(sequences, fill=self.missing_tokens(sequences)), reads_all=True).to(self.device)
        tokens = sum(sequence.numel() for sequence in sequences)
        return self.within(lambda: self.head(self.walk.hidden(pack)[:tokens]))

    def loss_sum(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, objective: Objective) -> torch.Tensor:
        """See `ForwardPath`."""
        given = self.lay_out(sequences, targets, objective.padding_target).to(self.device)
        return self.within(lambda: self.loss_of(given, objective))

    def loss_of(self, given: Counted, objective: Objective) -> torch.Tensor:
        """Return the loss sum of a pack on the device."""
        hidden = self.walk.hidden(given.pack).index_select(0, given.rows)
        return chunked_loss_sum(hidden, given.wanted, self.head, objective)

    def filled(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, *, tokens: int, rows: int, padding_target: int
    ) -> tuple[Pack, tuple[torch.Tensor, ...]]:
        """See `PackedPath`. Places that count are filled up with the first token's, whose target then is none."""
        every = [*sequences, *[sequences[0].new_zeros(1)] * rows]
        pack = self.pack(every, fill=tokens - sum(sequence.numel() for sequence in every))
        counts = targets != padding_target
        inputs = self._filled_up(
            counts.nonzero()[:, 0],
            targets[counts],
            multiple=max(1, tokens // COUNTED_PARTS),
            padding_target=padding_target,
        )
        return replace(pack, reads_all=True), inputs

    def filled_loss(self, pack: Pack, inputs: Sequence[torch.Tensor], objective: Objective) -> torch.Tensor:
        """See `PackedPath`."""
        places, wanted = inputs
        hidden = self.walk.hidden(pack).index_select(0, places)
        return chunked_loss_sum(hidden, wanted, self.head, objective)

    @torch.no_grad()
    def logit_blocks(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """See `LanguagePath`."""
        given = self.lay_out(sequences, targets, Objective.padding_target).to(self.device)
        hidden = self.within(lambda: self.walk.hidden(given.pack).index_select(0, given.rows[: given.count]))
        size = chunk_rows(len(hidden), self.head.vocabulary)
        for rows, wanted in zip(torch.split(hidden, size), torch.split(given.wanted[: given.count], size), strict=True):
            if len(rows):
                yield self.head(rows), wanted

    def write(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, batch_rows: int
    ) -> list[Continuation]:
        """See `LanguagePath`."""
        writer = Writer(self.walk, self.head, device=self.device, recorder=self.recorder and self.recorder())
        longest = max(map(len, prompts), default=0)

        def written(batch: Sequence[Sequence[int]]) -> list[Continuation]:
            return writer.continued(batch, stop_ids=stop_ids, most=most, longest=longest)

        return in_batches(prompts, batch_rows, written)

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
        firsts = self._earlier(firsts, [part.numel() for part in parts], beginning)
        counts = [part.numel() - first for part, first in zip(parts, firsts, strict=True)]
        starts = torch.tensor([0, *counts]).cumsum(0).tolist()
        before, behind = [0] * bool(beginning), [0] * bool(fill)
        rows, wanted = self._filled_up(
            torch.cat([start + place - first for start, place, first in zip(starts, places, firsts, strict=False)]),
            torch.cat([part[place] for part, place in zip(parts, places, strict=True)]),
            multiple=self._multiple,
            padding_target=padding_target,
        )
        queries = end_queries(list(pack.layout.lengths or ()), [*before, *counts, *behind])
        count = sum(place.numel() for place in places)
        return Counted(pack=replace(pack, queries=queries), rows=rows, wanted=wanted, count=count)

    def _earlier(self, firsts: Sequence[int], lengths: Sequence[int], beginning: int) -> list[int]:
        """Return where each row's queries begin, some earlier, such that the sum of all recurs from step to step."""
        found = list(firsts)
        missing = -(sum(lengths) - sum(firsts)) % self._multiple
        for row, first in enumerate(firsts):
            found[row] -= min(missing, first - beginning)
            missing -= first - found[row]
        return found

    @staticmethod
    def _filled_up(
        rows: torch.Tensor, wanted: torch.Tensor, *, multiple: int, padding_target: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return them filled up to a multiple with the first row, whose target then counts for nothing."""
        missing = -len(rows) % multiple
        return (
            torch.cat([rows, rows.new_zeros(missing)]),
            torch.cat([wanted, wanted.new_full((missing,), padding_target)]),
        )

    def _beginning(self, sequences: Sequence[torch.Tensor], firsts: Sequence[int]) -> int:
        """Return how many tokens all sequences begin with, none of which counts; 0 where that saves too little."""
        tokens = sum(sequence.numel() for sequence in sequences)
        if not self.shares_beginnings or tokens < self.shares_from:
            return 0
        common = common_beginning(sequences, min(firsts))
        return common if common * (len(sequences) - 1) >= _LEAST_SAVED * tokens else 0

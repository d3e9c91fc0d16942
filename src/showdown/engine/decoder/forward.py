"""Forward passes of decoders without padding."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from showdown.core.task import ForwardPath, Objective
from showdown.engine.decoder.attention import varlen_is_here
from showdown.engine.decoder.cudnn_attention import CudnnAttention
from showdown.engine.decoder.pack import Pack, pack_of
from showdown.engine.decoder.walk import PackedDecoder, called_apart, unsupported_reason
from showdown.engine.parallel.spread import PartsSpread
from showdown.engine.structure import LanguageModel, LastTokenClassifier, altered_reason

T = TypeVar("T")


def unpackable_reason(decoder: LastTokenClassifier | LanguageModel, device: str) -> str | None:
    """Return why this decoder must be padded on this device, or None where it can be packed."""
    if decoder.backbone is None:
        return "it holds no backbone under its `base_model_prefix`"
    found = unsupported_reason(decoder.backbone) or altered_reason(decoder.model, called_apart(decoder.backbone))
    if found is None and device.startswith("cuda"):
        if not varlen_is_here():
            return "this PyTorch has no variable-length attention"
        if next(decoder.backbone.embed_tokens.parameters()).dtype == torch.float32:
            return "variable-length attention needs 16-bit numbers"
    return found


TOKEN_MULTIPLE = 64
"""A pack is filled up to a multiple of so many tokens by one more sequence, whose result is not read. Sizes then repeat
from step to step: the allocator finds blocks of the right size, and Triton compiles no kernel again."""


class PackedPath(ABC):
    """A decoder that is run over packs."""

    def __init__(
        self,
        backbone: Any,
        *,
        device: str,
        recompute: bool = False,
        attention: CudnnAttention | None = None,
    ) -> None:
        """Prepare the walk.

        Args:
            backbone: of the decoder.
            device: `cpu` or `cuda`.
            recompute: checkpoint activations: keep only the input of each layer.
            attention: cuDNN's attention, for the packs that it can compute.

        """
        on_gpu = "packed cuDNN attention" if attention else "packed varlen attention"
        self.name = on_gpu if device.startswith("cuda") else "packed, attention by sequence"
        self.walk = PackedDecoder(backbone, recompute=recompute, attention=attention)
        if self.walk.in_fp8:
            self.name += ", products in fp8"
        self.device = device
        self.config: Any = backbone.config
        self._multiple = TOKEN_MULTIPLE if device.startswith("cuda") else 1
        self._divided: PartsSpread | None = None

    def divide(self, spread: PartsSpread) -> None:
        """Compute from now on with weights of which other devices step a part."""
        self._divided, self.walk.units = spread, spread.units
        self.name += f", {spread.words}"

    @property
    def is_divided(self) -> bool:
        """Whether weights come from other devices."""
        return self._divided is not None

    def within(self, run: Callable[[], T]) -> T:
        """Return what a pass returns, with the weights here that are needed from its beginning to its end."""
        return run() if self._divided is None else self._divided.call(run)

    def missing_tokens(self, sequences: Sequence[torch.Tensor]) -> int:
        """Return the tokens that fill a pack of these sequences up."""
        return -sum(sequence.numel() for sequence in sequences) % self._multiple

    def pack(self, sequences: Sequence[torch.Tensor], *, fill: int) -> Pack:
        """Return the sequences as a pack on the CPU, filled up with so many tokens whose results are not read."""
        return pack_of(sequences, streams=self.walk.streams, fill=fill)

    @abstractmethod
    def filled(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, *, tokens: int, rows: int, padding_target: int
    ) -> tuple[Pack, tuple[torch.Tensor, ...]]:
        """Return a micro-batch of a size that recurs, for CUDA graphs, on the CPU.

        Args:
            sequences: of the micro-batch.
            targets: all their target ids.
            tokens: of the pack, with what fills it up.
            rows: how many sequences of one token without a target are added.
            padding_target: the target that counts for nothing.

        Returns:
            The pack, and what else `filled_loss` needs.

        """

    @abstractmethod
    def filled_loss(self, pack: Pack, inputs: Sequence[torch.Tensor], objective: Objective) -> torch.Tensor:
        """Return the loss sum of what `filled` returned, on the device; no choice depends on a tensor's values."""


class PackedForward(PackedPath, ForwardPath):
    """The sequences of a micro-batch packed without padding, each pooled at its last token."""

    def __init__(
        self,
        decoder: LastTokenClassifier,
        *,
        device: str,
        recompute: bool = False,
        attention: CudnnAttention | None = None,
    ) -> None:
        """Take a classifier; the other arguments are those of `PackedPath`."""
        super().__init__(decoder.backbone, device=device, recompute=recompute, attention=attention)
        self._head: nn.Module = decoder.head

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        pack = self.pack(sequences, fill=self.missing_tokens(sequences)).to(self.device)
        return self.within(lambda: self.logits_of(pack))

    def filled(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, *, tokens: int, rows: int, padding_target: int
    ) -> tuple[Pack, tuple[torch.Tensor, ...]]:
        """See `PackedPath`."""
        every = [*sequences, *[sequences[0].new_zeros(1)] * rows]
        pack = self.pack(every, fill=tokens - sum(sequence.numel() for sequence in every))
        return pack, (torch.cat([targets, targets.new_full((rows,), padding_target)]),)

    def filled_loss(self, pack: Pack, inputs: Sequence[torch.Tensor], objective: Objective) -> torch.Tensor:
        """See `PackedPath`."""
        return objective.loss_sum(self.logits_of(pack), inputs[0])

    def logits_of(self, pack: Pack) -> torch.Tensor:
        """Return the logits of a pack on the device."""
        pooled = self.walk.hidden(pack)[: pack.read]
        logits: torch.Tensor = self._head(pooled.to(head_dtype(self._head)))
        return logits.float()


def head_dtype(head: Any) -> torch.dtype:
    """Return the number type of a head's weights; PEFT may train a copy of another type than the network's."""
    kept = getattr(head, "modules_to_save", None)
    if kept:
        head = kept[head.active_adapters[0]]
    dtype: torch.dtype = next(head.parameters()).dtype
    return dtype

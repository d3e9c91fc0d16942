"""Padding-free forward passes of decoders."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from showdown.engine.attention import layout_of, varlen_is_here
from showdown.engine.cudnn_attention import CudnnAttention
from showdown.engine.decoder import PackedDecoder, obstacle
from showdown.engine.structure import LastTokenClassifier


def packed_obstacle(decoder: LastTokenClassifier, device: str) -> str | None:
    """Return why this decoder must be padded on this device, or None where it can be packed."""
    if device.startswith("cuda"):
        if not varlen_is_here():
            return "this PyTorch has no variable-length attention"
        if next(decoder.backbone.embed_tokens.parameters()).dtype == torch.float32:
            return "variable-length attention needs 16-bit numbers"
    return obstacle(decoder.backbone)


TOKEN_MULTIPLE = 64
"""A pack is filled up to a multiple of so many tokens, by a sequence of its own that nobody reads. Then sizes repeat
from step to step: the allocator finds blocks of the right size, and Triton compiles no kernel anew."""


class PackedForward:
    """The sequences of a micro-batch one behind the other, without padding, each pooled at its last token."""

    def __init__(
        self,
        decoder: LastTokenClassifier,
        *,
        device: str,
        recompute: bool = False,
        attention: CudnnAttention | None = None,
    ) -> None:
        """Prepare the walk.

        Args:
            decoder: the classifier, taken apart.
            device: `cpu` or `cuda`.
            recompute: keep only the input of each layer and compute the rest again in the backward pass.
            attention: cuDNN's, for the packs that it serves.

        """
        on_gpu = "packed cuDNN attention" if attention else "packed varlen attention"
        self.name = on_gpu if device.startswith("cuda") else "packed, attention by sequence"
        self._head: nn.Module = decoder.head
        self._walk = PackedDecoder(decoder.backbone, recompute=recompute, attention=attention)
        self._device = device
        self._multiple = TOKEN_MULTIPLE if device.startswith("cuda") else 1

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        filled = self._filled(sequences)
        layout = layout_of([sequence.numel() for sequence in filled], self._device)
        ids = torch.cat(filled).to(self._device, non_blocking=True)
        pooled = self._walk.pooled(ids, layout)[: len(sequences)]
        logits: torch.Tensor = self._head(pooled.to(head_dtype(self._head)))
        return logits.float()

    def _filled(self, sequences: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        missing = -sum(sequence.numel() for sequence in sequences) % self._multiple
        return [*sequences, sequences[0].new_zeros(missing)] if missing else list(sequences)


def head_dtype(head: Any) -> torch.dtype:
    """Return the number type of a head's weights; PEFT may keep a copy of another type than the network's."""
    kept = getattr(head, "modules_to_save", None)
    if kept:
        head = kept[head.active_adapters[0]]
    dtype: torch.dtype = next(head.parameters()).dtype
    return dtype

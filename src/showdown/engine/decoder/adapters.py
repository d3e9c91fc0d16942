"""LoRA adapters as PEFT keeps them, and copies of them in the compute type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from showdown.engine.decoder.lora import padded_rank


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA adapter: y += scaling * (dropout(x) down^T) up^T."""

    down: nn.Parameter
    """A, shape (rank, input width)."""
    up: nn.Parameter
    """B, shape (output width, rank)."""
    scaling: float
    dropout: nn.Module
    """As PEFT keeps it: `nn.Dropout`, or the identity."""

    @property
    def probability(self) -> float:
        """Of dropping an element of the input; 0 outside training."""
        return self.dropout.p if isinstance(self.dropout, nn.Dropout) and self.dropout.training else 0.0


def only_adapter(module: Any) -> Adapter | None:
    """Return the adapter of a PEFT LoRA layer, or None unless exactly one is active and plain LoRA."""
    active = [name for name in module.active_adapters if name in module.lora_A]
    if len(active) != 1 or active[0] in getattr(module, "lora_variant", {}):
        return None
    name = active[0]
    if getattr(module, "lora_bias", {}).get(name, False) or getattr(module, "use_dora", {}).get(name, False):
        return None
    return Adapter(
        down=module.lora_A[name].weight,
        up=module.lora_B[name].weight,
        scaling=float(module.scaling[name]),
        dropout=module.lora_dropout[name],
    )


class Bank:
    """Copies of the adapters of one input in the compute type; `refresh` makes them equal to the parameters.

    The parameters keep their own type, which for PEFT's adapters is float32: they are the master weights of the copies.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = adapters
        self.downs = torch.empty(0)
        """A of all adapters, shape (adapters, padded rank, input width); zeros in the padding."""
        self.ups: list[torch.Tensor] = []
        """B of each adapter, shape (output width, padded rank)."""

    def prepare_to_write(self, dtype: torch.dtype) -> None:
        """Allocate the copies, unless they exist in this type."""
        if not self.adapters or (self.ups and self.downs.dtype == dtype):
            return
        first = self.adapters[0].down
        rank = padded_rank(max(adapter.down.shape[0] for adapter in self.adapters), on_gpu=first.is_cuda)
        self.downs = torch.zeros((len(self.adapters), rank, first.shape[1]), dtype=dtype, device=first.device)
        self.ups = [
            torch.zeros((adapter.up.shape[0], rank), dtype=dtype, device=first.device) for adapter in self.adapters
        ]

    def pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return each copy with its parameter."""
        found = []
        for number, adapter in enumerate(self.adapters):
            found.append((self.downs[number, : adapter.down.shape[0]], adapter.down.detach()))
            found.append((self.ups[number][:, : adapter.up.shape[1]], adapter.up.detach()))
        return found


@torch.no_grad()
def refresh(banks: Sequence[Bank], dtype: torch.dtype) -> None:
    """Copy the adapters of a whole network into their compute type, in one go.

    This is done in each forward pass: nothing tells reliably whether an optimizer has changed a parameter (torch's
    fused AdamW does not change a tensor's version).
    """
    for bank in banks:
        bank.prepare_to_write(dtype)
    pairs = [pair for bank in banks for pair in bank.pairs()]
    if pairs:
        torch._foreach_copy_([copy for copy, _ in pairs], [parameter for _, parameter in pairs])

"""LoRA adapters as PEFT holds them, and their copies in the compute type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from showdown.engine.lora import padded_rank


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA adapter: y += scaling * (dropout(x) down^T) up^T."""

    down: nn.Parameter
    """A, shape (rank, input width)."""
    up: nn.Parameter
    """B, shape (output width, rank)."""
    scaling: float
    dropout: nn.Module
    """PEFT's: `nn.Dropout`, or the identity."""

    @property
    def probability(self) -> float:
        """Of dropping a value of the input, now."""
        return self.dropout.p if isinstance(self.dropout, nn.Dropout) and self.dropout.training else 0.0


def only_adapter(module: Any) -> Adapter | None:
    """Return the adapter of a PEFT LoRA layer with exactly one active, plain adapter."""
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
    """Copies of the adapters of one input in the compute type, made anew only after an optimiser step.

    The parameters themselves stay in the type that they have, which for PEFT's adapters is float32: they are the
    master weights of the copies.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self.adapters = adapters
        self._key: tuple[Any, ...] = ()
        self._downs = torch.empty(0)
        self._ups: list[torch.Tensor] = []

    def copies(self, dtype: torch.dtype) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return A stacked (adapters, padded rank, width), and scaling * B of each (output width, padded rank)."""
        parameters = [parameter for adapter in self.adapters for parameter in (adapter.down, adapter.up)]
        key = (dtype, *((parameter._version, parameter.data_ptr()) for parameter in parameters))
        if key != self._key:
            self._copy(dtype)
            self._key = key
        return self._downs, self._ups

    def _copy(self, dtype: torch.dtype) -> None:
        first = self.adapters[0].down
        rank = padded_rank(max(adapter.down.shape[0] for adapter in self.adapters), on_gpu=first.is_cuda)
        with torch.no_grad():
            self._downs = torch.zeros((len(self.adapters), rank, first.shape[1]), dtype=dtype, device=first.device)
            self._ups = []
            for number, adapter in enumerate(self.adapters):
                self._downs[number, : adapter.down.shape[0]].copy_(adapter.down)
                up = torch.zeros((adapter.up.shape[0], rank), dtype=dtype, device=first.device)
                up[:, : adapter.up.shape[1]].copy_(adapter.up * adapter.scaling)
                self._ups.append(up)

"""One layer of BERT or RoBERTa over a pack, its linear layers as the engine computes them: adapters beside weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from showdown.engine.decoder.adapters import Bank
from showdown.engine.decoder.projection import SharedInput
from showdown.engine.encoder.cpu import attention_within, runs_of

_NO_SEEDS = torch.zeros(2, dtype=torch.int64)
"""Dropout of adapters is left to their own modules: PyTorch's numbers are drawn faster on a CPU than hashes."""


def parts_of(layer: nn.Module) -> list[nn.Module]:
    """Return the modules whose `forward` is not called: `PackedLayer` calls their parts instead."""
    names = ("attention", "attention.self", "attention.output", "intermediate", "output")
    return [layer, *(layer.get_submodule(name) for name in names)]


class PackedLayer:
    """One layer, called over the tokens of all sequences of a micro-batch."""

    def __init__(self, layer: nn.Module, *, last: bool) -> None:
        """Read the layer.

        Args:
            layer: of a transformers encoder, adapters included.
            last: whether it is computed for the first token of each sequence alone, since no other is read.

        """
        whole: Any = layer
        inner = whole.attention.self
        self._inner, self._last = inner, last
        self._mixed, self._widened, self._narrowed = whole.attention.output, whole.intermediate, whole.output
        asked = [[inner.query], [inner.key, inner.value]] if last else [[inner.query, inner.key, inner.value]]
        self._asked = [SharedInput(modules) for modules in asked]
        self._mix = SharedInput([self._mixed.dense])
        self._widen = SharedInput([self._widened.dense])
        self._narrow = SharedInput([self._narrowed.dense])

    def banks(self) -> list[Bank]:
        """Return the copies of adapters that `refresh` must make equal to the parameters before a pass."""
        shared = [*self._asked, self._mix, self._widen, self._narrow]
        for one in shared:
            one.update()
        return [one.bank for one in shared]

    def __call__(self, hidden: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Return the hidden states behind the layer, those of first tokens alone in the last one.

        Args:
            hidden: of all tokens, shape (tokens, width).
            lengths: tokens of each sequence.

        """
        asking = hidden[torch.tensor([0, *lengths[:-1]]).cumsum(0)] if self._last else hidden
        inputs = [asking, hidden] if self._last else [hidden]
        query, key, value = (y for shared, x in zip(self._asked, inputs, strict=True) for y in _products(shared, x))
        attended = attention_within(
            query, key, value, runs_of(lengths, first_tokens=self._last), heads=self._inner.num_attention_heads,
            probability=self._inner.dropout.p if self._inner.training else 0.0,
        )  # fmt: skip
        context = _added(self._mixed, self._mix, attended, asking)
        (wide,) = _products(self._widen, context)
        return _added(self._narrowed, self._narrow, self._widened.intermediate_act_fn(wide), context)


def _products(shared: SharedInput, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the output of each layer that reads x."""
    if any(adapter.probability > 0 for adapter in shared.bank.adapters):
        return tuple(module(x) for module in shared.modules)
    return shared(x, _NO_SEEDS)


def _added(block: nn.Module, dense: SharedInput, x: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
    """Return the output of a block's linear layer, dropped out, added to what goes past it, and normalised."""
    (y,) = _products(dense, x)
    normalised: torch.Tensor = block.get_submodule("LayerNorm")(block.get_submodule("dropout")(y) + beside)
    return normalised

"""One more token for each of some rows: the decoder's layers without gradients, over keys and values that are kept."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from showdown.engine.decoder import fused, lora
from showdown.engine.decoder.cache import KeyValues
from showdown.engine.decoder.dense import Product, packed_product, packs, plain_product
from showdown.engine.decoder.layers import Positions, rotary, window_of
from showdown.engine.decoder.norms import plain_rms_norm
from showdown.engine.decoder.projection import Projection, SharedInput
from showdown.engine.decoder.walk import PackedDecoder


class TokenStep:
    """Runs a decoder for one token of each row. Adapters are read when it is made; they stay beside the weights."""

    def __init__(self, walk: PackedDecoder, *, most_tokens: int, packed: bool) -> None:
        """Read the layers, after a forward pass of the walk.

        Args:
            walk: of the decoder; its adapters have their compute type.
            most_tokens: of a row, with all that is written behind it.
            packed: arrange weights for many steps of a few rows, where that is possible.

        """
        self._walk = walk
        backbone = walk.backbone
        weight = next(backbone.embed_tokens.parameters())
        places = torch.arange(most_tokens, device=weight.device)
        self._positions = rotary(backbone, walk.embedded(places[:1] * 0), places)
        arranged = weight.dtype if packed and not weight.is_cuda and packs(weight.dtype) else None
        self._layers = [_Layer(walk, number, arranged=arranged) for number in range(len(walk.layers))]
        self._windows = [layer.window for layer in self._layers]
        self._norm = plain_rms_norm(backbone.norm)

    def __call__(self, ids: torch.Tensor, places: torch.Tensor, cache: KeyValues) -> torch.Tensor:
        """Return the normed hidden states, shape (rows, hidden width), and keep keys and values.

        `cache.used` is left as it is: a graph repeats what is done on the device alone.

        Args:
            ids: the token of each row, shape (rows,), int64.
            places: its position in the row, shape (rows,), int64.
            cache: of what is before these tokens.

        """
        hidden = self._walk.embedded(ids)
        positions: Positions = {
            kind: (cosine.index_select(0, places), sine.index_select(0, places))
            for kind, (cosine, sine) in self._positions.items()
        }
        cache.next_token(hidden.dtype, self._windows)
        for layer in self._layers:
            hidden = layer(hidden, positions, cache)
        cache.column += 1
        return self._norm(hidden)


class _Layer:
    """One decoder layer, its modules read once."""

    def __init__(self, walk: PackedDecoder, number: int, *, arranged: torch.dtype | None) -> None:
        layer: Any = walk.layers[number]
        attention, linears = layer.self_attn, walk.linears[number]
        last = number == len(walk.layers) - 1
        self._number, self._kind = number, walk.types[number]
        self._activation = walk.activation
        self.window = window_of(attention, walk.backbone.config)
        self._scaling, self._width = float(attention.scaling), int(attention.head_dim)
        self._query_key_value = [
            _Products(shared, arranged=arranged)
            for shared in ((linears.query, linears.key_value) if last else (linears.query_key_value,))
        ]
        self._output, self._gate_up, self._down = (
            _Products(shared, arranged=arranged) for shared in (linears.output, linears.gate_up, linears.down)
        )
        self._before = plain_rms_norm(layer.input_layernorm)
        self._behind = plain_rms_norm(layer.post_attention_layernorm)
        self._head_norms = [
            plain_rms_norm(norm) for norm in (getattr(attention, name, None) for name in ("q_norm", "k_norm")) if norm
        ]
        self._feed_forward_norms = [
            plain_rms_norm(norm)
            for norm in (
                getattr(layer, f"{name}_feedforward_layernorm", None) for name in ("pre", "post")
            )
            if norm
        ]  # fmt: skip

    def __call__(self, hidden: torch.Tensor, positions: Positions, cache: KeyValues) -> torch.Tensor:
        attended = self._attended(self._before(hidden), positions, cache)
        if not self._feed_forward_norms:
            hidden = hidden + attended
            return hidden + self._mlp(self._behind(hidden))
        before, behind = self._feed_forward_norms
        hidden = hidden + self._behind(attended)
        return hidden + behind(self._mlp(before(hidden)))

    def _attended(self, normed: torch.Tensor, positions: Positions, cache: KeyValues) -> torch.Tensor:
        query, key, value = (
            one.view(one.shape[0], -1, self._width) for product in self._query_key_value for one in product(normed)
        )
        if self._head_norms:
            query, key = (norm(one) for norm, one in zip(self._head_norms, (query, key), strict=True))
        here = positions.get(self._kind) or next(iter(positions.values()))
        query, key = fused.rotate(query, key, here)
        attended = cache.attended(self._number, query, key, value, window=self.window, scale=self._scaling)
        (output,) = self._output(attended.flatten(1))
        return output

    def _mlp(self, normed: torch.Tensor) -> torch.Tensor:
        gate, up = self._gate_up(normed)
        (output,) = self._down(fused.gated(gate, up, self._activation))
        return output


class _Products:
    """Linear layers of one input with their adapters, as few calls as possible."""

    def __init__(self, shared: SharedInput, *, arranged: torch.dtype | None) -> None:
        self._modules: Sequence[nn.Module] = shared.modules
        known = shared.projections
        self._products = None if known is None else [_product(projection, arranged) for projection in known]
        self._adapted, self._bank = shared.adapted, shared.bank

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        if self._products is None:
            return [module(x) for module in self._modules]
        outputs = [product(x) for product in self._products]
        if self._adapted:
            bank = self._bank
            inner = lora.project_down(x, bank.downs, None)
            for number, u, up, adapter in zip(self._adapted, inner, bank.ups, bank.adapters, strict=True):
                lora.add_up_(outputs[number], u, up, adapter.scaling)
        return outputs


def _product(projection: Projection, arranged: torch.dtype | None) -> Product:
    """Return a layer without its adapter; a 4-bit weight is dequantised once on a CPU, and for each step on a GPU.

    A layer in fp8 computes itself, as in every other pass.

    Args:
        projection: the layer.
        arranged: the type in which its weight is arranged for many steps; None where it is not.

    """
    base = projection.base
    if projection.in_fp8:
        return base  # type: ignore[no-any-return]
    if arranged is not None:
        return packed_product(projection.weight(arranged).to(arranged), base.bias)
    return plain_product(projection.dense(keep=not base.weight.is_cuda), base.bias)

"""The forward pass of a decoder over packed sequences: transformers' weights and modules, the engine's arithmetic.

It follows transformers' Mistral, Llama, Qwen2, Qwen3, Gemma and Gemma3 step by step. In the last layer only the tokens
that are read need queries, the output projection and the MLP, so these are computed for them alone: the last token of
each sequence for a classifier, and for a language model the end of each sequence from the first token with a loss on.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from showdown.engine.decoder import fused
from showdown.engine.decoder.adapters import refresh
from showdown.engine.decoder.attention import (
    Heads,
    Layout,
    Queries,
    Shared,
    last_queries,
    packed_attention,
)
from showdown.engine.decoder.cudnn_attention import CudnnAttention
from showdown.engine.decoder.fp8_mlp import mlp
from showdown.engine.decoder.layers import (
    ACTIVATIONS,
    Positions,
    activation_name,
    has_foreign_dropout,
    in_use,
    linears_of,
    rotary,
    window_of,
)
from showdown.engine.decoder.norms import add_rms_norm, rms_norm
from showdown.engine.decoder.offload import OffloadedInputs
from showdown.engine.decoder.pack import Pack

FAMILIES = ("mistral", "llama", "qwen2", "qwen3", "gemma", "gemma3_text")
"""transformers' `model_type` of the decoders that can be run."""
STREAMS_A_LAYER = 4


def unsupported_reason(backbone: Any) -> str | None:
    """Return why this decoder cannot be run over packs, or None where it can."""
    config = backbone.config
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = {str(part.get("rope_type")) for part in (rope, *rope.values()) if isinstance(part, dict)}
    reasons = {
        f"{config.model_type} is not among {', '.join(FAMILIES)}": config.model_type not in FAMILIES,
        "attention has dropout": getattr(config, "attention_dropout", 0.0) > 0,
        "attention scores are capped": getattr(config, "attn_logit_softcapping", None) is not None,
        "attention looks both ways": bool(getattr(config, "use_bidirectional_attention", False)),
        "positions depend on the longest sequence": bool(kinds & {"dynamic", "longrope"}),
        f"activation {activation_name(config)} is not known": activation_name(config) not in ACTIVATIONS,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def called_apart(backbone: Any) -> list[nn.Module]:
    """Return the modules whose `forward` is not called: their parts are called instead."""
    layers = list(backbone.layers)
    return [backbone, *layers, *(layer.self_attn for layer in layers), *(layer.mlp for layer in layers)]


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What every layer of one forward pass needs."""

    tokens: Layout
    queries: Queries | None
    """In the last layer; None in the others, where each token has one."""
    shared: Shared | None
    positions: Positions
    seeds: tuple[torch.Tensor, ...]
    """Of the dropout masks of each input, shape (2,)."""
    keep: "Keep | None" = None


class Keep(Protocol):
    """Receives the keys and values of each layer of a forward pass."""

    def __call__(self, number: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Receive those of one layer.

        Args:
            number: of the layer, from 0.
            key: rotated, shape (tokens, key heads, head width).
            value: as `key`.

        """


class PackedDecoder:
    """Runs the backbone of a decoder over packed sequences."""

    def __init__(self, backbone: Any, *, recompute: bool = False, attention: CudnnAttention | None = None) -> None:
        """Read the backbone's layers.

        Args:
            backbone: transformers' model without a head; adapters may be in it.
            recompute: checkpoint activations: keep only each layer's input, on a GPU offloaded to the host, and run the
                layer again in the backward pass.
            attention: cuDNN's attention, for the packs that it can compute; torch's for all others.

        """
        self.backbone, self._cudnn = backbone, attention
        self._config = backbone.config
        self.activation = ACTIVATIONS[activation_name(backbone.config)]
        self.layers = list(backbone.layers)[: backbone.config.num_hidden_layers]
        self.types = getattr(backbone.config, "layer_types", None) or ["full_attention"] * len(self.layers)
        self.recompute = recompute
        self.inputs_on_host = recompute and next(backbone.parameters()).is_cuda
        self._inputs = OffloadedInputs()
        self.linears = [linears_of(layer, keep_scales=not recompute) for layer in self.layers]
        self._shared = in_use(self.linears)
        self._opaque = any(has_foreign_dropout(layer) for layer in self.layers)
        self.units: Sequence[Callable[..., Any]] = ()
        """For each layer what calls a function once the layer's weights are here; none where they are all here."""
        self.streams = STREAMS_A_LAYER * len(self.layers) + 1
        """Number of inputs with their own dropout masks; the last is the input of the last layer's queries."""

    @property
    def understood(self) -> bool:
        """Whether the engine computes every layer itself: no module is called that may do something else."""
        return not self._opaque

    @property
    def in_fp8(self) -> bool:
        """Whether any layer computes in fp8."""
        return any(shared.in_fp8 for shared in self._shared)

    @property
    def host_buffers(self) -> list[torch.Tensor]:
        """Host memory that holds the inputs of checkpointed layers."""
        return self._inputs.buffers

    def hidden(self, pack: Pack, keep: Keep | None = None) -> torch.Tensor:
        """Return the normed hidden states of the tokens that are read, shape (queries, hidden width).

        Args:
            pack: its `queries` are read, or the last token of each sequence, or all tokens where it says so.
            keep: receives keys and values of all tokens; None where nobody needs them.

        """
        hidden, layout = self.embedded(pack.ids), pack.layout
        for shared in self._shared:
            shared.update()
        refresh([shared.bank for shared in self._shared], hidden.dtype)
        positions = rotary(self.backbone, hidden, pack.places)
        seeds = pack.seeds.unbind()
        step = Pass(tokens=layout, queries=None, shared=pack.shared, positions=positions, seeds=seeds, keep=keep)
        self._inputs.begin()
        stream: _Stream = (hidden, None)
        for number in range(len(self.layers) - 1):
            stream = self._gathered(number, stream, step)
        last = step if pack.reads_all else replace(step, queries=pack.queries or last_queries(layout))
        _, normed = add_rms_norm(*self._gathered(len(self.layers) - 1, stream, last), self.backbone.norm)
        return normed

    def embedded(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of token ids, shape (tokens, hidden width)."""
        embedding = self.backbone.embed_tokens
        hidden: torch.Tensor = embedding(ids)
        if self._config.model_type.startswith("gemma") and not hasattr(embedding, "embed_scale"):
            hidden = hidden * float(torch.tensor(self._config.hidden_size**0.5, dtype=hidden.dtype))
        return hidden

    def _gathered(self, number: int, stream: "_Stream", step: Pass) -> "_Stream":
        """Run a layer with its weights gathered. Its second computation, if any, is inside: it needs them as well."""
        if not self.units:
            return self._run(number, stream, step)
        found: _Stream = self.units[number](self._run, number, stream, step)
        return found

    def _run(self, number: int, stream: "_Stream", step: Pass) -> "_Stream":
        if not (self.recompute and torch.is_grad_enabled()):
            return self._layer(number, stream, step)
        hidden = _summed(stream)
        if not hidden.requires_grad:  # a frozen embedding: without this a checkpointed layer would get no gradients
            hidden = hidden.detach().requires_grad_()
        run: Callable[[torch.Tensor], torch.Tensor] = lambda x: _summed(self._layer(number, (x, None), step))  # noqa: E731
        with self._inputs.held() if self.inputs_on_host else nullcontext():
            again: torch.Tensor = checkpoint(run, hidden, use_reentrant=True, preserve_rng_state=self._opaque)
        return again, None

    def _layer(self, number: int, stream: "_Stream", step: Pass) -> "_Stream":
        layer = self.layers[number]
        hidden, normed = add_rms_norm(*stream, layer.input_layernorm)
        attended = self._attention(number, normed, step)
        if step.queries:
            hidden = hidden.index_select(0, step.queries.places)
        if not hasattr(layer, "pre_feedforward_layernorm"):
            hidden, normed = add_rms_norm(hidden, attended, layer.post_attention_layernorm)
            return hidden, self._mlp(number, normed, step)
        attended = rms_norm(attended, layer.post_attention_layernorm)
        hidden, normed = add_rms_norm(hidden, attended, layer.pre_feedforward_layernorm)
        return hidden, rms_norm(self._mlp(number, normed, step), layer.post_feedforward_layernorm)

    def _mlp(self, number: int, normed: torch.Tensor, step: Pass) -> torch.Tensor:
        linears, stream = self.linears[number], number * STREAMS_A_LAYER
        if linears.gate_up.in_fp8 and linears.down.in_fp8:
            seeds = step.seeds[stream + 2 : stream + 4]
            return mlp(normed, linears.gate_up, linears.down, activation=self.activation, seeds=seeds)
        gate, up = linears.gate_up(normed, step.seeds[stream + 2])
        return fused.gated_down(gate, up, linears.down, activation=self.activation, seeds=step.seeds[stream + 3])

    def _attention(self, number: int, normed: torch.Tensor, step: Pass) -> torch.Tensor:
        attention, linears = self.layers[number].self_attn, self.linears[number]
        stream = number * STREAMS_A_LAYER
        positions = step.positions.get(self.types[number]) or next(iter(step.positions.values()))
        if step.queries is None:
            q, k, v = linears.query_key_value(normed, step.seeds[stream])
            query, key = self._head_norms(attention, _by_head(q, attention), _by_head(k, attention))
            query, key = fused.rotate(query, key, positions)
        else:
            chosen = step.queries.places
            k, v = linears.key_value(normed, step.seeds[stream])
            (q,) = linears.query(normed.index_select(0, chosen), step.seeds[-1])
            query, key = self._head_norms(attention, _by_head(q, attention), _by_head(k, attention))
            key = fused.rotate_apart(key, positions)
            query = fused.rotate_apart(query, (positions[0][chosen], positions[1][chosen]))
        heads, value = (
            Heads(scaling=attention.scaling, window=window_of(attention, self._config)),
            _by_head(v, attention),
        )
        if step.keep:
            step.keep(number, key, value)
        attended = self._attended(query, key, value, step, heads)
        (output,) = linears.output(attended.flatten(1), step.seeds[stream + 1])
        return output

    def _attended(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, step: Pass, heads: Heads
    ) -> torch.Tensor:
        queries, keys = step.queries.layout if step.queries else step.tokens, step.tokens
        if step.shared:
            key, value = (one.index_select(0, step.shared.places) for one in (key, value))
            keys = step.shared.layout
        elif self._cudnn and step.queries is None and self._cudnn.serves(keys, heads):
            return self._cudnn(query, key, value, keys)
        return packed_attention(query, key, value, queries, keys, heads)

    @staticmethod
    def _head_norms(attention: Any, query: torch.Tensor, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not hasattr(attention, "q_norm"):
            return query, key
        return rms_norm(query, attention.q_norm), rms_norm(key, attention.k_norm)


_Stream = tuple[torch.Tensor, torch.Tensor | None]
"""The residual stream between two layers, shape (tokens, hidden width), and what has yet to be added to it."""


def _summed(stream: _Stream) -> torch.Tensor:
    hidden, delta = stream
    return hidden if delta is None else hidden + delta


def _by_head(x: torch.Tensor, attention: Any) -> torch.Tensor:
    """Return x of shape (tokens, heads * head width) as (tokens, heads, head width)."""
    return x.view(x.shape[0], -1, attention.head_dim)

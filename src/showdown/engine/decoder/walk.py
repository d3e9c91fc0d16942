"""The forward pass of a decoder over packed sequences: transformers' weights and modules, the engine's arithmetic.

It follows transformers' Mistral, Llama, Qwen2, Qwen3, Gemma and Gemma3 step by step. In the last layer only the tokens
that are read need queries, the output projection and the MLP, so these are computed for them alone: the last token of
each sequence for a classifier, and for a language model the end of each sequence from the first token with a loss on.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
from showdown.engine.decoder.norms import add_rms_norm, rms_norm
from showdown.engine.decoder.offload import OffloadedInputs
from showdown.engine.decoder.pack import Pack
from showdown.engine.decoder.projection import SharedInput, read_projection

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FAMILIES = ("mistral", "llama", "qwen2", "qwen3", "gemma", "gemma3_text")
"""transformers' `model_type` of the decoders that can be run."""
_ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_tanh": "gelu_tanh"}
_STREAMS_A_LAYER = 4


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
        f"activation {_activation_name(config)} is not known": _activation_name(config) not in _ACTIVATIONS,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def called_apart(backbone: Any) -> list[nn.Module]:
    """Return the modules whose `forward` is not called: their parts are called instead."""
    layers = list(backbone.layers)
    return [backbone, *layers, *(layer.self_attn for layer in layers), *(layer.mlp for layer in layers)]


def _activation_name(config: "PretrainedConfig") -> str:
    return str(getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", None))


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What every layer of one forward pass needs."""

    tokens: Layout
    queries: Queries | None
    """In the last layer; None in the others, where each token has one."""
    shared: Shared | None
    positions: dict[str, tuple[torch.Tensor, torch.Tensor]]
    """Cosines and sines by layer type, each of shape (tokens, head width)."""
    seeds: tuple[torch.Tensor, ...]
    """Of the dropout masks of each input, shape (2,)."""


def _window(attention: Any, config: "PretrainedConfig") -> int | None:
    if config.model_type == "mistral":
        return config.sliding_window  # type: ignore[no-any-return]
    return getattr(attention, "sliding_window", None)


def _rotary(backbone: Any, hidden: torch.Tensor, places: torch.Tensor) -> dict[str, Any]:
    """Return cosines and sines for each layer type of the backbone."""
    rotary = backbone.rotary_emb
    by_type = "layer_type" in inspect.signature(type(rotary).forward).parameters
    types = sorted(set(getattr(backbone.config, "layer_types", None) or ["full_attention"]))
    found = {}
    for kind in types:
        cosine, sine = rotary(hidden[None], places[None], kind) if by_type else rotary(hidden[None], places[None])
        found[kind] = (cosine[0], sine[0])
    return found


@dataclass(frozen=True, kw_only=True)
class _Linears:
    """The linear layers of one decoder layer, grouped by their input."""

    query_key_value: SharedInput
    query: SharedInput
    key_value: SharedInput
    output: SharedInput
    gate_up: SharedInput
    down: SharedInput


def _linears(layer: Any, *, keep_scales: bool) -> _Linears:
    attention, mlp = layer.self_attn, layer.mlp

    def shared(*modules: nn.Module) -> SharedInput:
        return SharedInput(modules, keep_scales=keep_scales)

    return _Linears(
        query_key_value=shared(attention.q_proj, attention.k_proj, attention.v_proj),
        query=SharedInput([attention.q_proj]),
        key_value=SharedInput([attention.k_proj, attention.v_proj]),
        output=shared(attention.o_proj),
        gate_up=shared(mlp.gate_proj, mlp.up_proj),
        down=shared(mlp.down_proj),
    )


def _in_use(linears: Sequence[_Linears]) -> list[SharedInput]:
    """Return the groups that are used: only the last layer has queries apart from keys and values."""
    last = linears[-1]
    common = [shared for one in linears for shared in (one.output, one.gate_up, one.down)]
    return [*common, *(one.query_key_value for one in linears[:-1]), last.query, last.key_value]


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
        self._backbone, self._cudnn = backbone, attention
        self._config = backbone.config
        self._activation = _ACTIVATIONS[_activation_name(backbone.config)]
        self._layers = list(backbone.layers)[: backbone.config.num_hidden_layers]
        self._types = getattr(backbone.config, "layer_types", None) or ["full_attention"] * len(self._layers)
        self.recompute = recompute
        self.inputs_on_host = recompute and next(backbone.parameters()).is_cuda
        self._inputs = OffloadedInputs()
        self._linears = [_linears(layer, keep_scales=not recompute) for layer in self._layers]
        self._shared = _in_use(self._linears)
        self._opaque = any(_has_foreign_dropout(layer) for layer in self._layers)
        self.streams = _STREAMS_A_LAYER * len(self._layers) + 1
        """Number of inputs with their own dropout masks; the last is the input of the last layer's queries."""

    @property
    def understood(self) -> bool:
        """Whether the engine computes every layer itself: no module is called that may do something else."""
        return not self._opaque

    @property
    def host_buffers(self) -> list[torch.Tensor]:
        """Host memory that holds the inputs of checkpointed layers."""
        return self._inputs.buffers

    def hidden(self, pack: Pack) -> torch.Tensor:
        """Return the normed hidden states of the tokens that are read, shape (queries, hidden width).

        They are those of `pack.queries`, or the last token of each sequence.
        """
        hidden, layout = self._embedded(pack.ids), pack.layout
        for shared in self._shared:
            shared.update()
        refresh([shared.bank for shared in self._shared], hidden.dtype)
        positions = _rotary(self._backbone, hidden, pack.places)
        step = Pass(tokens=layout, queries=None, shared=pack.shared, positions=positions, seeds=pack.seeds.unbind())
        self._inputs.begin()
        stream: _Stream = (hidden, None)
        for number in range(len(self._layers) - 1):
            stream = self._run(number, stream, step)
        last = replace(step, queries=pack.queries or last_queries(layout))
        _, normed = add_rms_norm(*self._run(len(self._layers) - 1, stream, last), self._backbone.norm)
        return normed

    def _embedded(self, ids: torch.Tensor) -> torch.Tensor:
        embedding = self._backbone.embed_tokens
        hidden: torch.Tensor = embedding(ids)
        if self._config.model_type.startswith("gemma") and not hasattr(embedding, "embed_scale"):
            hidden = hidden * float(torch.tensor(self._config.hidden_size**0.5, dtype=hidden.dtype))
        return hidden

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
        layer = self._layers[number]
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
        linears, stream = self._linears[number], number * _STREAMS_A_LAYER
        gate, up = linears.gate_up(normed, step.seeds[stream + 2])
        return fused.gated_down(gate, up, linears.down, activation=self._activation, seeds=step.seeds[stream + 3])

    def _attention(self, number: int, normed: torch.Tensor, step: Pass) -> torch.Tensor:
        attention, linears = self._layers[number].self_attn, self._linears[number]
        stream = number * _STREAMS_A_LAYER
        positions = step.positions.get(self._types[number]) or next(iter(step.positions.values()))
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
        heads = Heads(scaling=attention.scaling, window=_window(attention, self._config))
        attended = self._attended(query, key, _by_head(v, attention), step, heads)
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


def _has_foreign_dropout(layer: nn.Module) -> bool:
    """Return whether the layer draws random numbers of its own, which recomputing it must repeat."""
    linears = [module for name, module in layer.named_modules() if name.endswith("_proj")]
    return any(read_projection(module) is None for module in linears)

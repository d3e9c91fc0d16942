"""Forward passes of BERT and RoBERTa classifiers on a CPU, without padding."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from showdown.core.task import ForwardPath
from showdown.engine.encoder.cpu import FastCpu
from showdown.engine.structure import altered_reason, unwrapped

FAMILIES = ("bert", "roberta", "xlm-roberta")


def unpackable_encoder_reason(module: nn.Module, device: str) -> str | None:
    """Return why this network cannot be packed here, or None where it can."""
    model: Any = unwrapped(module)
    config = model.config
    if device != "cpu":
        return "encoders are packed on a CPU alone"
    if config.model_type not in FAMILIES or not hasattr(model, "classifier"):
        return f"{config.model_type} is not among {', '.join(FAMILIES)}"
    if getattr(config, "position_embedding_type", None) not in (None, "absolute"):
        return "positions are relative"
    if getattr(config, "is_decoder", False) or config._attn_implementation != "sdpa":
        return "attention is not PyTorch's own"
    return altered_reason(model, _called_apart(getattr(model, model.base_model_prefix)))


def _called_apart(backbone: Any) -> list[nn.Module]:
    """Return the modules whose `forward` is not called: `PackedEncoder` calls their parts instead."""
    layers = list(backbone.encoder.layer)
    return [backbone, backbone.encoder, *layers, layers[-1].attention, layers[-1].attention.self]


class PackedEncoder(ForwardPath):
    """The sequences of a micro-batch packed without padding; attention runs within each of them."""

    name = "packed, attention by sequence"

    def __init__(self, module: nn.Module) -> None:
        """Take the classifier apart.

        Args:
            module: a transformers classifier of one of the families, or PEFT's wrapper around one.

        """
        self._model: Any = unwrapped(module)
        self._backbone: Any = getattr(self._model, self._model.base_model_prefix)
        *self._layers, self._last = self._backbone.encoder.layer
        padding = self._backbone.embeddings.padding_idx if self._model.config.model_type != "bert" else -1
        self._first_position = int(padding) + 1  # RoBERTa counts positions from the number after the padding token's

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        lengths = [sequence.numel() for sequence in sequences]
        ids = torch.cat(list(sequences))[None]
        places = torch.cat([torch.arange(length) for length in lengths])[None] + self._first_position
        with FastCpu(lengths):
            hidden = self._backbone.embeddings(input_ids=ids, position_ids=places, token_type_ids=torch.zeros_like(ids))
            for layer in self._layers:
                hidden = layer(hidden)
        with FastCpu(lengths, queries=1):
            first = self._last_layer(hidden[0], lengths)
        with FastCpu():
            return self._pooled(first[:, None]).float()

    def _last_layer(self, hidden: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Return the output of the last layer for the first token of each sequence; no other is read.

        Args:
            hidden: of all tokens, shape (tokens, width).
            lengths: tokens of each sequence.

        """
        inner: Any = self._last.attention.self
        first = hidden[torch.tensor([0, *lengths[:-1]]).cumsum(0)]
        query, key, value = (
            project(x).unflatten(-1, (inner.num_attention_heads, -1)).transpose(0, 1)[None]
            for project, x in ((inner.query, first), (inner.key, hidden), (inner.value, hidden))
        )
        dropped = inner.dropout.p if inner.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropped)
        context = self._last.attention.output(attended[0].transpose(0, 1).flatten(1), first)
        found: torch.Tensor = self._last.feed_forward_chunk(context)
        return found

    def _pooled(self, first: torch.Tensor) -> torch.Tensor:
        """Return the logits for the first token's hidden state of each sequence, shape (sequences, 1, width)."""
        logits: torch.Tensor
        if self._model.config.model_type != "bert":
            logits = self._model.classifier(first)
            return logits
        logits = self._model.classifier(self._model.dropout(self._backbone.pooler(first)))
        return logits

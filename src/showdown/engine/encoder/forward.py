"""Forward passes of BERT and RoBERTa classifiers on a CPU, without padding."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from showdown.core.task import ForwardPath
from showdown.engine.decoder.adapters import refresh
from showdown.engine.encoder.cpu import FastCpu
from showdown.engine.encoder.layer import PackedLayer, parts_of
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
    return [backbone, backbone.encoder, *(part for layer in backbone.encoder.layer for part in parts_of(layer))]


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
        layers = list(self._backbone.encoder.layer)
        self._layers = [PackedLayer(layer, last=layer is layers[-1]) for layer in layers]
        padding = self._backbone.embeddings.padding_idx if self._model.config.model_type != "bert" else -1
        self._first_position = int(padding) + 1  # RoBERTa counts positions from the number after the padding token's

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels), differentiable."""
        lengths = [sequence.numel() for sequence in sequences]
        ids = torch.cat(list(sequences))[None]
        places = torch.cat([torch.arange(length) for length in lengths])[None] + self._first_position
        with FastCpu():
            hidden = self._backbone.embeddings(input_ids=ids, position_ids=places, token_type_ids=torch.zeros_like(ids))
            refresh([bank for layer in self._layers for bank in layer.banks()], hidden.dtype)
            hidden = hidden[0]
            for layer in self._layers:
                hidden = layer(hidden, lengths)
            return self._pooled(hidden[:, None]).float()

    def _pooled(self, first: torch.Tensor) -> torch.Tensor:
        """Return the logits for the first token's hidden state of each sequence, shape (sequences, 1, width)."""
        logits: torch.Tensor
        if self._model.config.model_type != "bert":
            logits = self._model.classifier(first)
            return logits
        logits = self._model.classifier(self._model.dropout(self._backbone.pooler(first)))
        return logits

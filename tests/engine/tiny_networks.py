"""Tiny networks with random weights, one of each family that the engine knows."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

LABELS = 5
VOCABULARY = 97
_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 80,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "num_labels": LABELS,
}
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "mistral": ("mistral", {"sliding_window": None}),
    "mistral-window": ("mistral", {"sliding_window": 4}),
    "llama": ("llama", {}),
    "qwen2": ("qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
    "qwen3": ("qwen3", {}),
    "gemma": ("gemma", {}),
    "gemma3": ("gemma3_text", {"sliding_window": 4, "query_pre_attn_scalar": 8}),
}


def decoder(name: str, **more: Any) -> Any:
    """A tiny classifier; equal names give equal weights."""
    return _made(AutoModelForSequenceClassification, *DECODERS[name], **more)


def causal(name: str, **more: Any) -> Any:
    """A tiny language model, its output layer tied to the embedding unless `tie_word_embeddings` says otherwise."""
    return _made(AutoModelForCausalLM, *DECODERS[name], **{"tie_word_embeddings": True, **more})


def _made(kind: Any, model_type: str, settings: dict[str, Any], **more: Any) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **{**_SHAPE, **settings, **more})
    model = kind.from_config(config, attn_implementation="sdpa")
    with torch.no_grad():  # norms start as ones or zeros, biases as zeros: make each of them matter
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def encoder(kind: str = "bert", **more: Any) -> Any:
    """A tiny encoder with a classification head."""
    torch.manual_seed(0)
    settings = {key: value for key, value in _SHAPE.items() if key not in ("num_key_value_heads", "head_dim")}
    if kind == "distilbert":
        settings |= {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4}
    config = AutoConfig.for_model(kind, **{**settings, **more})
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="sdpa")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def rows(*lengths: int, seed: int = 1) -> list[torch.Tensor]:
    """Random token ids of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, VOCABULARY, (length,), generator=generator) for length in lengths]

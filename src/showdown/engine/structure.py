"""The parts of a sequence classifier that the engine works on: backbone, head and decoder layers."""

from dataclasses import dataclass
from typing import Any

from torch import nn


def unwrapped(module: nn.Module) -> Any:
    """Return the transformers model inside a PEFT wrapper, or the module itself.

    PEFT puts its adapter layers into the model in place, so that the inner model computes with the adapters.
    """
    inner = getattr(module, "get_base_model", None)
    return inner() if callable(inner) else module


@dataclass(frozen=True, kw_only=True)
class LastTokenClassifier:
    """A decoder that classifies by the hidden state of its last token, taken apart."""

    model: Any
    backbone: Any
    head: nn.Module


def last_token_classifier(module: nn.Module) -> LastTokenClassifier | None:
    """Take a decoder classifier apart, or return None for any other network.

    transformers' decoders for sequence classification hold their backbone under `base_model_prefix` and a linear head
    called `score`; its encoders call their head otherwise.
    """
    model = unwrapped(module)
    head = getattr(model, "score", None)
    backbone = getattr(model, getattr(model, "base_model_prefix", ""), None)
    if head is None or backbone is None or backbone is model:
        return None
    if getattr(model.config, "is_encoder_decoder", False):
        return None
    return LastTokenClassifier(model=model, backbone=backbone, head=head)

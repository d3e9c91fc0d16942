"""The parts of a network that the engine works on, and wrappers that it refuses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from showdown.core.errors import Unavailable

_FIX = "adapt the transformers model in place, or with a PEFT method that replaces its layers (LoRA, DoRA, IA3)"


def unwrapped(module: nn.Module) -> Any:
    """Return the transformers model inside PEFT's, or the module itself.

    The engine calls the layers of the model one by one. It therefore takes a transformers model, and PEFT's model where
    PEFT has replaced layers in place and does nothing else: the model's own layers then compute with the adapters.

    Raises:
        Unavailable: for any other wrapper, whose own part in the computation would be lost without a word, such as the
            virtual tokens of PEFT's prompt tuning (`models/virtual_tokens.py` has the engine's).

    """
    from transformers import PreTrainedModel

    if isinstance(module, PreTrainedModel):
        return module
    if type(module).__module__.startswith("peft."):
        return _inside_peft(module)
    raise Unavailable(f"the engine does not run the wrapper `{type(module).__name__}` around a network; {_FIX}")


def _inside_peft(module: Any) -> Any:
    from peft.tuners.tuners_utils import BaseTuner

    tuner = getattr(module, "base_model", None)
    if not isinstance(tuner, BaseTuner):  # a prompt-learning model holds the transformers model itself
        kinds = {str(getattr(config.peft_type, "value", config.peft_type)) for config in module.peft_config.values()}
        raise Unavailable(
            f"the engine does not run PEFT's {', '.join(sorted(kinds))}, which adds to the input or to attention "
            f"what the layers do not hold; {_FIX}"
        )
    if type(tuner).forward is not BaseTuner.forward:
        raise Unavailable(
            f"the engine does not run PEFT's {type(tuner).__name__}, which does more in a forward pass than to call "
            f"the network; {_FIX}"
        )
    return module.get_base_model()


def altered_reason(model: nn.Module, called_apart: Iterable[nn.Module]) -> str | None:
    """Return why a network must be called as a whole, or None where its layers can be called one by one.

    Args:
        model: the transformers model.
        called_apart: modules of it whose `forward` would not be called; each must be of transformers' own class.

    Hooks of transformers itself are fine: they only record outputs that a caller requested.

    """
    for name, child in model.named_modules():
        hooks = [*child._forward_hooks.values(), *child._forward_pre_hooks.values()]
        if any(not str(getattr(hook, "__module__", "")).startswith("transformers.") for hook in hooks):
            return f"`{name or type(model).__name__}` has forward hooks"
    for child in called_apart:
        if not type(child).__module__.startswith("transformers."):
            return f"a layer was replaced by `{type(child).__name__}`"
    return None


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

    Raises:
        Unavailable: for a wrapper that the engine does not run.

    """
    model = unwrapped(module)
    head = getattr(model, "score", None)
    backbone = getattr(model, getattr(model, "base_model_prefix", ""), None)
    if head is None or backbone is None or backbone is model:
        return None
    if getattr(model.config, "is_encoder_decoder", False):
        return None
    return LastTokenClassifier(model=model, backbone=backbone, head=head)


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A causal language model, taken apart."""

    model: Any
    backbone: Any
    """None where the model holds none under its `base_model_prefix`. So for the next."""
    head: nn.Module | None
    """The output layer; its weight may be that of the embedding."""


def language_model(module: nn.Module) -> LanguageModel | None:
    """Take a causal language model apart, or return None for any other network.

    Raises:
        Unavailable: for a wrapper that the engine does not run.

    """
    model = unwrapped(module)
    if not model.can_generate():
        return None
    backbone = getattr(model, getattr(model, "base_model_prefix", ""), None)
    head = model.get_output_embeddings()
    if backbone is None or backbone is model or head is None:
        return LanguageModel(model=model, backbone=None, head=None)
    return LanguageModel(model=model, backbone=backbone, head=head)

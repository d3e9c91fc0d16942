"""The trained network whole and plain: adapters merged into their layers, weights of fewer bits dequantised."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.method import Job, TunedMethod
from showdown.core.metric import GENERATION
from showdown.exporting.source import Source
from showdown.tasks.table import task_named

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from showdown.models.network import Network


def is_network(source: Source) -> bool:
    """Return whether the arm trained a network."""
    return isinstance(source.method, TunedMethod)


def virtual_refusal(source: Source) -> str | None:
    """Return why a network cannot be written whole, where it puts virtual tokens to every text; None otherwise."""
    if not isinstance(source.method, TunedMethod) or not source.method.virtual_tokens:
        return None
    return "puts virtual tokens to every text, which a whole network does not hold; `showdown serve` answers with it"


def is_linear(source: Source) -> bool:
    """Return whether the arm's model is a network with a linear model over its embeddings."""
    from showdown.methods.embedded import EmbeddedMethod
    from showdown.methods.linear_head import LinearHead

    return isinstance(source.method, EmbeddedMethod) and source.method.head_class is LinearHead


def merged_network(source: Source) -> Any:
    """Return the trained network as one of transformers' own classes, in the number type that it was trained in."""
    from torch import nn

    from showdown.fp8.linear import LearningFp8Linear
    from showdown.models.network import load_network, load_saved_network
    from showdown.models.source import locate

    method, job = source.method, source.job
    assert isinstance(method, TunedMethod)

    def load(place: Path | None) -> "Network":
        if place is not None:
            return load_saved_network(place, job)
        network = load_network(locate(job.model), job, method.options)
        return dequantised(network, job) if method.options.four_bit or method.options.fp8 else network

    module: Any = method.reload(source.artifact, load)
    if hasattr(module, "merge_and_unload"):
        module = module.merge_and_unload()
    if hasattr(module, "peft_config"):
        del module.peft_config
    learning: list[Any] = [layer for layer in module.modules() if isinstance(layer, LearningFp8Linear)]
    for layer in learning:
        layer.__class__ = nn.Linear  # others multiply in the type of its weights
    return module.eval()


def dequantised(network: "Network", job: Job) -> "Network":
    """Return the same network with its weights of four or eight bits as plain numbers of the type that it computes in.

    They are the numbers that it computed with while it was trained: no more is lost than was lost then.
    """
    import torch
    from torch import nn

    module: Any = network.module
    for name, layer in list(module.named_modules()):
        numbers = _plain_numbers(layer, job)
        if numbers is None:
            continue
        plain = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        plain.weight = nn.Parameter(numbers.reshape(layer.out_features, layer.in_features), requires_grad=False)
        if layer.bias is not None:
            plain.bias = nn.Parameter(layer.bias.detach().to(torch.float32).to(layer.bias.dtype), requires_grad=False)
        module.set_submodule(name, plain)
    _forget_four_bits(module)
    return replace(network, module=module)


def _plain_numbers(layer: Any, job: Job) -> "torch.Tensor | None":
    """Return the weight of a layer that holds it in fewer bits; None for any other."""
    from showdown.fp8.linear import Fp8Linear
    from showdown.models.network import dtype_of

    if isinstance(layer, Fp8Linear):
        return layer.weight
    weight: Any = getattr(layer, "weight", None)
    if getattr(weight, "quant_state", None) is None:
        return None
    from bitsandbytes.functional import dequantize_4bit

    numbers: torch.Tensor = dequantize_4bit(weight.data, weight.quant_state).to(dtype_of(job.placement))
    return numbers


def _forget_four_bits(module: "PreTrainedModel") -> None:
    """Remove what says that the network is quantised, which transformers would write into its configuration."""
    module.hf_quantizer = None
    for name in ("is_loaded_in_4bit", "is_quantized", "quantization_method"):
        if hasattr(module, name):
            setattr(module, name, None if name == "quantization_method" else False)
    if hasattr(module.config, "quantization_config"):
        del module.config.quantization_config


def base_type(source: Source) -> str:
    """Return transformers' `model_type` of the base."""
    from showdown.models.folder import read_config
    from showdown.models.source import locate_description

    return str(read_config(locate_description(source.job.model), source.job.model.id).get("model_type"))


def reads_from_left_to_right(model_type: str) -> bool:
    """Return whether networks of a type are decoders."""
    return model_type in task_named(GENERATION).architectures()


def tokenizer_of(source: Source) -> "PreTrainedTokenizerBase":
    """Load the tokenizer that was saved beside the model, with its chat template and its limit."""
    from showdown.models.tokens import load_tokenizer

    return load_tokenizer(source.artifact)


def set_greedy(module: "nn.Module", tokenizer: "PreTrainedTokenizerBase", most: int) -> None:
    """Have a language model answer greedily, up to where an answer ends, with no settings of the base.

    Args:
        module: the network; its generation settings are replaced.
        tokenizer: with its chat template, which says what ends an answer.
        most: the most tokens of an answer.

    """
    from transformers import GenerationConfig

    from showdown.tasks.generation.layout import ChatLayout

    network: Any = module
    network.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=most,
        eos_token_id=sorted(ChatLayout(tokenizer).stop_ids),
        pad_token_id=tokenizer.pad_token_id,
    )

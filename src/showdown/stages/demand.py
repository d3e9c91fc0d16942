"""What one method holds on its device, whatever the micro-batch: counted from a network without weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from showdown.core.method import AdaptsNetwork, Job
from showdown.core.spec import SharedProtocol
from showdown.methods.parts import with_role

if TYPE_CHECKING:
    import torch
    from torch import nn

    from showdown.engine.budget import Demand, Shape
    from showdown.engine.language.chunks import OutputLayer
    from showdown.engine.optim.settings import Rounding
    from showdown.models.network import Network

_MOSTLY = 0.5
"""Share of the weights that learn above which a method counts as full fine-tuning."""


def demand_of(
    method: AdaptsNetwork, network: "Network", job: Job, read_share: float
) -> "tuple[Shape, Demand, nn.Module]":
    """Return the network's widths, what the method holds in any case, and what it trains.

    Args:
        method: the method, which changes the network.
        network: on the meta device.
        job: whose placement may be that of another machine.
        read_share: of the tokens, in the steps that have most of them, that a language model's last layer computes.

    Raises:
        Unavailable: when the method cannot work on this network.

    """
    import torch

    from showdown.engine.budget import Demand, shape_of
    from showdown.engine.forward import is_packed
    from showdown.engine.optim.table import state_bytes
    from showdown.models.network import dtype_of, weight_bytes

    network.module.to(dtype_of(job.placement))
    pretrained, held_bytes = network.module, weight_bytes(network, method.options)
    padded = not is_packed(pretrained, job.placement.device)
    with torch.device("meta"):
        module = method.adapt(network)
    learning = [value for value in module.parameters() if value.requires_grad]
    whole, protocol = most_weights_learn(module), job.protocol
    on_host = whole and protocol.moments_on_host
    demand = Demand(
        weight_bytes=held_bytes + (0 if whole else sum(value.numel() * value.itemsize for value in learning)),
        gradient_bytes=sum(value.numel() * value.itemsize for value in learning),
        optimizer_bytes=0.0
        if on_host
        else state_bytes(learning, rounding_of(protocol, whole, job.placement.device), optimizer=method.optimizer),
        trains_backbone=whole,
        adapts_feed_forward=_adapts_feed_forward(module, network.linear_names),
        four_bit=method.options.four_bit,
        fp8=method.options.fp8,
        rounds_weights=_rounds_weights(module),
        padded=padded,
        may_step_in_backward=whole and protocol.max_gradient_norm is None,
        moments_on_host=on_host,
        output=_output_layer(module, read_share),
    )
    return shape_of(pretrained.config), demand, module


def _rounds_weights(module: "torch.nn.Module") -> bool:
    """Return whether weights that learn are multiplied in fp8."""
    from showdown.fp8.linear import LearningFp8Linear

    return any(isinstance(one, LearningFp8Linear) for one in module.modules())


def _adapts_feed_forward(module: "torch.nn.Module", linear_names: Sequence[str]) -> bool:
    """Return whether anything learns inside the layers that the feed-forward part begins with."""
    inputs = [f"{name}." for name in with_role(linear_names, "feed-forward input")]
    learning = [name for name, value in module.named_parameters() if value.requires_grad]
    return any(layer in name for name in learning for layer in inputs)


def _output_layer(module: "torch.nn.Module", read_share: float) -> "OutputLayer | None":
    """Return what the loss of a language model depends on; None for another network."""
    from showdown.engine.language.chunks import OutputLayer
    from showdown.engine.structure import language_model

    language = language_model(module)
    if language is None:
        return None
    head = language.model.get_output_embeddings()
    vocabulary = int(language.model.config.get_text_config().vocab_size)
    learns = head is not None and any(value.requires_grad for value in head.parameters())
    return OutputLayer(vocabulary=vocabulary, read_share=read_share, learns=learns)


def most_weights_learn(module: "torch.nn.Module") -> bool:
    """Tell full fine-tuning from a method that trains few weights beside frozen ones."""
    learning = sum(value.numel() for value in module.parameters() if value.requires_grad)
    return learning > _MOSTLY * sum(value.numel() for value in module.parameters())


def rounding_of(protocol: SharedProtocol, most_weights_learn: bool, device: str) -> "Rounding":
    """Return how steps on bfloat16 weights are rounded.

    Master weights in float32 cost ten bytes a learning weight, which adapters can afford. Where all weights learn,
    stochastic rounding loses no more (`benchmarks/cpu/rounding.py`) and takes no memory of a GPU. A CPU has memory, and
    draws random bits slowly (`benchmarks/cpu/optimizer_step.py`).

    Args:
        protocol: may name the rounding.
        most_weights_learn: as with full fine-tuning.
        device: `cpu` or `cuda`.

    """
    if protocol.weight_rounding != "auto":
        return protocol.weight_rounding
    return "stochastic" if most_weights_learn and (device != "cpu" or protocol.moments_on_host) else "float32"

"""Full fine-tuning whose matrix products are in fp8 (arXiv 2209.05433); weights and moments are those of full."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from showdown.core.network import NetworkParts
from showdown.core.traits import Traits, fine_tuned
from showdown.methods.full import Full
from showdown.methods.lora_fp8 import PAPER

if TYPE_CHECKING:
    import torch


class FullFp8(Full):
    """Trains every parameter; the linear layers of the stack multiply in e4m3, forward and for both gradients."""

    title: ClassVar[str] = "Full-fp8"
    summary: ClassVar[str] = "every parameter learns, matrix products in fp8, on a GPU of capability 8.9 or above"
    traits: ClassVar[Traits] = fine_tuned(citation=PAPER)

    def unsupported_reason(self) -> str | None:
        """Return why this machine has no products in fp8."""
        from showdown.fp8.machine import missing_reason

        return missing_reason()

    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Make every parameter trainable, and let the linear layers of the stack multiply in fp8.

        Raises:
            Unavailable: when the stack has no linear layer whose widths fp8 takes.

        """
        _round_products(network)
        return super().adapt(network)

    def reload(self, folder: Path, load_network: Callable[[Path | None], NetworkParts]) -> "torch.nn.Module":
        """Load the whole network, and let it multiply as it did while it was trained."""
        network = load_network(folder)
        _round_products(network)
        return network.module


def _round_products(network: NetworkParts) -> None:
    from torch import nn

    from showdown.core.errors import Unavailable
    from showdown.fp8.linear import fits, learn_in_fp8

    layers = [network.module.get_submodule(name) for name in network.linear_names]
    fitting = [layer for layer in layers if type(layer) is nn.Linear and fits(layer)]
    if not fitting:
        raise Unavailable(
            "this model has no linear layer whose widths are multiples of 16, which products in fp8 need; use full"
        )
    for layer in fitting:
        learn_in_fp8(layer)

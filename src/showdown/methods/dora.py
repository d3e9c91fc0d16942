"""DoRA (arXiv 2402.09353): LoRA that learns the magnitude of each weight apart from its direction."""

from typing import ClassVar

from showdown.core.network import NetworkParts
from showdown.core.traits import Traits, fine_tuned
from showdown.methods.lora import Lora


class Dora(Lora):
    """LoRA with learned magnitudes."""

    title: ClassVar[str] = "DoRA"
    summary: ClassVar[str] = (
        "LoRA that learns the magnitude of each weight apart; for low ranks, where time matters less"
    )
    traits: ClassVar[Traits] = fine_tuned(color="red", citation="liu2024")
    use_dora: ClassVar[bool] = True

    def adapter_parameters(self, network: NetworkParts) -> int:
        """Return LoRA's parameters and one magnitude for each output of a target layer."""
        return super().adapter_parameters(network) + sum(outputs for _, outputs in self._target_widths(network))

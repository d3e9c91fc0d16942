"""LayerNorm tuning (arXiv 2312.11420): trains the norms of the backbone, and the head."""

from typing import ClassVar

from showdown.core.errors import Unavailable
from showdown.core.method import MethodSettings, TunedSettings
from showdown.core.network import NetworkParts
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.own_tensors import OwnTensorsMethod

_PAPER = Reference(
    key="zhao2024",
    text="Bingchen Zhao, Haoqin Tu, Chen Wei, Jieru Mei, and Cihang Xie. Tuning LayerNorm in attention: Towards "
    "efficient multi-modal LLM finetuning. In The Twelfth International Conference on Learning Representations, 2024. "
    "arXiv:2312.11420.",
)


class LayerNorm(OwnTensorsMethod):
    """Trains the weights and biases of layer norms and RMS norms."""

    title: ClassVar[str] = "LayerNorm tuning"
    summary: ClassVar[str] = "trains the norms of the backbone and the head; the smallest saved model for any network"
    Settings: ClassVar[type[MethodSettings]] = TunedSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 17.0
    """BitFit's, which trains the biases of norms too. It was not measured against other rates."""

    def trained_names(self, network: NetworkParts) -> list[str]:
        """Return the names of the parameters of all norms outside the head.

        Raises:
            Unavailable: when the network has no norm with parameters.

        """
        elsewhere = tuple(f"{name}." for name in (*network.head_names, *network.idle_names))
        found = [
            f"{name}.{own}"
            for name, child in network.module.named_modules()
            if "norm" in type(child).__name__.lower() and not f"{name}.".startswith(elsewhere)
            for own, _ in child.named_parameters(recurse=False)
        ]
        if not found:
            raise Unavailable(
                "this network has no norms with parameters, which are all that LayerNorm tuning trains beside the "
                "head; use lora, or a network with norms (BERT, RoBERTa, Llama, Mistral, Qwen)"
            )
        return found

"""BitFit (arXiv 2106.10199): trains the biases of the backbone, and the head."""

from typing import ClassVar

from showdown.core.errors import Unavailable
from showdown.core.method import MethodSettings, TunedSettings
from showdown.core.network import NetworkParts
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.own_tensors import OwnTensorsMethod

_PAPER = Reference(
    key="benzaken2022",
    text="Elad Ben Zaken, Yoav Goldberg, and Shauli Ravfogel. BitFit: Simple parameter-efficient fine-tuning for "
    "transformer-based masked language-models. In Proceedings of the 60th Annual Meeting of the Association for "
    "Computational Linguistics (Volume 2: Short Papers), 2022. arXiv:2106.10199.",
)


class BitFit(OwnTensorsMethod):
    """Trains biases, of linear layers and of norms."""

    title: ClassVar[str] = "BitFit"
    summary: ClassVar[str] = (
        "trains the biases of the backbone and the head; for small data and networks that have biases"
    )
    Settings: ClassVar[type[MethodSettings]] = TunedSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 17.0
    """The paper tries 1e-4 to 1e-3, and 1e-5 to 5e-5 for full fine-tuning: the ratio of their geometric means."""

    def trained_names(self, network: NetworkParts) -> list[str]:
        """Return the names of all biases outside the head.

        Raises:
            Unavailable: when the network has none, like Llama.

        """
        elsewhere = tuple(f"{name}." for name in (*network.head_names, *network.idle_names))
        found = [
            name
            for name, value in network.module.named_parameters()
            if name.endswith("bias") and value.dim() == 1 and not name.startswith(elsewhere)
        ]
        if not found:
            raise Unavailable(
                "this network has no biases, which are all that BitFit trains beside the head; "
                "use lora, or a network with biases (BERT, RoBERTa, DeBERTa)"
            )
        return found

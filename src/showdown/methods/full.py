"""Full fine-tuning: every parameter of the network learns."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from showdown.core.method import MethodSettings, TunedMethod, TunedSettings
from showdown.core.traits import Traits, fine_tuned

if TYPE_CHECKING:
    import torch


class Full(TunedMethod):
    """Every parameter learns."""

    title: ClassVar[str] = "Full fine-tuning"
    summary: ClassVar[str] = "every parameter of the network learns"
    Settings: ClassVar[type[MethodSettings]] = TunedSettings
    traits: ClassVar[Traits] = fine_tuned(color="blue")

    def adapt(self, network: Any) -> "torch.nn.Module":
        """Let everything learn that a text goes through."""
        module: torch.nn.Module = network.module
        module.requires_grad_(True)
        for name in network.idle_names:
            module.get_submodule(name).requires_grad_(False)
        return module

    def save(self, module: Any, folder: Path) -> None:
        """Write the whole network as safetensors."""
        module.save_pretrained(folder)

    def usage(self, module: Any) -> Any:
        """Say that plain transformers opens it."""
        from showdown.models.companions import Usage

        return Usage(
            imports="from transformers import AutoModelForSequenceClassification, AutoTokenizer",
            opening="model = AutoModelForSequenceClassification.from_pretrained(folder)",
        )

    def reload(self, folder: Path, load_network: Callable[[Path | None], Any]) -> "torch.nn.Module":
        """Load the whole network."""
        module: torch.nn.Module = load_network(folder).module
        return module

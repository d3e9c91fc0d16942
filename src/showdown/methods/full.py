"""Full fine-tuning: every parameter of the network learns."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from showdown.core.method import MethodSettings, TunedMethod, TunedSettings
from showdown.core.network import NetworkParts
from showdown.core.parameter_group import ParameterGroup
from showdown.core.strict import added_later
from showdown.core.traits import Traits, fine_tuned

if TYPE_CHECKING:
    import torch

    from showdown.models.companions import Usage

_LION_SCALE = 5.0
"""Lion takes a rate 3 to 10 times smaller than AdamW's, and a weight decay larger by as much (arXiv 2302.06675)."""


class FullSettings(TunedSettings):
    """Settings of full fine-tuning."""

    optimizer: Literal["adamw", "lion"] = added_later("adamw")
    """`lion` keeps half of AdamW's state; its default rate is a fifth of AdamW's, its weight decay five times."""


class Full(TunedMethod):
    """Trains every parameter."""

    title: ClassVar[str] = "Full fine-tuning"
    summary: ClassVar[str] = "every parameter of the network learns; what to compare with, where memory and disk allow"
    Settings: ClassVar[type[MethodSettings]] = FullSettings
    traits: ClassVar[Traits] = fine_tuned(color="blue")

    @property
    def optimizer(self) -> str:
        """The optimizer that the settings name."""
        return str(self.settings.optimizer)

    def rate_scale(self) -> float:
        """Return the default rate of the optimizer as a multiple of AdamW's."""
        return self.rate_factor / self._optimizer_scale

    def parameter_groups(self, module: "torch.nn.Module") -> list[ParameterGroup]:
        """Return the default groups, their weight decay scaled for the optimizer."""
        return [
            replace(group, decay_scale=group.decay_scale * self._optimizer_scale)
            for group in super().parameter_groups(module)
        ]

    @property
    def _optimizer_scale(self) -> float:
        return _LION_SCALE if self.optimizer == "lion" else 1.0

    def adapt(self, network: NetworkParts) -> "torch.nn.Module":
        """Make every parameter trainable, but for parts that no text goes through."""
        module = network.module
        module.requires_grad_(True)
        for name in network.idle_names:
            module.get_submodule(name).requires_grad_(False)
        return module

    def declared_parameters(self, network: NetworkParts) -> int:
        """Return the number of all parameters, but for parts that no text goes through."""
        idle = tuple(f"{name}." for name in network.idle_names)
        return sum(value.numel() for name, value in network.module.named_parameters() if not name.startswith(idle))

    def save(self, module: Any, folder: Path) -> None:
        """Write the whole network as safetensors."""
        module.save_pretrained(folder)

    def usage(self, module: "torch.nn.Module") -> "Usage":
        """Return how plain transformers opens it."""
        from showdown.models.companions import Usage

        return Usage(
            imports="from transformers import AutoModelForTask, AutoTokenizer",
            opening="model = AutoModelForTask.from_pretrained(folder)",
        )

    def reload(self, folder: Path, load_network: Callable[[Path | None], NetworkParts]) -> "torch.nn.Module":
        """Load the whole network."""
        return load_network(folder).module

"""A pretrained network as it is, in the form of a method that trains: for arms that answer with it untrained."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.method import TunedMethod, TunedSettings
from showdown.core.network import NetworkParts

if TYPE_CHECKING:
    from torch import nn


class Untrained(TunedMethod):
    """Nothing learns. It is never run: a forecast counts the network by it."""

    def __init__(self) -> None:
        super().__init__(TunedSettings())

    def adapt(self, network: NetworkParts) -> "nn.Module":
        """Return the network, of which nothing learns."""
        module: nn.Module = network.module.requires_grad_(False)
        return module

    def declared_parameters(self, network: NetworkParts) -> int:
        """Return 0."""
        return 0

    def save(self, module: "nn.Module", folder: Path) -> None:
        """Refuse: there is nothing to save."""
        raise NotImplementedError

    def usage(self, module: "nn.Module") -> Any:
        """Refuse: nothing is saved."""
        raise NotImplementedError

    def reload(self, folder: Path, load_network: Any) -> "nn.Module":
        """Refuse: nothing is saved."""
        raise NotImplementedError

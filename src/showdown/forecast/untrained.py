"""A pretrained network as it is, for arms that answer with it untrained."""

from typing import TYPE_CHECKING, ClassVar

from showdown.core.method import NetworkOptions
from showdown.core.network import NetworkParts

if TYPE_CHECKING:
    from torch import nn


class Untrained:
    """Loads the network as a method does, and lets nothing learn."""

    options: ClassVar[NetworkOptions] = NetworkOptions()
    optimizer: ClassVar[str] = "adamw"
    """Never used: nothing is stepped."""
    virtual_tokens: ClassVar[int] = 0

    def adapt(self, network: NetworkParts) -> "nn.Module":
        """Return the network, of which nothing learns."""
        module: nn.Module = network.module.requires_grad_(False)
        return module

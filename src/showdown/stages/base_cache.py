"""Runs that share a pretrained network: which they are, and what one leaves to the next in their process.

LoRA and its kin leave the network as it was loaded, so seeds, folds and variants of them can follow each other in one
process. Each gets fresh adapters and a fresh head from its own seed. Runs are still scored in processes of their own.
"""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from showdown.models.network import Network

NOTE = (
    "the pretrained network was kept in memory from the run before: its loading and the start of a process are not in "
    "these seconds, and reserved memory may be that of an earlier run"
)
"""What differs for a run that found its network loaded."""


class BaseCache:
    """The pretrained network that a run leaves to the next one in its process."""

    def __init__(self) -> None:
        self.runs = 0
        """Runs that went through this process so far."""
        self._network: Network | None = None

    def take(self) -> "Network | None":
        """Return the network, which is then the taker's, or None where there is none."""
        network, self._network = self._network, None
        return network

    def leave(self, network: "Network | None") -> None:
        """Keep a network as it was loaded."""
        self._network = network

    def tidy(self) -> None:
        """Give back the memory of the run that is over, so that the next one has all of it."""
        self.runs += 1
        free_memory()


def free_memory() -> None:
    """Give back what nothing refers to any more, on the GPU too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

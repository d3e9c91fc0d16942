"""Stages that share a pretrained network: what one leaves to the next in their process.

LoRA and its kin leave the network as it was loaded, so seeds, folds and variants of them can follow each other in one
process, each trained and then scored. A training gets fresh adapters and a fresh head from its own seed; a scoring gets
those that were saved, read from the disk again. What a stage leaves is compared with what was loaded, to the bit: a
network that differs is loaded again.
"""

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from showdown.models.network import Network

NOTE = (
    "the pretrained network was kept in memory from the run before: its loading and the start of a process are not in "
    "these seconds, and reserved memory may be that of an earlier run"
)
"""What differs for a run that found its network loaded."""
SCORING_NOTE = (
    "scored in a process that had the pretrained network in memory, its weights checked to be those that were loaded, "
    "and read what was saved from the disk: loading the network is not in the seconds of scoring"
)
"""What differs for a run that was scored on a network that was there."""


class BaseCache:
    """The pretrained network that a stage leaves to the next one in its process."""

    def __init__(self) -> None:
        self.stages = 0
        """Stages that went through this process so far."""
        self._network: Network | None = None
        self._loaded = ""
        """Checksum of the network when it was loaded, without the weights that are drawn from a seed."""

    @property
    def holds(self) -> bool:
        """Whether there is a network."""
        return self._network is not None

    def take(self, load: Callable[[], "Network"], seed: int) -> "Network":
        """Return the network as it would be loaded, which is then the taker's.

        Args:
            load: loads it, where none is kept.
            seed: of the weights that its files do not have.

        """
        from showdown.models.checksum import checksum

        network, self._network = self._network, None
        if network is None:
            network = load()
            self._loaded = checksum(network.module, network.drawn)
        else:
            network.redraw(seed)
        return network

    def leave(self, network: "Network | None") -> bool:
        """Keep a network, unless it differs from what was loaded; tell whether it does."""
        from showdown.models.checksum import checksum

        changed = network is not None and checksum(network.module, network.drawn) != self._loaded
        self._network = None if changed else network
        return changed

    def tidy(self) -> None:
        """Give back the memory of the stage that is over, so that the next one has all of it."""
        self.stages += 1
        free_memory()


def free_memory() -> None:
    """Give back what nothing refers to any more, on the GPU too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

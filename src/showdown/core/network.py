"""The parts of a network that a method may work on."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn


class NetworkParts(Protocol):
    """A network with a head for the task, and the names of its parts: a `showdown.models.network.Network`."""

    @property
    def module(self) -> "nn.Module":
        """The transformers model."""
        ...

    @property
    def peft_task_type(self) -> str:
        """What PEFT calls the task, such as `SEQ_CLS`."""
        ...

    @property
    def head_names(self) -> tuple[str, ...]:
        """Modules outside the backbone, and modules without weights in the checkpoint: they are always trained."""
        ...

    @property
    def linear_names(self) -> tuple[str, ...]:
        """Linear layers inside the backbone's stack of layers: where adapters go."""
        ...

    @property
    def idle_names(self) -> tuple[str, ...]:
        """Modules that no text goes through. They are never trained."""
        ...

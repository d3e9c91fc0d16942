"""How a network that is trained lies on the devices of a group.

Each device has all weights, and the gradients of a step are added up when its rows are through (`Spread`). Or each
steps its part of every large weight alone, and has all weights while it computes (`sharded_optimizer.py`, ZeRO 1), or
keeps that part alone and gathers the weights of a layer while it computes it (`divided.py`, ZeRO 3; Rajbhandari et al.,
arXiv 1910.02054). What learns beside frozen weights, such as adapters, is small and always copied.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from showdown.core.parameter_group import ParameterGroup
from showdown.engine.optim.optimizer import total_norm
from showdown.engine.parallel.group import Group

T = TypeVar("T")


class Spread:
    """A network whose learning weights are copied to every device of a group; the group may be one device."""

    def __init__(self, group: Group, module: nn.Module) -> None:
        self.group, self._module = group, module
        self.parameters: dict[str, nn.Parameter] = {
            name: value for name, value in module.named_parameters() if value.requires_grad
        }
        """What this process steps, by name: whole parameters, or its parts of them."""

    @property
    def is_divided(self) -> bool:
        """Whether any weight is divided, be it a learning one or not."""
        return False

    @property
    def divided(self) -> frozenset[str]:
        """Names of the parameters of which this process has a part."""
        return frozenset()

    @property
    def places(self) -> dict[str, int]:
        """A number for each parameter that this process steps: equal where it is the same, as copies are."""
        return {name: place for place, name in enumerate(self.parameters)}

    @property
    def learning(self) -> Iterable[nn.Parameter]:
        """The parameters, or parts of them, whose gradients this process holds during the passes of a step."""
        return self.parameters.values()

    def groups(self, every: Sequence[ParameterGroup] | None) -> Sequence[ParameterGroup] | None:
        """Return the groups of a network's parameters, with those that this process steps."""
        if every is None:
            return None
        return [replace(one, names=tuple(name for name in one.names if name in self.parameters)) for one in every]

    def begin_pass(self, *, last: bool) -> None:
        """Be told that a forward and backward pass of a step begins, and whether it is the step's last one."""

    def settle(self) -> None:
        """Make the gradients of a step whole, once all its passes are made."""
        if self.group.size > 1:
            add_up(self.group, [value for value in self.parameters.values() if value.grad is not None])

    def norm(self, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the Euclidean norm of the gradients of the whole network, a float32 scalar."""
        return total_norm(gradients.values())

    def changed(self) -> None:
        """Be told that this process's parameters have changed: others that compute with them need to know."""

    def rest(self) -> None:
        """Give back weights that were gathered, once a series of passes is over."""

    def gather(self) -> None:
        """Give the leader a whole network; the others' may be of no use afterwards."""


class PartsSpread(Spread):
    """A packed decoder: of its large weights each process steps a part, which are rows of it."""

    words: ClassVar[str]
    """What the engine's path adds to its name."""
    units: Sequence[Callable[..., Any]]
    """For each layer what calls a function, with its inputs, once the weights of the layer are here."""

    @abstractmethod
    def call(self, run: Callable[[], T]) -> T:
        """Return what a pass through the network returns; weights outside all layers are here while it runs."""

    def _take_parts(self, whole: Mapping[str, nn.Parameter], own: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Step from now on parts of these weights, and whole the other parameters.

        Args:
            whole: learning weights, by name.
            own: returns this process's rows of a weight, without a copy; there may be none.

        """
        self._every, self._whole = list(self.parameters), dict(whole)
        parts = {name: nn.Parameter(own(value.detach())) for name, value in whole.items()}
        self._parts = {name: part for name, part in parts.items() if part.numel()}
        self._copies = {name: value for name, value in self.parameters.items() if name not in whole}
        held = self._parts | self._copies
        self.parameters = {name: held[name] for name in self._every if name in held}

    @property
    def divided(self) -> frozenset[str]:
        """See `Spread`."""
        return frozenset(self._parts)

    @property
    def places(self) -> dict[str, int]:
        """See `Spread`."""
        apart = len(self._every) * self.group.rank
        return {
            name: place + (apart if name in self._parts else 0)
            for place, name in enumerate(self._every)
            if name in self.parameters
        }

    def norm(self, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """See `Spread`."""
        parts = [gradient for name, gradient in gradients.items() if name in self._parts]
        copies = [gradient for name, gradient in gradients.items() if name in self._copies]
        device = next(iter(self.parameters.values())).device
        square = total_norm(parts).square() if parts else torch.zeros((), device=device)
        square = self.group.add_(square) if self._whole else square
        return torch.sqrt(square + total_norm(copies).square()) if copies else torch.sqrt(square)

    def changed(self) -> None:
        """See `Spread`: the optimizer, which knows parts alone, does not drop the gradients that they are parts of."""
        for value in self._whole.values():
            value.grad = None

    def _add_up_copies(self) -> None:
        add_up(self.group, [value for value in self._copies.values() if value.grad is not None])


def add_up(group: Group, parameters: Sequence[nn.Parameter]) -> None:
    """Replace each gradient by the sum of those of all processes: one message for each number type."""
    by_type: dict[torch.dtype, list[torch.Tensor]] = {}
    for one in parameters:
        assert one.grad is not None
        by_type.setdefault(one.grad.dtype, []).append(one.grad)
    for gradients in by_type.values():
        flat = group.add_(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        torch._foreach_copy_(
            gradients,
            [
                part.view_as(gradient)
                for part, gradient in zip(torch.split(flat, [one.numel() for one in gradients]), gradients, strict=True)
            ],
        )

"""A network of which every device has all weights and steps its rows of the large ones (ZeRO 1).

PyTorch's `fully_shard` can do it, too, but copies a layer's weights into a buffer and out of it again, and so for its
gradients. Here rows travel from the weights and gradients themselves, which lie in memory as NCCL wants them: the
gradients of a layer while the backward pass goes on, and the stepped rows while the next forward pass begins.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

from showdown.engine.parallel.group import Group, Wait
from showdown.engine.parallel.spread import PartsSpread

T = TypeVar("T")


class ShardedOptimizerSpread(PartsSpread):
    """A packed decoder of which most weights learn; matrices whose rows cannot be divided evenly are stepped by all."""

    words = "optimizer divided"

    def __init__(self, group: Group, module: nn.Module, layers: Sequence[nn.Module]) -> None:
        """Begin to step parts.

        Args:
            group: the processes.
            module: the network, on this process's device.
            layers: the decoder's.

        """
        super().__init__(group, module)
        self._take_parts(
            {name: one for name, one in self.parameters.items() if one.dim() > 1 and one.shape[0] % group.size == 0},
            group.rows,
        )
        place_of = {id(value): place for place, layer in enumerate(layers, start=1) for value in layer.parameters()}
        self._bunches = [_Bunch() for _ in range(len(layers) + 1)]
        self._outside, self.units = self._bunches[0], self._bunches[1:]
        for value in self._whole.values():
            self._bunches[place_of.get(id(value), 0)].weights.append(value)
        self._unsent: list[_Bunch] = []
        """In the order in which a backward pass completes their gradients, the same in all processes; the next last."""
        own = weakref.ref(self)  # a hook that held this object would keep the network for ever
        for bunch in self._bunches:
            for value in bunch.weights:
                value.register_post_accumulate_grad_hook(partial(_accumulated, own, bunch))  # type: ignore[no-untyped-call]
        self._under_way: list[Wait] = []

    @property
    def learning(self) -> Iterable[nn.Parameter]:
        """See `Spread`."""
        return (*self._whole.values(), *self._copies.values())

    def call(self, run: Callable[[], T]) -> T:
        """See `PartsSpread`."""
        found: T = self._outside(run)
        return found

    def begin_pass(self, *, last: bool) -> None:
        """See `Spread`: gradients travel once, as the last pass completes them."""
        self._unsent = list(self._bunches) if last else []
        for bunch in self._unsent:
            bunch.missing = len(bunch.weights)

    def send_completed(self) -> None:
        """Begin to add up the gradients that are complete, where all are that every process sends before them."""
        while self._unsent and self._unsent[-1].missing == 0:
            self._send(self._unsent.pop())

    def settle(self) -> None:
        """See `Spread`."""
        while self._unsent:  # weights of it got no gradient
            self._send(self._unsent.pop())
        for wait in self._under_way:
            wait()
        self._under_way = []
        for name, part in self._parts.items():
            gradient = self._whole[name].grad
            part.grad = None if gradient is None else self.group.rows(gradient)
        self._add_up_copies()

    def changed(self) -> None:
        """See `Spread`: rows are sent, in the order in which a forward pass needs them."""
        super().changed()
        for bunch in self._bunches:
            bunch.arriving = self.group.begin_gathering_rows([value.data for value in bunch.weights])

    def rest(self) -> None:
        """See `Spread`: all weights stay here, and are whole."""
        for bunch in self._bunches:
            bunch.arrive()

    def gather(self) -> None:
        """See `Spread`; it stays on its device."""
        self.rest()

    def _send(self, bunch: "_Bunch") -> None:
        gradients = [value.grad for value in bunch.weights if value.grad is not None]
        self._under_way.append(self.group.begin_adding_rows(gradients))


class _Bunch:
    """Weights that travel together: those of a layer, or those outside all layers."""

    def __init__(self) -> None:
        self.weights: list[nn.Parameter] = []
        self.missing = 0
        """Gradients that the last pass of a step has yet to complete."""
        self.arriving: Wait | None = None
        """Rows of other processes are on their way."""

    def arrive(self) -> None:
        """Wait for them."""
        if self.arriving is not None:
            self.arriving()
            self.arriving = None

    def __call__(self, run: Callable[..., T], *inputs: Any) -> T:
        """Run a function that reads the weights."""
        self.arrive()
        return run(*inputs)


def _accumulated(own: "weakref.ref[ShardedOptimizerSpread]", bunch: _Bunch, _: torch.Tensor) -> None:
    """Be told that a pass has completed a gradient."""
    spread = own()
    if spread is not None:
        bunch.missing -= 1
        spread.send_completed()

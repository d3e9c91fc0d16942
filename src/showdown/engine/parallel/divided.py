"""A network whose large weights are divided among the devices of a group, by PyTorch's `fully_shard` (FSDP2).

The engine reads the weights of a layer itself, so that hooks on a layer would never be called. Each layer is therefore
wrapped by a module whose call is the engine's own function (`_Unit`), and that module is what FSDP2 divides.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from showdown.engine.parallel.group import Group
from showdown.engine.parallel.spread import PartsSpread

T = TypeVar("T")


class DividedSpread(PartsSpread):
    """A packed decoder whose large weights are divided among the devices."""

    words = "weights divided"

    def __init__(self, group: Group, module: nn.Module, layers: Sequence[nn.Module], *, device: str) -> None:
        """Divide the weights; those that lie on the host go to the device by layer.

        Args:
            group: the processes.
            module: the network, adapters included.
            layers: the decoder's.
            device: `cpu` or `cuda`, of which this process sees one.

        """
        from torch.distributed.device_mesh import init_device_mesh

        copied = _copied(module, layers)
        for value in copied:
            value.data = value.data.to(device)
        mesh = init_device_mesh(device, (group.size,))
        self._units = [_Unit([layer]) for layer in layers]
        for unit in self._units:
            _divide(unit, mesh, copied, comes_and_goes=True)
        inside = {id(child) for layer in layers for child in layer.modules()}
        outside = [child for child in module.modules() if id(child) not in inside and child._parameters]
        self._root = _Unit(outside)
        self._root.units = nn.ModuleList(self._units)
        self.units = self._units
        _divide(self._root, mesh, copied, comes_and_goes=False)
        for child in module.modules():
            for name, buffer in child._buffers.items():
                child._buffers[name] = None if buffer is None else buffer.to(device)
        super().__init__(group, module)
        self._take_parts({name: value for name, value in self.parameters.items() if _is_divided(value)}, local)

    @property
    def is_divided(self) -> bool:
        """See `Spread`."""
        return True

    def call(self, run: Callable[[], T]) -> T:
        """See `PartsSpread`."""
        found: T = self._root(run)
        return found

    def settle(self) -> None:
        """See `Spread`: FSDP2 has added up the divided ones."""
        for name, part in self._parts.items():
            gradient = self._whole[name].grad
            part.grad = None if gradient is None else local(gradient)
        self._add_up_copies()

    def rest(self) -> None:
        """See `Spread`."""
        for unit in (*self._units, self._root):
            unit.reshard()  # type: ignore[operator]  # FSDP2 adds it to the class

    @torch.no_grad()
    def gather(self) -> None:
        """See `Spread`: on the host. Weights are gathered one by one, so that no device ever holds the network."""
        self.rest()
        found: dict[int, nn.Parameter] = {}
        for child in self._module.modules():
            for name, value in child._parameters.items():
                if value is None:
                    continue
                if id(value) not in found:
                    whole = _whole(value)
                    kept = whole.cpu() if self.group.leads else whole.new_empty(0, device="cpu")
                    found[id(value)] = nn.Parameter(kept, requires_grad=value.requires_grad)
                child._parameters[name] = found[id(value)]
            for name, buffer in child._buffers.items():
                child._buffers[name] = None if buffer is None else buffer.cpu()


class _Unit(nn.Module):
    """Modules whose weights are gathered together, for as long as a function that reads them runs."""

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, run: Callable[..., T], *inputs: Any) -> T:
        """Run the function while the weights are here."""
        return run(*inputs)


def _divide(unit: _Unit, mesh: Any, copied: set[nn.Parameter], *, comes_and_goes: bool) -> None:
    from torch.distributed.fsdp import FSDPModule, fully_shard

    fully_shard(unit, mesh=mesh, reshard_after_forward=comes_and_goes, ignored_params=copied)
    assert isinstance(unit, FSDPModule)
    # The loss of a step is a mean over the terms of all processes: gradients are added up, and divided by nothing.
    unit.set_gradient_divide_factor(1.0)
    unit.set_force_sum_reduction_for_comms(True)


def _copied(module: nn.Module, layers: Sequence[nn.Module]) -> set[nn.Parameter]:
    """Return the parameters that each process keeps whole.

    Those are the learning ones beside frozen layers, and those of another number type than the layers have: what is
    gathered together has one.
    """
    inside = [value for layer in layers for value in layer.parameters()]
    kinds = {value.dtype for value in inside if not value.requires_grad}
    if kinds:
        return {value for value in module.parameters() if value.requires_grad or value.dtype not in kinds}
    kind = inside[0].dtype
    return {value for value in module.parameters() if value.dtype != kind}


def _is_divided(value: torch.Tensor) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(value, DTensor)


def local(value: torch.Tensor) -> torch.Tensor:
    """Return the part of a tensor that this process holds; all of it where it is not divided."""
    if not _is_divided(value):
        return value
    held: torch.Tensor = value.to_local()  # type: ignore[attr-defined]
    return held


def _whole(value: nn.Parameter) -> torch.Tensor:
    """Return a parameter with all its parts; all processes call it."""
    found: torch.Tensor = value.full_tensor() if _is_divided(value) else value.data  # type: ignore[attr-defined]
    return found

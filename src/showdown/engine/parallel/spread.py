"""How a network that is trained lies on the devices of a group: copied to each, or divided among them.

Copied, each device has all weights, and the gradients of a step are added up when its rows are through. Divided, each
device keeps a part of every large weight, with the gradients and moments of that part alone, and gathers the weights of
a layer while it computes it (ZeRO, Rajbhandari et al., arXiv 1910.02054; here by PyTorch's `fully_shard`, FSDP2). What
learns beside frozen weights, such as adapters, is small and always copied.

The engine reads the weights of a layer itself, so that hooks on a layer would never be called. Each layer is therefore
wrapped by a module whose call is the engine's own function (`_Unit`), and that module is what FSDP2 divides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

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
            _add_up(self.group, [value for value in self.parameters.values() if value.grad is not None])

    def norm(self, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the Euclidean norm of the gradients of the whole network, a float32 scalar."""
        return total_norm(gradients.values())

    def drop_gradients(self) -> None:
        """Drop what the optimizer, which knows this process's parameters alone, does not drop."""

    def rest(self) -> None:
        """Give back weights that were gathered, once a series of passes is over."""

    def gather(self) -> None:
        """Give the leader a whole network on the host; the others' is of no use afterwards."""


class DividedSpread(Spread):
    """A packed decoder whose large weights are divided among the devices."""

    def __init__(
        self, group: Group, module: nn.Module, layers: Sequence[nn.Module], *, device: str, gathered: bool
    ) -> None:
        """Divide the weights; those that lie on the host go to the device by layer.

        Args:
            group: the processes.
            module: the network, adapters included.
            layers: the decoder's.
            device: `cpu` or `cuda`, of which this process sees one.
            gathered: keep the weights of a layer from the first to the last pass of a step, and all its gradients: the
                memory of a network that is not divided, but for the optimizer's, and little traffic.

        """
        from torch.distributed.device_mesh import init_device_mesh

        self._device, self._gathered = device, gathered
        copied = _copied(module, layers)
        for value in copied:
            value.data = value.data.to(device)
        mesh = init_device_mesh(device, (group.size,))
        self.units = [_Unit([layer]) for layer in layers]
        for unit in self.units:
            _divide(unit, mesh, copied, gathered=gathered)
        inside = {id(child) for layer in layers for child in layer.modules()}
        outside = [child for child in module.modules() if id(child) not in inside and child._parameters]
        self._root = _Unit(outside)
        self._root.units = nn.ModuleList(self.units)
        _divide(self._root, mesh, copied, gathered=True)
        for child in module.modules():
            for name, buffer in child._buffers.items():
                child._buffers[name] = None if buffer is None else buffer.to(device)
        super().__init__(group, module)
        self._whole = {name: value for name, value in self.parameters.items() if _is_divided(value)}
        parts = {name: nn.Parameter(local(value.detach())) for name, value in self._whole.items()}
        self._parts = {name: part for name, part in parts.items() if part.numel()}
        self._copies = {name: value for name, value in self.parameters.items() if name not in self._whole}
        self.parameters = {
            name: self._parts.get(name, value)
            for name, value in self.parameters.items()
            if name in self._parts or name in self._copies
        }

    @property
    def is_divided(self) -> bool:
        """See `Spread`."""
        return True

    @property
    def divided(self) -> frozenset[str]:
        """See `Spread`."""
        return frozenset(self._parts)

    def call(self, run: Callable[[], T]) -> T:
        """Return what a pass through the network returns."""
        found: T = self._root(run)
        return found

    def begin_pass(self, *, last: bool) -> None:
        """See `Spread`: weights that stay gathered anyway stay so between passes, and gradients travel once."""
        if self._gathered:
            self._root.set_requires_gradient_sync(last)  # type: ignore[operator]  # FSDP2 adds it. So for the next
            self._root.set_reshard_after_backward(last)  # type: ignore[operator]

    def settle(self) -> None:
        """See `Spread`: FSDP2 has added up the divided ones."""
        for name, part in self._parts.items():
            gradient = self._whole[name].grad
            part.grad = None if gradient is None else local(gradient)
        _add_up(self.group, [value for value in self._copies.values() if value.grad is not None])

    def norm(self, gradients: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """See `Spread`."""
        parts = [gradient for name, gradient in gradients.items() if name in self._parts]
        copies = [gradient for name, gradient in gradients.items() if name in self._copies]
        square = total_norm(parts).square() if parts else torch.zeros((), device=self._device)
        square = self.group.add_(square) if self._whole else square
        return torch.sqrt(square + total_norm(copies).square()) if copies else torch.sqrt(square)

    def drop_gradients(self) -> None:
        """See `Spread`."""
        for value in self._whole.values():
            value.grad = None

    def rest(self) -> None:
        """See `Spread`."""
        for unit in (*self.units, self._root):
            unit.reshard()  # type: ignore[operator]  # FSDP2 adds it to the class

    @torch.no_grad()
    def gather(self) -> None:
        """See `Spread`. Weights are gathered one by one, so that no device ever holds the network."""
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


def _divide(unit: _Unit, mesh: Any, copied: set[nn.Parameter], *, gathered: bool) -> None:
    from torch.distributed.fsdp import FSDPModule, fully_shard

    fully_shard(unit, mesh=mesh, reshard_after_forward=not gathered, ignored_params=copied)
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


def _add_up(group: Group, parameters: Sequence[nn.Parameter]) -> None:
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

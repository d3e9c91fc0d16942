"""The contract of an optimizer, and what all have in common: groups, clipping, rounding, offload and checkpoints."""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

import torch
from torch import nn

from showdown.core.parameter_group import ParameterGroup, default_groups
from showdown.engine.dropout import draw_seed, hash_seeds
from showdown.engine.optim.offload import OffloadedMoments
from showdown.engine.optim.settings import OptimizerSettings

LARGE = 1_000_000
"""Elements from which on a tensor is read faster one by one than together with others."""
_LOW_BYTES = 2
"""The 16 bits of a float32 master weight that bfloat16 lacks."""
Moments = tuple[torch.Tensor, ...]


class Optimizer(ABC):
    """Steps named parameters. For each step: `begin`, the backward passes, `end`."""

    moments: ClassVar[tuple[str, ...]]
    """Names of the tensors kept for each parameter, as a checkpoint holds them: its moments, and what they need."""
    refresh_steps: ClassVar[int] = 0
    """Steps from one decomposition of a gradient to the next; 0 where none is taken."""
    keeps_rows: ClassVar[bool] = True
    """Whether each of them has the rows of its parameter, so that it is divided among processes as the parameter is."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings) -> None:
        """Allocate the optimizer state.

        Args:
            parameters: all that learn, by name.
            settings: how steps are taken.

        Raises:
            ValueError: for offloaded moments without the step inside the backward pass, or for groups that do not
                name every parameter once.

        """
        if settings.moments_on_host and (not settings.in_backward or settings.rounding == "float32"):
            raise ValueError("moments on the host need the step inside the backward pass, without float32 masters")
        self._settings = settings
        self._parameters = dict(parameters)
        self._groups = _group_of_each(self._parameters, settings)
        self._places = settings.places or {name: place for place, name in enumerate(parameters)}
        self._steps = 0
        self._rate = 0.0
        self._seed = 0
        self._moments: dict[str, Moments] = {}
        self._low: dict[str, torch.Tensor] = {}
        self._offloaded = OffloadedMoments(self._parameters, self.new_state) if settings.moments_on_host else None
        for name, parameter in self._parameters.items():
            self._allocate(name, parameter)
        if settings.in_backward:
            for name, parameter in self._parameters.items():
                parameter.register_post_accumulate_grad_hook(self._hook(name))  # type: ignore[no-untyped-call]

    def _allocate(self, name: str, parameter: nn.Parameter) -> None:
        if self._offloaded is not None:
            return
        master = _has_master(parameter, self._settings.rounding)
        self._moments[name] = self.new_state(parameter.data, torch.float32 if master else parameter.dtype)
        if master:
            self._low[name] = torch.zeros_like(parameter, dtype=torch.int16)

    @classmethod
    def new_state(cls, parameter: torch.Tensor, kind: torch.dtype) -> Moments:
        """Return what is kept for a parameter, as it is before the first step: a tensor for each name of `moments`.

        Args:
            parameter: on its device, which is the meta device where memory is counted.
            kind: number type of moments that are kept as they are.

        """
        return tuple(torch.zeros_like(parameter, dtype=kind) for _ in cls.moments)

    @classmethod
    def decomposed(cls, shape: torch.Size) -> bool:
        """Return whether the gradient of a parameter of this shape is decomposed, every `refresh_steps`."""
        return False

    @abstractmethod
    def _step(self, gradients: Mapping[str, torch.Tensor], scale: torch.Tensor) -> None:
        """Step the parameters of these gradients.

        Args:
            gradients: by name of their parameter.
            scale: float32 scalar on their device; gradients are divided by it.

        """

    def _rate_of(self, name: str) -> float:
        """Return the learning rate of a parameter in this step."""
        return self._rate * self._groups[name].rate_scale

    def _decay_of(self, name: str) -> float:
        """Return the weight decay of a parameter."""
        return self._settings.weight_decay * self._groups[name].decay_scale

    def _moments_of(self, name: str) -> Moments:
        """Return the moments on the parameter's device."""
        return self._moments[name] if self._offloaded is None else self._offloaded.fetched(name)

    def _seeds_of(self, name: str) -> tuple[int, int] | None:
        """Return the seeds of a parameter's stochastic rounding in this step; None for any other rounding."""
        if self._settings.rounding != "stochastic":
            return None
        return hash_seeds(self._seed, self._places[name])

    def begin(self, learning_rate: float, draw: Callable[[], int] = draw_seed) -> None:
        """Begin a step: with `in_backward` the next backward pass takes it.

        Args:
            learning_rate: of the step.
            draw: returns the seed of stochastic rounding; copies of a parameter must be rounded alike.

        """
        self._steps += 1
        self._rate = learning_rate
        self._seed = draw() if self._settings.rounding == "stochastic" else 0

    @torch.no_grad()
    def end(
        self, max_norm: float | None, norm_of: Callable[[Mapping[str, torch.Tensor]], torch.Tensor] | None = None
    ) -> torch.Tensor | None:
        """End a step: clip by the global norm, step, and drop the gradients.

        Args:
            max_norm: gradients are scaled down to this Euclidean norm; None for no clipping.
            norm_of: returns the norm of gradients, by name, where those here are not all; None where they are.

        Returns:
            The gradients' norm before clipping, a float32 scalar on their device, or None with `in_backward`.

        Raises:
            ValueError: for clipping with a step inside the backward pass.

        """
        if self._settings.in_backward:
            if max_norm is not None:
                raise ValueError("a step inside the backward pass cannot clip by the global norm")
            if self._offloaded is not None:
                self._offloaded.end_step()
            return None
        gradients = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
        norm = norm_of(gradients) if norm_of else total_norm(gradients.values())
        scale = torch.ones_like(norm) if max_norm is None else ((norm + 1e-6) / max_norm).clamp(min=1.0)
        self._step(gradients, scale)
        self.drop_gradients()
        return norm

    def _hook(self, name: str) -> Callable[[torch.Tensor], None]:
        # A hook that held the optimizer would keep the network for ever: the garbage collector does not see hooks.
        found = weakref.ref(self)

        @torch.no_grad()
        def step(parameter: torch.Tensor) -> None:
            own = found()
            assert own is not None, "the optimizer is there while its network is trained"
            assert parameter.grad is not None
            own._step({name: parameter.grad}, torch.ones((), device=parameter.device))
            if own._offloaded is not None:
                own._offloaded.put_back(name)
            parameter.grad = None

        return step

    def drop_gradients(self) -> None:
        """Drop the gradients of a step that is to be computed again."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything that a checkpoint must hold beside the weights, by name."""
        held = {"steps": torch.tensor(self._steps)}
        for name in self._parameters:
            for moment, value in zip(self.moments, self._kept(name), strict=True):
                held[f"{moment}.{name}"] = value
        return held | {f"low.{name}": low for name, low in self._low.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what `tensors` returned."""
        self._steps = int(tensors["steps"])
        for name in self._parameters:
            for moment, value in zip(self.moments, self._kept(name), strict=True):
                value.copy_(tensors[f"{moment}.{name}"])
            if name in self._low:
                self._low[name].copy_(tensors[f"low.{name}"])

    def _kept(self, name: str) -> Moments:
        """Return the moments where they are kept from step to step."""
        return self._moments[name] if self._offloaded is None else self._offloaded.on_host(name)

    @classmethod
    def state_bytes(cls, parameters: Iterable[torch.Tensor], rounding: str) -> int:
        """Return the bytes of moments and master weights that are kept for these parameters."""
        total = 0
        for value in parameters:
            master = _has_master(value, rounding)
            alike = torch.empty_like(value, device="meta")
            state = cls.new_state(alike, torch.float32 if master else value.dtype)
            total += sum(kept.nbytes for kept in state) + (value.numel() * _LOW_BYTES if master else 0)
        return total


def _has_master(parameter: torch.Tensor, rounding: str) -> bool:
    """Return whether a float32 master weight is kept of a parameter."""
    return parameter.dtype == torch.bfloat16 and rounding == "float32"


def _group_of_each(parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings) -> dict[str, ParameterGroup]:
    """Return the group of each parameter by name.

    Raises:
        ValueError: when a parameter is in no group or in two, or when a group names what does not learn.

    """
    groups = default_groups(parameters.items()) if settings.groups is None else settings.groups
    found: dict[str, ParameterGroup] = {}
    for group in groups:
        for name in group.names:
            if name not in parameters or name in found:
                fault = "two groups" if name in found else "a group, and does not learn"
                raise ValueError(f"parameter groups: `{name}` is in {fault}")
            found[name] = group
    lost = parameters.keys() - found.keys()
    if lost:
        raise ValueError(
            f"parameter groups: {len(lost)} parameters learn and are in no group, among them `{min(lost)}`"
        )
    return found


def total_norm(gradients: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the Euclidean norm of all gradients together, summed in float32."""
    found = list(gradients)
    small: dict[torch.dtype, list[torch.Tensor]] = {}
    for gradient in found:
        if gradient.numel() < LARGE:
            small.setdefault(gradient.dtype, []).append(gradient)
    # Gradients of one type are read in one kernel; of two types, in one each.
    norms = [norm for one in small.values() for norm in torch._foreach_norm(one, 2.0, dtype=torch.float32)]
    # One by one, large tensors are read 1.4 times as fast (`benchmarks/gpu/kernels.py`).
    norms += [
        torch.linalg.vector_norm(gradient, dtype=torch.float32) for gradient in found if gradient.numel() >= LARGE
    ]
    norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm

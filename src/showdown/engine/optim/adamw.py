"""The optimiser step: exact AdamW, clipped or inside the backward pass, with moments on the GPU or on the host."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from showdown.engine.decoder.lora import triton_is_here
from showdown.engine.dropout import draw_seed, hash_seeds
from showdown.engine.optim.bf16 import AdamwStep, Rounding, Weight, update_
from showdown.engine.optim.offload import HostState


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """How steps are taken."""

    weight_decay: float
    """Of matrices; biases and norms do not decay, as in transformers' Trainer."""
    rounding: Rounding = "nearest"
    """Of bfloat16 weights; parameters of any other type are stepped in their own."""
    in_backward: bool = False
    """Step each parameter as soon as its gradient is there, and free the gradient. No clipping, no accumulation."""
    moments_on_host: bool = False
    """Keep the moments in pinned host memory, copied to and fro around each parameter's step. Needs `in_backward`."""


_LARGE = 1_000_000
_MASTERED_BYTES = 4 + 4 + 2
"""Two float32 moments and the 16 bits that bfloat16 lacks."""


class AdamW:
    """AdamW over named parameters. For each step: `begin`, the backward passes, `end`."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings) -> None:
        """Make room for the moments.

        Raises:
            ValueError: for moments on the host without the step inside the backward pass.

        """
        if settings.moments_on_host and (not settings.in_backward or settings.rounding == "float32"):
            raise ValueError("moments on the host need the step inside the backward pass, without float32 masters")
        self._settings = settings
        self._parameters = dict(parameters)
        self._places = {name: place for place, name in enumerate(parameters)}
        """Tells the random bits of one parameter from every other's."""
        self._steps = 0
        self._rate = 0.0
        self._seed = 0
        self._moments: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._low: dict[str, torch.Tensor] = {}
        self._host = HostState(self._parameters) if settings.moments_on_host else None
        for name, parameter in self._parameters.items():
            self._make_state(name, parameter)
        if settings.in_backward:
            for name, parameter in self._parameters.items():
                parameter.register_post_accumulate_grad_hook(self._hook(name))  # type: ignore[no-untyped-call]

    def _make_state(self, name: str, parameter: nn.Parameter) -> None:
        if self._host is not None:
            return
        exact = self._special(parameter) and self._settings.rounding == "float32"
        kind = torch.float32 if exact else parameter.dtype
        self._moments[name] = (torch.zeros_like(parameter, dtype=kind), torch.zeros_like(parameter, dtype=kind))
        if exact:
            self._low[name] = torch.zeros_like(parameter, dtype=torch.int16)

    def _special(self, parameter: torch.Tensor) -> bool:
        """Whether our kernel steps it: what torch cannot do, and large tensors, where ours moves fewer bytes."""
        if parameter.dtype != torch.bfloat16:
            return False
        large = parameter.is_cuda and parameter.numel() >= _LARGE and triton_is_here()
        return large or self._settings.rounding != "nearest"

    def begin(self, learning_rate: float) -> None:
        """Begin a step: with `in_backward` the next backward pass takes it."""
        self._steps += 1
        self._rate = learning_rate
        self._seed = draw_seed() if self._settings.rounding == "stochastic" else 0

    @torch.no_grad()
    def end(self, max_norm: float | None) -> torch.Tensor | None:
        """End a step: clip by the global norm, step, and drop the gradients.

        Args:
            max_norm: gradients are scaled down to this Euclidean norm; None for no clipping.

        Returns:
            The gradients' norm before clipping, a float32 scalar on their device, or None with `in_backward`.

        Raises:
            ValueError: when clipping is asked of a step inside the backward pass.

        """
        if self._settings.in_backward:
            if max_norm is not None:
                raise ValueError("a step inside the backward pass cannot clip by the global norm")
            if self._host is not None:
                self._host.end_step()
            return None
        gradients = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
        norm = total_norm(gradients.values())
        scale = torch.ones_like(norm) if max_norm is None else ((norm + 1e-6) / max_norm).clamp(min=1.0)
        self._step(gradients, scale)
        self.drop_gradients()
        return norm

    def _step(self, gradients: Mapping[str, torch.Tensor], scale: torch.Tensor) -> None:
        """Step the parameters of these gradients, those of one type and decay in one kernel."""
        plain: dict[tuple[torch.dtype, bool], list[str]] = {}
        for name, gradient in gradients.items():
            parameter = self._parameters[name]
            if self._special(parameter):
                self._step_special(name, gradient, scale)
            else:
                plain.setdefault((parameter.dtype, parameter.dim() > 1), []).append(name)
        for (_, decays), names in plain.items():
            moments = [self._moments[name] for name in names]
            self._step_plain(
                [self._parameters[name] for name in names], [gradients[name] for name in names], moments, decays, scale
            )

    def _step_plain(
        self,
        parameters: list[torch.Tensor],
        gradients: list[torch.Tensor],
        moments: list[tuple[torch.Tensor, torch.Tensor]],
        decays: bool,
        scale: torch.Tensor,
    ) -> None:
        count = torch.full((), float(self._steps), device=parameters[0].device)
        torch._fused_adamw_(
            parameters,
            gradients,
            [first for first, _ in moments],
            [second for _, second in moments],
            [],
            [count] * len(parameters),
            lr=self._rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self._settings.weight_decay if decays else 0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            grad_scale=scale,
            found_inf=None,
        )

    def _step_special(self, name: str, gradient: torch.Tensor, scale: torch.Tensor) -> None:
        parameter = self._parameters[name]
        first, second = self._moments[name] if self._host is None else self._host.fetched(name)
        step = AdamwStep(
            learning_rate=self._rate,
            weight_decay=self._settings.weight_decay if parameter.dim() > 1 else 0.0,
            number=self._steps,
        )
        weight = Weight(
            value=parameter.data, gradient=gradient.contiguous(), first=first, second=second, low=self._low.get(name)
        )
        stochastic = self._settings.rounding == "stochastic"
        update_(weight, step, scale, hash_seeds(self._seed, self._places[name]) if stochastic else None)

    def _hook(self, name: str):  # type: ignore[no-untyped-def]
        @torch.no_grad()
        def step(parameter: torch.Tensor) -> None:
            assert parameter.grad is not None
            one = torch.ones((), device=parameter.device)
            if self._special(parameter):
                self._step_special(name, parameter.grad, one)
            else:
                moments = self._moments[name] if self._host is None else self._host.fetched(name)
                self._step_plain([self._parameters[name]], [parameter.grad], [moments], parameter.dim() > 1, one)
            if self._host is not None:
                self._host.put_back(name)
            parameter.grad = None

        return step

    def drop_gradients(self) -> None:
        """Forget the gradients of a step that is to be computed again."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything that a checkpoint must hold beside the weights, by name."""
        held = {"steps": torch.tensor(self._steps)}
        for name in self._parameters:
            first, second = self._moments[name] if self._host is None else self._host.on_host(name)
            held[f"first.{name}"], held[f"second.{name}"] = first, second
        return held | {f"low.{name}": low for name, low in self._low.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over what `tensors` returned."""
        self._steps = int(tensors["steps"])
        for name in self._parameters:
            first, second = self._moments[name] if self._host is None else self._host.on_host(name)
            first.copy_(tensors[f"first.{name}"])
            second.copy_(tensors[f"second.{name}"])
            if name in self._low:
                self._low[name].copy_(tensors[f"low.{name}"])


def state_bytes(parameters: Iterable[torch.Tensor], rounding: Rounding) -> int:
    """Return the bytes of moments and master weights that a `AdamW` keeps for these parameters."""
    return sum(
        value.numel()
        * (_MASTERED_BYTES if value.dtype == torch.bfloat16 and rounding == "float32" else 2 * value.itemsize)
        for value in parameters
    )


def total_norm(gradients: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the Euclidean norm of all gradients together, summed in float32."""
    found = list(gradients)
    small: dict[torch.dtype, list[torch.Tensor]] = {}
    for gradient in found:
        if gradient.numel() < _LARGE:
            small.setdefault(gradient.dtype, []).append(gradient)
    # Of one type, many are read in one kernel; of two, in one each.
    norms = [norm for one in small.values() for norm in torch._foreach_norm(one, 2.0, dtype=torch.float32)]
    # One by one, large tensors are read 1.4 times as fast (`benchmarks/gpu_kernels.py`).
    norms += [
        torch.linalg.vector_norm(gradient, dtype=torch.float32) for gradient in found if gradient.numel() >= _LARGE
    ]
    norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm

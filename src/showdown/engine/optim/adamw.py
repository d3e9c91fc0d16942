"""AdamW (Loshchilov and Hutter, arXiv 1711.05101): torch's fused kernel, or our own for bfloat16 weights."""

from collections.abc import Mapping
from typing import ClassVar

import torch

from showdown.engine.kernels.available import triton_is_here
from showdown.engine.optim.bf16 import AdamwStep, Weight, update_
from showdown.engine.optim.optimizer import LARGE, Moments, Optimizer


class AdamW(Optimizer):
    """AdamW with beta1 0.9, beta2 0.999 and epsilon 1e-8."""

    moments: ClassVar[tuple[str, ...]] = ("first", "second")

    def _step(self, gradients: Mapping[str, torch.Tensor], scale: torch.Tensor) -> None:
        """Step the parameters of these gradients, those of one type, rate and decay in one kernel."""
        fused: dict[tuple[torch.dtype, float, float], list[str]] = {}
        for name, gradient in gradients.items():
            parameter = self._parameters[name]
            if self._takes_own_kernel(parameter):
                self._step_one(name, gradient, scale)
            else:
                group = self._groups[name]
                fused.setdefault((parameter.dtype, group.rate_scale, group.decay_scale), []).append(name)
        for names in fused.values():
            moments = [self._moments_of(name) for name in names]
            self._step_fused(names, [gradients[name] for name in names], moments, scale)

    def _takes_own_kernel(self, parameter: torch.Tensor) -> bool:
        """Whether our kernel steps it: what torch cannot do, and large tensors, where ours moves fewer bytes."""
        if parameter.dtype != torch.bfloat16:
            return False
        large = parameter.is_cuda and parameter.numel() >= LARGE and triton_is_here()
        return large or self._settings.rounding != "nearest"

    def _step_fused(
        self, names: list[str], gradients: list[torch.Tensor], moments: list[Moments], scale: torch.Tensor
    ) -> None:
        """Step parameters of one type, rate and decay."""
        parameters: list[torch.Tensor] = [self._parameters[name] for name in names]
        count = torch.full((), float(self._steps), device=parameters[0].device)
        torch._fused_adamw_(
            parameters,
            gradients,
            [first for first, _ in moments],
            [second for _, second in moments],
            [],
            [count] * len(parameters),
            lr=self._rate_of(names[0]),
            beta1=0.9,
            beta2=0.999,
            weight_decay=self._decay_of(names[0]),
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            grad_scale=scale,
            found_inf=None,
        )

    def _step_one(self, name: str, gradient: torch.Tensor, scale: torch.Tensor) -> None:
        first, second = self._moments_of(name)
        step = AdamwStep(learning_rate=self._rate_of(name), weight_decay=self._decay_of(name), number=self._steps)
        weight = Weight(
            value=self._parameters[name].data,
            gradient=gradient.contiguous(),
            first=first,
            second=second,
            low=self._low.get(name),
        )
        update_(weight, step, scale, self._seeds_of(name))

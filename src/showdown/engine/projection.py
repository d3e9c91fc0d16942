"""Linear layers that read one input, as one step of autograd: plain, 4-bit or with a LoRA adapter each.

What is saved is the input, once, and only where a weight or an adapter learns. The gradients of the input are summed
inside the matrix products. 4-bit weights are dequantised one at a time, forward and backward.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from showdown.engine import lora
from showdown.engine.dropout import Dropout, dropout_for


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA adapter: y += scaling * (dropout(x) down^T) up^T."""

    down: nn.Parameter
    """A, shape (rank, input width)."""
    up: nn.Parameter
    """B, shape (output width, rank)."""
    scaling: float
    dropout: nn.Module
    """PEFT's: `nn.Dropout`, or the identity."""

    @property
    def probability(self) -> float:
        """Of dropping a value of the input, now."""
        return self.dropout.p if isinstance(self.dropout, nn.Dropout) and self.dropout.training else 0.0


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A linear layer, read once. A None for `adapter` is a layer without one, or with adapters switched off."""

    base: Any
    adapter: Adapter | None

    @property
    def quantised(self) -> bool:
        """Whether the weight is packed in 4 bits."""
        return getattr(self.base.weight, "quant_state", None) is not None

    def weight(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the dense weight of shape (output width, input width)."""
        weight: torch.Tensor = self.base.weight
        if not self.quantised:
            return weight.detach()
        from bitsandbytes.functional import dequantize_4bit

        dense: torch.Tensor = dequantize_4bit(weight.data, weight.quant_state)  # type: ignore[attr-defined]
        return dense.to(dtype)

    def learning(self) -> list[nn.Parameter]:
        """Return the parameters that learn, in a fixed order: weight, bias, A, B."""
        own = [self.base.weight, self.base.bias]
        if self.adapter is not None:
            own += [self.adapter.down, self.adapter.up]
        return [parameter for parameter in own if parameter is not None and parameter.requires_grad]


def _only_adapter(module: Any) -> Adapter | None:
    """Return the adapter of a PEFT LoRA layer with exactly one active, plain adapter."""
    active = [name for name in module.active_adapters if name in module.lora_A]
    if len(active) != 1 or active[0] in getattr(module, "lora_variant", {}):
        return None
    name = active[0]
    if getattr(module, "lora_bias", {}).get(name, False) or getattr(module, "use_dora", {}).get(name, False):
        return None
    return Adapter(
        down=module.lora_A[name].weight,
        up=module.lora_B[name].weight,
        scaling=float(module.scaling[name]),
        dropout=module.lora_dropout[name],
    )


def _plain(module: Any) -> bool:
    """Whether the layer is `nn.Linear`, or bitsandbytes' 4-bit one in its usual packing."""
    if type(module) is nn.Linear:
        return True
    # PEFT's adapter layer over a 4-bit one has the same class name, and passes `weight` through.
    if type(module).__name__ != "Linear4bit" or hasattr(module, "base_layer"):
        return False
    state = getattr(module.weight, "quant_state", None)
    return state is not None and not getattr(state, "packing_format_for_cpu", False)


def read_projection(module: Any) -> Projection | None:
    """Return the layer as a `Projection`, or None where it computes something else and must be called as it is."""
    if _plain(module):
        return Projection(base=module, adapter=None)
    base = getattr(module, "base_layer", None)
    if base is None or not hasattr(module, "lora_A") or not _plain(base) or getattr(module, "fan_in_fan_out", False):
        return None
    if module.disable_adapters:
        return None if module.merged else Projection(base=base, adapter=None)
    if module.merged:
        return Projection(base=base, adapter=None)
    adapter = _only_adapter(module)
    return None if adapter is None else Projection(base=base, adapter=adapter)


class Group:
    """The projections of one input in one forward pass."""

    def __init__(self, projections: Sequence[Projection], *, seed: int, stream: int) -> None:
        self.projections = projections
        self.adapted = [number for number, projection in enumerate(projections) if projection.adapter is not None]
        self.dropout = self._dropout(seed, stream)
        self.parameters = [parameter for projection in projections for parameter in projection.learning()]

    def _adapters(self) -> list[Adapter]:
        return [adapter for number in self.adapted if (adapter := self.projections[number].adapter) is not None]

    def _dropout(self, seed: int, stream: int) -> Dropout | None:
        probability = max((adapter.probability for adapter in self._adapters()), default=0.0)  # all alike
        return dropout_for(probability, seed=seed, stream=stream) if probability > 0 else None

    @property
    def needs_input(self) -> bool:
        """Whether the backward pass reads the input: something here learns from it."""
        return bool(self.parameters)

    def project(self, x: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the outputs for x of shape (tokens, width), and u of each adapter."""
        outputs = []
        for projection in self.projections:
            bias = projection.base.bias
            outputs.append(functional.linear(x, projection.weight(x.dtype), None if bias is None else bias.to(x.dtype)))
        adapters = self._adapters()
        if not adapters:
            return outputs, []
        inner = lora.project_down(x, [adapter.down.detach() for adapter in adapters], self.dropout)
        for number, adapter, u in zip(self.adapted, adapters, inner, strict=True):
            outputs[number].addmm_(u, adapter.up.detach().to(x.dtype).t(), alpha=adapter.scaling)
        return outputs, inner

    def gradients(
        self,
        x: torch.Tensor | None,
        inner: Sequence[torch.Tensor],
        outputs: Sequence[torch.Tensor],
        *,
        needs_input_gradient: bool,
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Return the gradient of the input, and of `parameters` in their order.

        Args:
            x: the input, where `needs_input`.
            inner: u of each adapter, from `project`.
            outputs: the gradient of each output.
            needs_input_gradient: whether the gradient of the input is wanted.

        """
        dx = self._input_gradient(outputs) if needs_input_gradient else None
        adapters = self._adapters()
        ups = [adapter.up.detach().to(outputs[0].dtype) for adapter in adapters]
        du = [
            outputs[number] @ (up * adapter.scaling)
            for number, up, adapter in zip(self.adapted, ups, adapters, strict=True)
        ]
        downs = [adapter.down.detach() for adapter in adapters]
        if dx is not None and adapters:
            lora.add_input_gradient_(dx, du, downs, self.dropout)
        found: dict[int, torch.Tensor] = {}
        if x is not None and adapters:
            down_gradients = lora.gradients_down(x, du, downs, self.dropout)
            for number, adapter, u, gradient in zip(self.adapted, adapters, inner, down_gradients, strict=True):
                found[id(adapter.down)] = gradient.to(adapter.down.dtype)
                found[id(adapter.up)] = (outputs[number].t() @ u).to(adapter.up.dtype).mul_(adapter.scaling)
        if x is not None:
            self._weight_gradients(x, outputs, found)
        return dx, [found[id(parameter)] for parameter in self.parameters]

    def _input_gradient(self, outputs: Sequence[torch.Tensor]) -> torch.Tensor:
        dx: torch.Tensor | None = None
        for projection, output in zip(self.projections, outputs, strict=True):
            weight = projection.weight(output.dtype)
            dx = output @ weight if dx is None else dx.addmm_(output, weight)
        assert dx is not None
        return dx

    def _weight_gradients(
        self, x: torch.Tensor, outputs: Sequence[torch.Tensor], found: dict[int, torch.Tensor]
    ) -> None:
        for projection, output in zip(self.projections, outputs, strict=True):
            weight, bias = projection.base.weight, projection.base.bias
            if weight.requires_grad:
                found[id(weight)] = output.t() @ x
            if bias is not None and bias.requires_grad:
                found[id(bias)] = output.sum(dim=0).to(bias.dtype)


class _SharedInput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, group: Group, *_parameters: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs, inner = group.project(x)
        ctx.group = group
        ctx.save_for_backward(x if group.needs_input else None, *inner)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[Any, ...]:
        x, *inner = ctx.saved_tensors
        dx, found = ctx.group.gradients(x, inner, outputs, needs_input_gradient=ctx.needs_input_grad[0])
        return (dx, None, *found)


def project(x: torch.Tensor, modules: Sequence[nn.Module], *, seed: int, stream: int) -> tuple[torch.Tensor, ...]:
    """Return the output of each linear layer for x of shape (tokens, width).

    Args:
        x: the input that the layers share.
        modules: `nn.Linear`, bitsandbytes' `Linear4bit`, PEFT's LoRA layers over either, or any other module.
        seed: of the dropout masks in this forward pass.
        stream: number of this input within the network: other masks than every other input's.

    """
    projections = [projection for module in modules if (projection := read_projection(module)) is not None]
    probabilities = {one.adapter.probability for one in projections if one.adapter is not None}
    if len(projections) != len(modules) or len(probabilities) > 1:
        return tuple(module(x) for module in modules)
    group = Group(projections, seed=seed, stream=stream)
    outputs: tuple[torch.Tensor, ...] = _SharedInput.apply(  # type: ignore[no-untyped-call]
        x, group, *group.parameters
    )
    return outputs

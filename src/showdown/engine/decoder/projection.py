"""Linear layers that read the same input, as one autograd function: plain, 4-bit, in fp8, or with a LoRA adapter each.

The input is saved once, and only where a weight or an adapter is trainable. The gradients of the input are summed
inside the matrix products. 4-bit weights are dequantised one at a time, forward and backward. Layers in fp8 share the
rounded input, and one product with all their weights gives the gradient of it.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from showdown.engine.decoder import lora
from showdown.engine.decoder.adapters import Adapter, Bank, only_adapter
from showdown.engine.dropout import Dropout, dropout_for
from showdown.engine.kernels.available import triton_is_here
from showdown.engine.products import input_gradient, linear, narrow_gradient, scaled_gradient_
from showdown.fp8 import linear as fp8_linear
from showdown.fp8.linear import Fp8Linear, LearningFp8Linear
from showdown.fp8.numbers import (
    Quantised,
    columns,
    product,
    quantise,
    stacked,
    transposed,
    turned,
    turned_stack,
    weight_gradient,
)


class Projection:
    """A linear layer and its adapter; None where it has no adapter or its adapters are off."""

    def __init__(self, base: Any, adapter: Adapter | None = None) -> None:
        self.base = base
        self.adapter = adapter
        self.in_fp8 = isinstance(base, (Fp8Linear, LearningFp8Linear))
        self.quantised = not self.in_fp8 and getattr(base.weight, "quant_state", None) is not None
        self._scales: torch.Tensor | None = None
        self._dense: Callable[[], torch.Tensor] | None = None

    def keep_scales(self) -> None:
        """Keep the scales of a 4-bit weight in float32 instead of 8 bits: 0.05 bytes a weight, and less work."""
        if self.quantised and self.base.weight.is_cuda:
            self._scales = _scales(self.base.weight.quant_state)

    def weight(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the dense weight of shape (output width, input width)."""
        if not self.quantised:
            weight: torch.Tensor = self.base.weight
            return weight.detach()
        if self._dense is None:
            self._dense = _dense(self.base.weight, self._scales)
        return self._dense().to(dtype)

    def dense(self, *, keep: bool) -> Callable[[torch.dtype], torch.Tensor]:
        """Return a function that gives the dense weight; with `keep`, a 4-bit weight is dequantised once."""
        if not (self.quantised and keep):
            return self.weight
        return functools.cache(self.weight)

    def output(self, x: torch.Tensor, rounded: Quantised | None, held: Quantised | None) -> torch.Tensor:
        """Return x weight^T + bias; a layer in fp8 needs both as they are rounded."""
        bias = self.base.bias
        if rounded is None or held is None:
            return linear(x, self.weight(x.dtype), None if bias is None else bias.to(x.dtype))
        y = product(rounded, held.codes, held.scale.view(-1), x.dtype)
        return y if bias is None else y.add_(bias)

    def learning(self) -> list[nn.Parameter]:
        """Return the trainable parameters in a fixed order: weight, bias, A, B."""
        own = [None if isinstance(self.base, Fp8Linear) else self.base.weight, self.base.bias]
        if self.adapter is not None:
            own += [self.adapter.down, self.adapter.up]
        return [parameter for parameter in own if parameter is not None and parameter.requires_grad]


def _dense(weight: Any, scales: torch.Tensor | None) -> Callable[[], torch.Tensor]:
    """Return a function that dequantises a 4-bit weight to the type of its state."""
    state = weight.quant_state
    whole_blocks = 2 * weight.numel() % state.blocksize == 0
    if weight.is_cuda and state.quant_type == "nf4" and whole_blocks and triton_is_here():
        from showdown.engine.kernels.nf4 import Dense

        return Dense(weight.data, state, scales)
    from bitsandbytes.functional import dequantize_4bit

    return lambda: dequantize_4bit(weight.data, state)


def _scales(state: Any) -> torch.Tensor | None:
    """Return the largest absolute value of each block, as bitsandbytes computes it from its 8-bit form."""
    if not state.nested:
        return None
    from bitsandbytes.functional import dequantize_blockwise

    scales: torch.Tensor = dequantize_blockwise(state.absmax, state.state2) + state.offset
    return scales.float()


def _plain(module: Any) -> bool:
    """Return whether the layer is `nn.Linear`, one in fp8, or bitsandbytes' 4-bit layer in its usual packing."""
    if type(module) in (nn.Linear, Fp8Linear, LearningFp8Linear):
        return True
    # PEFT's adapter layer around a 4-bit one has the same class name, and its `weight` is that of the inner layer.
    if type(module).__name__ != "Linear4bit" or hasattr(module, "base_layer"):
        return False
    state = getattr(module.weight, "quant_state", None)
    return state is not None and not getattr(state, "packing_format_for_cpu", False)


def read_projection(module: Any) -> Projection | None:
    """Return the layer as a `Projection`, or None where it computes something else and must be called itself."""
    if _plain(module):
        return Projection(module)
    base = getattr(module, "base_layer", None)
    if base is None or not hasattr(module, "lora_A") or not _plain(base) or getattr(module, "fan_in_fan_out", False):
        return None
    if module.disable_adapters:
        return None if module.merged else Projection(base)
    if module.merged:
        return Projection(base)
    adapter = only_adapter(module)
    return None if adapter is None else Projection(base, adapter)


def _switches(module: Any) -> tuple[Any, ...]:
    """Return the state of a PEFT layer that can change between two passes: which adapters are on or merged."""
    if not hasattr(module, "base_layer"):
        return ()
    return module._disable_adapters, len(module.merged_adapters), str(module._active_adapter)


class SharedInput:
    """Linear layers that read the same input."""

    def __init__(self, modules: Sequence[nn.Module], *, keep_scales: bool = False) -> None:
        """Read the layers.

        Args:
            modules: `nn.Linear`, `Fp8Linear`, bitsandbytes' `Linear4bit`, PEFT's LoRA layers over any of them, or any
                other module.
            keep_scales: use a little memory to dequantise 4-bit weights faster.

        """
        self.modules = modules
        self._keep_scales = keep_scales
        self._read()

    def _read(self) -> None:
        self._state = [_switches(module) for module in self.modules]
        found = [projection for module in self.modules if (projection := read_projection(module)) is not None]
        probabilities = {one.adapter.dropout.p for one in found if one.adapter and hasattr(one.adapter.dropout, "p")}
        self.projections = found if len(found) == len(self.modules) and len(probabilities) <= 1 else None
        kinds = {type(one.base) for one in found}
        self.in_fp8 = self.projections is not None and len(kinds) == 1 and all(one.in_fp8 for one in found)
        """Whether all these layers are in fp8, all frozen or all plain weights that learn."""
        if self._keep_scales:
            for projection in self.projections or []:
                projection.keep_scales()
        adapted = [(n, one.adapter) for n, one in enumerate(self.projections or []) if one.adapter is not None]
        self.adapted = [number for number, _ in adapted]
        self.bank = Bank([adapter for _, adapter in adapted])

    def update(self) -> None:
        """Read the layers again where an adapter was switched on or off."""
        if self._state != [_switches(module) for module in self.modules]:
            self._read()

    def group(self, seeds: torch.Tensor) -> "Group | None":
        """Return the layers for one forward pass, or None where they must be called themselves.

        Args:
            seeds: of the dropout masks of this input in this forward pass, shape (2,).

        """
        return None if self.projections is None else Group(self, self.projections, seeds)

    def __call__(self, x: torch.Tensor, seeds: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the output of each layer for x of shape (tokens, width). `refresh` its bank first."""
        group = self.group(seeds)
        if group is None:
            return tuple(module(x) for module in self.modules)
        outputs: tuple[torch.Tensor, ...] = _Project.apply(x, group, *group.parameters)  # type: ignore[no-untyped-call]
        return outputs


class Group:
    """The projections of one input in one forward pass."""

    def __init__(self, shared: SharedInput, projections: Sequence[Projection], seeds: torch.Tensor) -> None:
        self.projections = projections
        self.in_fp8 = shared.in_fp8
        self.is_stack = self.in_fp8 and isinstance(projections[0].base, LearningFp8Linear)
        """Whether these are plain weights, which are rounded together in each pass, forward and backward."""
        self.learns_in_fp8 = (
            self.is_stack
            and fp8_linear.WEIGHT_GRADIENTS_IN_FP8
            and any(one.base.weight.requires_grad for one in projections)
        )
        self._scale: torch.Tensor | None = None
        """Of a stack, shape (all outputs, 1)."""
        self.adapted = shared.adapted
        self.bank = shared.bank
        self.dropout = self._dropout(seeds)
        self.parameters = [parameter for projection in projections for parameter in projection.learning()]

    def _dropout(self, seeds: torch.Tensor) -> Dropout | None:
        adapters = self.bank.adapters
        probability = adapters[0].probability if adapters else 0.0
        return dropout_for(probability, seeds) if probability > 0 else None

    @property
    def needs_input(self) -> bool:
        """Whether the backward pass needs the input as it is: something here is trainable."""
        return bool(self.parameters) and not (self.learns_in_fp8 and not self.adapted)

    def project(
        self, x: torch.Tensor, rounded: Quantised | None = None
    ) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        """Return the outputs for x of shape (tokens, width), and u of the adapters (adapters, tokens, rank).

        Args:
            x: the input. Without adapters, layers in fp8 read its shape and type alone where `rounded` is given.
            rounded: x in e4m3, where it is known already.

        """
        if self.in_fp8:
            rounded = rounded or quantise([x])
            outputs = [
                one.output(x, rounded, held)
                for one, held in zip(self.projections, self._held_for_forward(), strict=True)
            ]
        else:
            outputs = [projection.output(x, None, None) for projection in self.projections]
        if not self.adapted:
            return outputs, None
        bank = self.bank
        inner = lora.project_down(x, bank.downs, self.dropout)
        for number, u, up, adapter in zip(self.adapted, inner, bank.ups, bank.adapters, strict=True):
            lora.add_up_(outputs[number], u, up, adapter.scaling)
        return outputs, inner

    def gradients(
        self,
        x: torch.Tensor | None,
        inner: torch.Tensor | None,
        outputs: Sequence[torch.Tensor],
        *,
        needs_input_gradient: bool,
        rounded: Quantised | None = None,
        turned_x: torch.Tensor | None = None,
        scale_x: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
        """Return the gradients of the input and of `parameters`, in their order.

        Args:
            x: the input, where `needs_input`.
            inner: u of the adapters, from `project`.
            outputs: the gradient of each output; not read where `rounded` is given and nothing here is trainable.
            needs_input_gradient: whether the gradient of the input is wanted.
            turned_x: the codes of the input as `turned` returns them, where `learns_in_fp8`.
            scale_x: the scales of the input's rows, with `turned_x`.
            rounded: the gradients of layers in fp8 side by side, times the scales, in e4m3, where they are known.

        """
        dx = self._input_gradient(outputs, rounded) if needs_input_gradient else None
        found: dict[int, torch.Tensor] = {}
        if inner is not None:
            self._adapter_gradients(x, dx, inner, outputs, found)
        self._weight_gradients(x, turned_x, scale_x, outputs, found)
        return dx, [found[id(parameter)] for parameter in self.parameters]

    def stack(self) -> Quantised:
        """Return the weights below each other as they are rounded now. Their codes are not kept: only the scales."""
        found = stacked(self._weights())
        self._scale = found.scale
        return found

    def project_stack(self, x: Quantised, dtype: torch.dtype) -> torch.Tensor:
        """Return the outputs of a stack without biases and adapters side by side, by one product."""
        held = self.stack()
        return product(x, held.codes, held.scale.view(-1), dtype)

    @property
    def has_bias(self) -> bool:
        """Whether any of these layers has a bias."""
        return any(one.base.bias is not None for one in self.projections)

    def scales(self) -> list[torch.Tensor]:
        """Return the scales of weights in fp8 as in the forward pass, each of shape (its outputs,)."""
        if self._scale is None:
            return [one.base.scale for one in self.projections]
        return list(torch.split(self._scale.view(-1), [one.base.out_features for one in self.projections]))

    def _weights(self) -> list[torch.Tensor]:
        return [one.base.weight.detach() for one in self.projections]

    def _held_for_forward(self) -> list[Quantised]:
        if not self.is_stack:
            return [one.base.held() for one in self.projections]
        held, widths = self.stack(), [one.base.out_features for one in self.projections]
        return [
            Quantised(*both)
            for both in zip(torch.split(held.codes, widths), torch.split(held.scale, widths), strict=True)
        ]

    def _transposed(self) -> torch.Tensor:
        """Return the codes of all weights transposed, side by side, as the forward pass had them."""
        if self._scale is not None:
            return turned_stack(self._weights(), self._scale)
        return transposed([one.base.codes for one in self.projections])

    def _input_gradient(self, outputs: Sequence[torch.Tensor], rounded: Quantised | None) -> torch.Tensor:
        if self.in_fp8:
            rounded = rounded or quantise(outputs, self.scales())
            return product(rounded, self._transposed(), None, outputs[0].dtype)
        dx: torch.Tensor | None = None
        for projection, output in zip(self.projections, outputs, strict=True):
            dx = input_gradient(output, projection.weight(output.dtype), dx)
        assert dx is not None
        return dx

    def _adapter_gradients(
        self,
        x: torch.Tensor | None,
        dx: torch.Tensor | None,
        inner: torch.Tensor,
        outputs: Sequence[torch.Tensor],
        found: dict[int, torch.Tensor],
    ) -> None:
        bank = self.bank
        du = torch.empty_like(inner)
        for place, number in enumerate(self.adapted):
            scaling = bank.adapters[place].scaling
            scaled_gradient_(du[place], outputs[number], bank.ups[place], scaling)
        if dx is not None:
            lora.add_input_gradient_(dx, du, bank.downs, self.dropout)
        if x is None:
            return
        down_gradients = lora.gradients_down(x, du, self.dropout)
        for place, number in enumerate(self.adapted):
            adapter = self.bank.adapters[place]
            rank = adapter.down.shape[0]
            found[id(adapter.down)] = down_gradients[place, :rank].to(adapter.down.dtype)
            up = narrow_gradient(outputs[number], inner[place])
            found[id(adapter.up)] = up[:, :rank].to(adapter.up.dtype) * adapter.scaling

    def _weight_gradients(
        self,
        x: torch.Tensor | None,
        turned_x: torch.Tensor | None,
        scale_x: torch.Tensor | None,
        outputs: Sequence[torch.Tensor],
        found: dict[int, torch.Tensor],
    ) -> None:
        known = None
        if turned_x is not None and scale_x is not None:
            dy = side_by_side(outputs)
            whole = weight_gradient(columns(dy, scale_x), turned_x, dy.dtype)
            known = torch.split(whole, [one.base.out_features for one in self.projections])
        for number, (projection, output) in enumerate(zip(self.projections, outputs, strict=True)):
            base, bias = projection.base, projection.base.bias
            if not isinstance(base, Fp8Linear) and base.weight.requires_grad:
                if known is not None:
                    found[id(base.weight)] = known[number]
                elif x is not None:
                    found[id(base.weight)] = output.t() @ x
            if bias is not None and bias.requires_grad:
                found[id(bias)] = output.sum(dim=0).to(bias.dtype)


def side_by_side(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return matrices of one number of rows side by side; no copy where they are so in memory already."""
    first, width = parts[0], sum(part.shape[1] for part in parts)
    if len(parts) == 1:
        return first
    place = first.storage_offset()
    for part in parts:
        apart = part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr()
        if apart or part.storage_offset() != place or part.stride() != (width, 1):
            return torch.cat(list(parts), dim=1)
        place += part.shape[1]
    return first.as_strided((first.shape[0], width), (width, 1))


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, group: Group, *_parameters: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rounded = quantise([x]) if group.in_fp8 else None
        outputs, inner = group.project(x, rounded)
        ctx.group = group
        codes, scale = rounded if rounded is not None and group.learns_in_fp8 else (None, None)
        ctx.save_for_backward(x if group.needs_input else None, inner, codes, scale)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[Any, ...]:
        x, inner, codes, scale = ctx.saved_tensors
        dx, found = ctx.group.gradients(
            x, inner, outputs, needs_input_gradient=ctx.needs_input_grad[0],
            turned_x=None if codes is None else turned(codes), scale_x=scale,
        )  # fmt: skip
        return (dx, None, *found)

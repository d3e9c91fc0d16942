"""The work of a micro-batch, by kind: seconds that the rates of a device give for it, before anything is fitted.

Coefficients of each kind, fitted on trainings that are not those of the proof, turn them into a forecast
(`fitted.py`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from showdown.core.memory import MemorySettings
from showdown.engine.decoder.cudnn_attention import worth_building
from showdown.forecast.layers import LinearKind, linear_kinds
from showdown.forecast.needs import NetworkArm
from showdown.forecast.rates import BYTES, FP8_SPEED, NF4_BYTES, Rates
from showdown.forecast.trace import Trace, traced

Kinds = defaultdict[str, float]
"""Seconds by kind of work."""
_BACKWARD_ATTENTION = 2.5
"""Products of attention's backward pass over those of its forward pass: five instead of two."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A micro-batch: tokens of each row, and how many of them are read."""

    rows: Sequence[tuple[int, int]]

    @property
    def tokens(self) -> int:
        """All of them, without padding."""
        return sum(tokens for tokens, _ in self.rows)

    @property
    def read(self) -> int:
        """Tokens that the last layer computes."""
        return sum(read for _, read in self.rows)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(tokens for tokens, _ in self.rows)

    @property
    def squares(self) -> float:
        """Sum of the squared lengths, which attention grows with."""
        return float(sum(tokens * tokens for tokens, _ in self.rows))


class NetworkWork:
    """The work of one arm's network on one device."""

    def __init__(self, arm: NetworkArm, settings: MemorySettings, rates: Rates) -> None:
        self.arm, self.settings, self.rates = arm, settings, rates
        self.dtype = arm.job.placement.dtype
        self.width = BYTES[self.dtype]
        self.on_gpu = arm.job.placement.device == "cuda"
        self.shape, self.demand = arm.needs.shape, arm.needs.demand
        self.analytic = arm.decoder and self.on_gpu
        """Whether it is counted by its shapes alone, as the engine's kernels on a GPU are."""
        self._works: dict[tuple[int, int, bool], Kinds] = {}

    @property
    def calls_layers(self) -> bool:
        """Whether the engine calls layers of PEFT's instead of computing them."""
        return any(kind.opaque for kind in self.linears)

    @cached_property
    def linears(self) -> dict[LinearKind, int]:
        """How many layers of each kind the whole stack has."""
        return {kind: len(layers) for kind, layers in self._layers.items()}

    @cached_property
    def _layers(self) -> dict[LinearKind, list[torch.nn.Module]]:
        return linear_kinds(self.arm.module, self.arm.linear_names)

    def of_pack(self, pack: Pack, *, trains: bool) -> Kinds:
        """Return the work of a micro-batch: forward and backward pass, or the forward pass alone."""
        found = self._decoder(pack, trains=trains) if self.analytic else self._module(pack, trains=trains)
        if self.demand.four_bit:
            passes = (2 + self.settings.recompute) if trains else 1
            weights = sum(kind.inputs * kind.outputs * count for kind, count in self.linears.items())
            found["dequantise"] += self.rates.seconds("dequantise_gbps", passes * weights * (NF4_BYTES + self.width))
            layers = passes * sum(self.linears.values())
            found["dequantise launches"] += layers * self.rates.seconds("launch_us", 1)
        return found

    def _decoder(self, pack: Pack, *, trains: bool) -> Kinds:
        """Count a decoder that the engine computes itself, layer by layer."""
        found: Kinds = defaultdict(float)
        shape, rates = self.shape, self.rates
        again = 1 + (self.settings.recompute and trains)
        layers = shape.layers - 1 + pack.read / pack.tokens
        for linear, count in self.linears.items():
            share = layers / shape.layers if linear.role not in ("key", "value") else 1.0
            self._linear(found, linear, count * share, pack.tokens, again=again, trains=trains)
        operations = 2.0 * pack.squares * shape.queries * layers
        length = pack.squares / pack.tokens
        kind = "cudnn attention" if trains and self._has_cudnn else "attention"
        found[kind] += again * rates.attention_seconds(operations, length, backward=False)
        forward = 8 * shape.hidden + 2 * (shape.queries + shape.keys) + 3 * shape.inner
        moved = again * forward
        if trains:
            backward = _BACKWARD_ATTENTION * operations
            found[kind] += rates.attention_seconds(backward, length, backward=True)
            moved += 9 * shape.hidden + 2 * (shape.queries + shape.keys) + 8 * shape.inner
        norms = self._more_norms
        moved += sum((2 * again + 3 * trains) * width for width in norms)
        found["elementwise"] += rates.moving_seconds(self.width * moved * pack.tokens * layers)
        found["layers"] += (1 + trains) * shape.layers * rates.seconds("launch_us", 1)
        if norms:
            found["norm launches"] += (again + trains) * shape.layers * len(norms) * rates.seconds("launch_us", 1)
        if again > 1:
            found["recomputed layers"] += shape.layers * rates.seconds("launch_us", 1)
        adapted = sum(count for kind, count in self.linears.items() if kind.rank) * (again + trains)
        found["adapter launches"] += adapted * rates.seconds("launch_us", 1)
        found["kernels"] += ((again + 2 * trains) * (14 + len(norms)) * shape.layers + 2 * adapted) * rates.seconds(
            "kernel_us", 1
        )
        self._head(found, pack, trains=trains)
        return found

    @cached_property
    def _more_norms(self) -> list[int]:
        """Numbers of a token that each norm of a layer takes, but for the two that all decoders have."""
        shape, usual = self.shape, ("input_layernorm", "post_attention_layernorm")
        own = {"q_norm": shape.queries, "k_norm": shape.keys}
        names = [name.rpartition(".")[2] for name, _ in self.arm.module.named_modules() if ".layers.0." in f".{name}"]
        return [own.get(name, shape.hidden) for name in names if name.endswith("norm") and name not in usual]

    @property
    def _has_cudnn(self) -> bool:
        return self.on_gpu and not self.settings.recompute and worth_building(self.shape)

    def _linear(self, found: Kinds, kind: LinearKind, count: float, tokens: int, *, again: int, trains: bool) -> None:
        rates, through = self.rates, again + trains
        one = rates.product_seconds(self.dtype, tokens=tokens, inputs=kind.inputs, outputs=kind.outputs)
        in_fp8 = self.demand.fp8 and self.on_gpu
        found["fp8 products" if in_fp8 else "products"] += count * through * one / (FP8_SPEED if in_fp8 else 1.0)
        if trains and kind.learns:
            found["weight gradients"] += count * one
        if kind.rank and not kind.opaque:
            moved = self.width * tokens * (3 * kind.inputs + 3 * kind.outputs * again)
            moved += self.width * tokens * (3 * kind.inputs + 2 * kind.outputs) if trains else 0
            found["adapters"] += count * rates.moving_seconds(moved)
        if kind.opaque:
            self._opaque(found, kind, count, tokens, again=again, trains=trains)

    def _opaque(self, found: Kinds, kind: LinearKind, count: float, tokens: int, *, again: int, trains: bool) -> None:
        """Add what a layer of PEFT's does beside the product of its base, by a trace of one of them."""
        trace = self._trace_layer(kind, tokens, trains=trains)
        rates, base = self.rates, 1 + trains
        for (batch, m, k, n), times in trace.products.items():
            inputs, outputs = _other_widths((m, k, n), tokens)
            own = base if {inputs, outputs} == {kind.inputs, kind.outputs} else 0  # counted with the base already
            base -= min(own, times)
            seconds = rates.product_seconds(self.dtype, tokens=tokens, inputs=inputs, outputs=outputs)
            found["adapters"] += count * batch * max(0, times - own) * seconds
        found["opaque"] += count * rates.moving_seconds(trace.moved_bytes) * (1 + 0.4 * (again - 1))
        found["opaque launches"] += count * trace.kernels * rates.seconds("launch_us", 1)
        found["kernels"] += count * trace.kernels * rates.seconds("kernel_us", 1)

    def _trace_layer(self, kind: LinearKind, tokens: int, *, trains: bool) -> Trace:
        layer = self._layers[kind][0].train(trains)
        kept = torch.bfloat16 if self.dtype == "bfloat16" else torch.float32
        x = torch.empty(tokens, kind.inputs, dtype=kept, device="meta", requires_grad=trains)
        return traced(layer, lambda: layer(x), forward_only=not trains)

    def _head(self, found: Kinds, pack: Pack, *, trains: bool) -> None:
        """Add the output layer of a language model with its loss."""
        output = self.demand.output
        if output is None:
            return
        one = self.rates.product_seconds(
            self.dtype, tokens=pack.read, inputs=self.shape.hidden, outputs=output.vocabulary
        )
        found["products"] += one * (1 + trains + (trains and output.learns))
        found["head"] += self.rates.moving_seconds(pack.read * output.vocabulary * (30.0 if trains else 10.0))

    def _module(self, pack: Pack, *, trains: bool) -> Kinds:
        """Count a network by traces of it; where they must be of the whole network, between lengths on a grid."""
        rows, passes = len(pack.rows), self.arm.passes
        length = pack.longest if self.demand.padded else pack.tokens / rows
        found: Kinds = defaultdict(float)
        if passes.has_forms(rows, trains=trains):
            found |= self._traced_work(rows, round(length), trains=trains)
        else:
            low, high = neighbours(length, passes.positions)
            share = (length - low) / (high - low) if high > low else 0.0
            below = self._traced_work(rows, low, trains=trains)
            above = self._traced_work(rows, high, trains=trains) if share else below
            for kind in below.keys() | above.keys():
                found[kind] = (1 - share) * below[kind] + share * above[kind]
        self._head(found, pack, trains=trains)
        return found

    def _traced_work(self, rows: int, length: int, *, trains: bool) -> Kinds:
        key = (rows, length, trains)
        if key not in self._works:
            self._works[key] = self._work_of_traces(rows, length, trains=trains)
        return self._works[key]

    def _work_of_traces(self, rows: int, length: int, *, trains: bool) -> Kinds:
        found: Kinds = defaultdict(float)
        trace = self.arm.passes.at(rows, length, trains=trains)
        traces = [trace]
        if trains and self.settings.recompute:
            traces.append(self.arm.passes.at(rows, length, trains=False))
        for one in traces:
            for (batch, m, k, n), times in one.products.items():
                inputs, outputs = _other_widths((m, k, n), rows * length)
                seconds = self.rates.product_seconds(
                    self.dtype, tokens=rows * length if batch == 1 else m, inputs=inputs, outputs=outputs
                )
                found["products" if batch == 1 else "batched products"] += batch * times * seconds
            found["elementwise"] += self.rates.moving_seconds(one.moved_bytes)
            found["layers"] += one.kernels * self.rates.seconds("launch_us", 1)
            found["kernels"] += one.kernels * self.rates.seconds("kernel_us", 1)
            for (batch, queries, keys, width, causal), times in one.attentions.items():
                operations = 4.0 * batch * queries * keys * width * times * (0.5 if causal else 1.0)
                found["attention"] += self.rates.attention_seconds(operations, length, backward=False)
                if trains and one is trace:
                    backward = _BACKWARD_ATTENTION * operations
                    found["attention"] += self.rates.attention_seconds(backward, length, backward=True)
        if trains and self.settings.recompute:
            found["recomputed layers"] += self.shape.layers * self.rates.seconds("launch_us", 1)
        return found


def neighbours(length: float, most: int) -> tuple[int, int]:
    """Return the lengths that are traced around this one: on a grid that grows by a quarter, and at most so many."""
    low = 4
    while True:
        high = max(low + 4, round(low * 1.25))
        if length < high or high >= most:
            return min(low, most), min(high, most)
        low = high


def _other_widths(shape: tuple[int, int, int], tokens: int) -> tuple[int, int]:
    """Return the two dimensions of a product that are not its tokens."""
    left = list(shape)
    if tokens in left:
        left.remove(tokens)
        return left[0], left[1]
    return left[1], left[2]

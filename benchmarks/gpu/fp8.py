"""Products and kernels in fp8 beside bfloat16, on the layers of a 7B: seconds, and how far results are from exact ones.

    python -m benchmarks.gpu.fp8 --out benchmarks/results

The seven projections of a layer, forward and the gradient of the input, for 5,888 tokens, held for seconds as a
training holds them: of six layers in turn, so that no cache keeps a weight. Then the kernels one by one.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import kernel_microseconds
from benchmarks.lib.workload import random_bf16
from showdown.fp8 import kernels
from showdown.fp8.numbers import quantise, transposed

TOKENS, LAYERS = 5888, 6
GROUPS = {"qkv": [(4096, 4096), (1024, 4096), (1024, 4096)], "o": [(4096, 4096)],
          "gate, up": [(14336, 4096)] * 2, "down": [(4096, 14336)]}  # fmt: skip
"""Output and input width of the layers that share an input."""
FLOPS = 4 * TOKENS * sum(outputs * inputs for group in GROUPS.values() for outputs, inputs in group)
"""Of a layer, forward and gradient of the input."""


def held(run: Callable[[], object], seconds: float = 2.0) -> float:
    """Return the seconds of a call, repeated for a while."""
    run()
    torch.cuda.synchronize()
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(4):
            run()
        torch.cuda.synchronize()
        calls += 4
    return (time.perf_counter() - began) / calls


class Layers:
    """The weights of some layers, plain, in e4m3 and transposed."""

    def __init__(self) -> None:
        self.plain = [
            {name: [random_bf16(*shape).mul_(0.02) for shape in group] for name, group in GROUPS.items()}
            for _ in range(LAYERS)
        ]
        self.held = [
            {name: [quantise([one]) for one in group] for name, group in layer.items()} for layer in self.plain
        ]
        self.copies = [
            {name: transposed([one.codes for one in group]) for name, group in layer.items()} for layer in self.held
        ]
        self.x = {width: random_bf16(TOKENS, width) for width in (1024, 4096, 14336)}

    def bf16(self) -> None:
        """Multiply as the engine does in bfloat16."""
        for layer in self.plain:
            for group in layer.values():
                x, dx = self.x[group[0].shape[1]], None
                for weight in group:
                    torch.nn.functional.linear(x, weight)
                    dy = self.x[weight.shape[0]]
                    dx = dy @ weight if dx is None else dx.addmm_(dy, weight)

    def fp8(self, *, fast: bool, copies: bool) -> None:
        """Multiply as the engine does in fp8.

        Args:
            fast: sum with the matrix units' fewer bits.
            copies: transposed weights are kept; otherwise they are transposed each time.

        """
        for layer, others in zip(self.held, self.copies, strict=True):
            for name, group in layer.items():
                x = quantise([self.x[group[0].codes.shape[1]]])
                for weight in group:
                    _multiply(x, weight.codes, weight.scale, fast=fast)
                dys = quantise([self.x[one.codes.shape[0]] for one in group], [one.scale.view(-1) for one in group])
                back = others[name] if copies else transposed([one.codes for one in group])
                _multiply(dys, back, torch.ones(back.shape[0], 1, device="cuda"), fast=fast)


def _multiply(x: Any, codes: torch.Tensor, scale: torch.Tensor, *, fast: bool) -> torch.Tensor:
    return torch._scaled_mm(
        x.codes, codes.t(), scale_a=x.scale, scale_b=scale.view(1, -1), out_dtype=torch.bfloat16, use_fast_accum=fast
    )


def layer_times() -> Iterator[dict[str, Any]]:
    """Time a layer in each way."""
    layers = Layers()
    ways: dict[str, Callable[[], None]] = {
        "bf16": layers.bf16,
        "fp8": lambda: layers.fp8(fast=True, copies=True),
        "fp8, exact accumulation": lambda: layers.fp8(fast=False, copies=True),
        "fp8, transposed each time": lambda: layers.fp8(fast=True, copies=False),
    }
    for name, run in ways.items():
        seconds = held(run) / LAYERS
        yield {"products": name, "ms_a_layer": 1e3 * seconds, "tflops": FLOPS / seconds / 1e12}


def errors() -> Iterator[dict[str, Any]]:
    """Compare a product with that of the numbers before rounding, and of the rounded numbers summed exactly."""
    for outputs, inputs in ((4096, 4096), (4096, 14336), (4096, 28672)):
        plain_x, plain_weight = random_bf16(1024, inputs), random_bf16(outputs, inputs).mul_(0.02)
        x, weight = quantise([plain_x]), quantise([plain_weight])
        before = plain_x.double() @ plain_weight.double().t()
        rounded = (x.codes.double() * x.scale) @ (weight.codes.double() * weight.scale).t()
        line: dict[str, Any] = {"inputs": inputs, "rounding": _apart(rounded, before)}
        line["bf16"] = _apart(plain_x @ plain_weight.t(), before)
        for name, fast in (("fast", True), ("exact", False)):
            line[f"{name}_sums"] = _apart(_multiply(x, weight.codes, weight.scale, fast=fast), rounded)
        yield line


def _apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


def single() -> Iterator[tuple[str, Callable[[], Any], float]]:
    """Return the kernels and the bytes that they must move."""
    narrow, wide, other, dproduct = random_bf16(TOKENS, 4096), *(random_bf16(TOKENS, 14336) for _ in range(3))
    key = random_bf16(TOKENS, 1024)
    factor = {width: torch.rand(width, device="cuda") for width in (1024, 4096, 14336)}
    parts, factors = [narrow, key, key], [factor[4096], factor[1024], factor[1024]]
    units, gradient_factors = TOKENS * 14336, [factor[14336]] * 2
    codes = quantise([random_bf16(14336, 4096)]).codes
    yield "round a token, 4,096", lambda: kernels.quantise([narrow], None), 3 * narrow.numel()
    yield "round a token, 14,336", lambda: kernels.quantise([wide], None), 3 * units
    yield "round a token, 6,144 in three parts", lambda: kernels.quantise(parts, factors), 3 * TOKENS * 6144
    yield "transpose 14,336 x 4,096 twice", lambda: kernels.transposed([codes, codes]), 4 * codes.numel()
    yield "gated units", lambda: kernels.gated(wide, other, silu=True, plain=False), 5 * units
    yield "gated units, product kept", lambda: kernels.gated(wide, other, silu=True, plain=True), 7 * units
    yield (
        "gradients of gated units",
        lambda: kernels.gated_gradients(wide, other, dproduct, gradient_factors, silu=True, plain=False),
        8 * units,
    )
    yield (
        "gradients of gated units, kept",
        lambda: kernels.gated_gradients(wide, other, dproduct, gradient_factors, silu=True, plain=True),
        12 * units,
    )


def main() -> None:
    """Measure and write what was found."""
    options = argument_parser(__file__, __doc__).parse_args()
    found: dict[str, list[Any]] = {"layers": [], "errors": [], "kernels": []}
    for line in layer_times():
        found["layers"].append(line)
        print(line, flush=True)
    torch.cuda.empty_cache()
    for line in errors():
        found["errors"].append(line)
        print(line, flush=True)
    for name, run, moved_bytes in single():
        taken = kernel_microseconds(run)
        found["kernels"].append({"kernel": name, "us": taken, "gb_per_second": moved_bytes / taken / 1e3})
        print(f"{name:36} {taken:8.1f} us {moved_bytes / taken / 1e3:6.0f} GB/s", flush=True)
    write_result(options, found, device="cuda")


if __name__ == "__main__":
    main()

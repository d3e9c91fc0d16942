"""Products and attention of a small encoder on a CPU: PyTorch's default beside what the engine takes.

    python -m benchmarks.cpu.products --out benchmarks/results

256 tokens, the widths of the default model, 20 weights in turn so that none stays in the cache. Processor milliseconds,
the lowest of four rounds. `ratio` is PyTorch's default over the engine's.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from benchmarks.lib.result import argument_parser, write_result
from showdown.engine import products
from showdown.engine.encoder.cpu import attention_within, runs_of

TOKENS, WEIGHTS, RANK, HEADS, WIDTH = 256, 20, 8, 12, 384
ROUNDS, CALLS = 4, 20
Call = Callable[[int], object]


def _milliseconds(call: Call) -> float:
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(CALLS):
            call(number % WEIGHTS)
        found.append((time.process_time() - began) / CALLS * 1e3)
    return min(found)


def _pair(default: Call, engine: Call) -> dict[str, float]:
    ours, theirs = _milliseconds(engine), _milliseconds(default)
    return {"default_ms": theirs, "engine_ms": ours, "ratio": theirs / ours}


def _of_widths(inputs: int, outputs: int, dtype: torch.dtype) -> dict[str, dict[str, float]]:
    x, dy = torch.randn(TOKENS, inputs, dtype=dtype), torch.randn(TOKENS, outputs, dtype=dtype)
    weights = [torch.randn(outputs, inputs, dtype=dtype) for _ in range(WEIGHTS)]
    up, u = torch.randn(outputs, RANK, dtype=dtype), torch.randn(TOKENS, RANK, dtype=dtype)
    return {
        "output": _pair(lambda n: functional.linear(x, weights[n]), lambda n: products.linear(x, weights[n])),
        "input gradient": _pair(lambda n: dy @ weights[n], lambda n: products.input_gradient(dy, weights[n])),
        "adapter, inner gradient": _pair(lambda _: dy @ up, lambda _: products.input_gradient(dy, up)),
        "adapter, gradient of B": _pair(lambda _: dy.t() @ u, lambda _: products.narrow_gradient(dy, u)),
    }


def _of_attention(length: int, dtype: torch.dtype) -> dict[str, float]:
    """Return what four sequences of a length take, forward and backward."""
    runs = runs_of([length] * 4, first_tokens=False)
    parts = [torch.randn(4 * length, WIDTH, dtype=dtype, requires_grad=True) for _ in range(3)]

    def engine(_: int) -> object:
        query, key, value = parts
        found = attention_within(query, key, value, runs, heads=HEADS, probability=0.0)
        return torch.autograd.grad(found.sum(), parts)

    def default(_: int) -> object:
        query, key, value = (part.view(4, length, HEADS, -1).transpose(1, 2) for part in parts)
        return torch.autograd.grad(functional.scaled_dot_product_attention(query, key, value).sum(), parts)

    return _pair(default, engine)


def main() -> None:
    """Measure and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    result: dict[str, Any] = {}
    for dtype in (torch.float32, torch.bfloat16):
        kind = str(dtype).removeprefix("torch.")
        for inputs, outputs in ((384, 384), (384, 1536), (1536, 384)):
            result[f"{kind}, {inputs} to {outputs}"] = _of_widths(inputs, outputs, dtype)
        result[f"{kind}, attention"] = {f"{length} tokens": _of_attention(length, dtype) for length in (64, 256)}
    print(json.dumps(result, indent=1))
    write_result(options, result)


if __name__ == "__main__":
    main()

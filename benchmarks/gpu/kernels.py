"""The engine's kernels one by one on a GPU: microseconds, and GB a second of what they must move.

    python -m benchmarks.gpu.kernels --out benchmarks/results

Sizes are a 7B's: a matrix of 14,336 x 4,096, and 5,824 tokens of width 4,096. Medians of `triton.testing.do_bench`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import kernel_microseconds
from benchmarks.lib.workload import random_bf16
from showdown.engine.decoder import norms
from showdown.engine.decoder.projection import _scales
from showdown.engine.dropout import draw_seeds, dropout_for, hash_seeds
from showdown.engine.optim.bf16 import AdamwStep, Weight, update_

ROWS, COLUMNS = 14336, 4096
WEIGHTS = ROWS * COLUMNS
TOKENS, RANK = 5824, 16
Case = tuple[str, Callable[[], Any], float]


def optimiser() -> Iterator[Case]:
    """AdamW, which moves 14 bytes a weight, and the norm of all gradients, which reads 2."""
    value, gradient, first, second = (random_bf16(WEIGHTS) for _ in range(4))
    weight = Weight(value=value, gradient=gradient, first=first, second=second.abs(), low=None)
    step, one = AdamwStep(learning_rate=1e-5, weight_decay=0.01, number=3), torch.ones((), device="cuda")
    seed = hash_seeds(9, 4)
    yield "AdamW, to nearest", lambda: update_(weight, step, one, None), 14 * WEIGHTS
    yield "AdamW, stochastic", lambda: update_(weight, step, one, seed), 14 * WEIGHTS
    many = [random_bf16(WEIGHTS) for _ in range(12)]
    every, each = torch._foreach_norm, torch.linalg.vector_norm
    yield "norm of 12, foreach", lambda: every(many, 2.0, dtype=torch.float32), 24 * WEIGHTS
    yield "norm of 12, one by one", lambda: [each(one, dtype=torch.float32) for one in many], 24 * WEIGHTS


def four_bit() -> Iterator[Case]:
    """A dense weight from NF4: half a byte read and two bytes written a weight."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    from showdown.engine.kernels.nf4 import Dense

    packed, state = quantize_4bit(random_bf16(ROWS, COLUMNS), quant_type="nf4", compress_statistics=True)
    yield "NF4 to dense", Dense(packed, state, None), 2.5 * WEIGHTS
    yield "NF4 to dense, scales kept", Dense(packed, state, _scales(state)), 2.5 * WEIGHTS
    yield "NF4 to dense, bitsandbytes", lambda: dequantize_4bit(packed, state), 2.5 * WEIGHTS


def norm() -> Iterator[Case]:
    """A sum and its RMS norm: two tensors read and two written forward, three read and one written backward."""
    from transformers.models.mistral.modeling_mistral import MistralRMSNorm

    moved = 8 * TOKENS * COLUMNS
    for learns in (False, True):
        module = MistralRMSNorm(COLUMNS).to("cuda", torch.bfloat16).requires_grad_(learns)
        residual, delta = (random_bf16(TOKENS, COLUMNS).requires_grad_() for _ in range(2))
        outputs, gradients = norms.add_rms_norm(residual, delta, module), (random_bf16(TOKENS, COLUMNS),) * 2
        wanted: list[Any] = [residual, *([module.weight] if learns else [])]
        suffix = ", weight learns" if learns else ""
        yield f"sum and norm{suffix}", _forward(residual, delta, module), moved
        yield f"sum and norm, backward{suffix}", _backward(outputs, wanted, gradients), moved


def _forward(residual: torch.Tensor, delta: torch.Tensor, module: nn.Module) -> Callable[[], Any]:
    return lambda: norms.add_rms_norm(residual, delta, module)


def _backward(outputs: Any, wanted: Any, gradients: Any) -> Callable[[], Any]:
    return lambda: torch.autograd.grad(outputs, wanted, gradients, retain_graph=True)


def adapters() -> Iterator[Case]:
    """Two adapters after dropout: each kernel reads, or reads and writes, one tensor of all tokens."""
    from showdown.engine.kernels import lora as lora_kernels

    x, a, up = random_bf16(TOKENS, COLUMNS), random_bf16(2, RANK, COLUMNS), random_bf16(COLUMNS, RANK)
    inner, moved, drop = random_bf16(2, TOKENS, RANK), 2 * TOKENS * COLUMNS, dropout_for(0.1, draw_seeds(1)[0].cuda())
    masks = {"threshold": drop.threshold, "seeds": drop.seeds, "scale": drop.scale}
    yield "adapters, down", lambda: lora_kernels.down(x, a, **masks), moved
    few, many = random_bf16(512, COLUMNS), random_bf16(16384, COLUMNS)
    yield "adapters, down, 512 tokens", lambda: lora_kernels.down(few, a, **masks), 2 * few.numel()
    yield "adapters, down, 16,384 tokens", lambda: lora_kernels.down(many, a, **masks), 2 * many.numel()
    yield "adapters, gradient of A", lambda: lora_kernels.down_gradient(x, inner, **masks), moved
    yield "adapters, gradient of the input", lambda: lora_kernels.input_gradient_(x, inner, a, **masks), 2 * moved
    yield "adapters, up", lambda: lora_kernels.add_up_(x, inner[0], up, 0.1), 2 * moved
    yield "adapters, up, torch's addmm", lambda: x.addmm_(inner[0], up.t(), alpha=0.1), 2 * moved


def main() -> None:
    """Measure every kernel and write what was found."""
    options = argument_parser(__file__, __doc__).parse_args()
    found = []
    for group in (optimiser, four_bit, norm, adapters):
        for name, run, moved_bytes in group():
            taken = kernel_microseconds(run)
            found.append({"kernel": name, "us": taken, "gb_per_second": moved_bytes / taken / 1e3})
            print(f"{name:36} {taken:8.1f} us {moved_bytes / taken / 1e3:6.0f} GB/s", flush=True)
        torch.cuda.empty_cache()
    write_result(options, {"kernels": found}, device="cuda")


if __name__ == "__main__":
    main()

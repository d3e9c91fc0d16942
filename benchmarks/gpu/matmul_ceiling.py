"""The most bfloat16 matrix products that this GPU computes a second: in a short burst, and held for three seconds.

    python -m benchmarks.gpu.matmul_ceiling --out benchmarks/results

Training holds the load as the second figure does. It is the lower one, because a GPU at its power limit lowers its
clock.
"""

import time

import torch

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.workload import random_bf16

BURST_SECONDS, HELD_SECONDS = 0.1, 3.0


def flops_per_second(tokens: int, seconds: float) -> float:
    """Return the rate of (tokens x 4096) x (4096 x 14336) on random data, repeated for this long."""
    x, weight = random_bf16(tokens, 4096), random_bf16(14336, 4096)
    torch.nn.functional.linear(x, weight)
    torch.cuda.synchronize()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(20):
            torch.nn.functional.linear(x, weight)
        torch.cuda.synchronize()
        count += 20
    return count * 2 * tokens * 4096 * 14336 / (time.perf_counter() - began)


def main() -> None:
    """Measure, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    found = []
    for tokens in (2944, 5888):
        burst, held = (flops_per_second(tokens, seconds) / 1e12 for seconds in (BURST_SECONDS, HELD_SECONDS))
        found.append({"tokens": tokens, "burst_tflops_per_second": burst, "held_tflops_per_second": held})
        print(f"{tokens} tokens: {burst:.0f} TFLOP/s in a burst, {held:.0f} held for {HELD_SECONDS:g} s", flush=True)
    write_result(options, {"products": found}, device="cuda")


if __name__ == "__main__":
    main()

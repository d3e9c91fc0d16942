"""The ceiling of bf16 matrix products on this GPU: in a short burst, and held for seconds as training holds it.

Run `python benchmarks/gpu_ceiling.py`. A GPU at its power limit lowers its clock, so the second number is the lower.
"""

import time

import torch


def rate(tokens: int, seconds: float) -> float:
    """FLOP a second of (tokens x 4096) x (4096 x 14336) on random data, repeated for this long."""
    x = torch.randn(tokens, 4096, device="cuda").bfloat16()
    weight = torch.randn(14336, 4096, device="cuda").bfloat16()
    torch.nn.functional.linear(x, weight)
    torch.cuda.synchronize()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(20):
            torch.nn.functional.linear(x, weight)
        torch.cuda.synchronize()
        count += 20
    return count * 2 * tokens * 4096 * 14336 / (time.perf_counter() - began)


if __name__ == "__main__":
    for rows in (2944, 5888):
        print(
            f"{rows} tokens: {rate(rows, 0.1) / 1e12:.0f} TFLOP/s in a burst, {rate(rows, 3.0) / 1e12:.0f} held for 3 s"
        )

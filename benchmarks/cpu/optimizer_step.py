"""Seconds of an AdamW step on bfloat16 weights on a CPU: by rounding, in blocks that fit its caches and as a whole.

    python -m benchmarks.cpu.optimizer_step --out benchmarks/results

The weights are those of a vocabulary of 49,152 and a width of 576. The ways are taken in turns, and the median of the
processor's time (all threads) is given.
"""

import statistics
import time

import torch

from benchmarks.lib.result import argument_parser, write_result
from showdown.engine.optim import bf16

SHAPE = (49_152, 576)
ROUNDINGS = ("nearest", "stochastic", "float32")
REPEATS = 5


def seconds(rounding: str, block: int) -> float:
    """Return the processor's time of one step."""
    torch.manual_seed(0)
    master = rounding == "float32"
    kept = torch.float32 if master else torch.bfloat16
    weight = bf16.Weight(
        value=torch.randn(SHAPE).bfloat16(),
        gradient=torch.randn(SHAPE).bfloat16(),
        first=torch.zeros(SHAPE, dtype=kept),
        second=torch.zeros(SHAPE, dtype=kept),
        low=torch.zeros(SHAPE, dtype=torch.int16) if master else None,
    )
    step = bf16.AdamwStep(learning_rate=1e-4, weight_decay=0.01, number=1)
    bf16._BLOCK = block
    start = time.process_time()
    bf16.update_(weight, step, torch.ones(()), (1, 2) if rounding == "stochastic" else None)
    return time.process_time() - start


def main() -> None:
    """Measure, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    blocks = {"in blocks": bf16._BLOCK, "whole": SHAPE[0] * SHAPE[1]}
    ways = [(rounding, name) for rounding in ROUNDINGS for name in blocks]
    taken: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for rounding, name in ways:
            taken[rounding, name].append(seconds(rounding, blocks[name]))
    results = {
        rounding: {name: round(statistics.median(taken[rounding, name]), 3) for name in blocks}
        for rounding in ROUNDINGS
    }
    for rounding, found in results.items():
        print(rounding, found, f"{found['whole'] / found['in blocks']:.1f} times")
    write_result(options, {"processor_seconds": results})


if __name__ == "__main__":
    main()

"""Where the time of one training step goes: the kernels by their share, for each method in its fastest memory mode.

    python -m benchmarks.gpu.step_profile lora qlora full --out benchmarks/results

A number in place of a method is that of tokens in a pack of rows of 512, trained by LoRA with activation checkpointing,
as `step_growth` does: `python -m benchmarks.gpu.step_profile 16384 512`.
"""

import argparse
import time
from typing import Any

import torch

from benchmarks.lib.engine import Training
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory, synchronize
from benchmarks.lib.workload import (
    FLOPS_PER_SECOND,
    Rows,
    arithmetic,
    random_rows,
    steps_of,
    training_rows,
    vocabulary_of,
)

MICRO_ROWS = {"lora": 16, "qlora": 16, "lora-fp8": 16, "full": 8, "full-fp8": 8}
MOST_KERNELS = 32


def profiled(case: str, options: argparse.Namespace) -> dict[str, Any]:
    """Time six steps, then profile one."""
    vocabulary = vocabulary_of(tiny=options.tiny)
    method = case if case in MICRO_ROWS else "lora"
    if case in MICRO_ROWS:
        rows = training_rows(vocabulary)
        batches, settings = steps_of(method, rows, every=4, at_most=8), {"micro_rows": MICRO_ROWS[method]}
    else:
        rows = random_rows([512] * (int(case) // 512), vocabulary)
        batches, settings = [list(range(len(rows.ids)))] * 8, {"micro_rows": len(rows.ids), "recompute": True}
    training = Training(method, rows, tiny=options.tiny, device=options.device, dropout=0.1, settings=settings)
    print(f"== {case}")
    found = {"case": case, **timed_steps(training, rows, batches), **profiled_step(training, batches[2])}
    del training
    free_memory(options.device)
    return found


def timed_steps(training: Training, rows: Rows, batches: list[list[int]]) -> dict[str, float]:
    """Return the seconds of a step, and those until its last kernel was launched; the first two steps warm up."""
    for batch in batches[:2]:
        training.step(batch)
    synchronize(training.device)
    began, steps = time.perf_counter(), len(batches) - 2
    for batch in batches[2:]:
        training.step(batch)
    queued = time.perf_counter() - began
    synchronize(training.device)
    seconds = time.perf_counter() - began
    tokens = sum(rows.lengths[row] for batch in batches[2:] for row in batch)
    share = arithmetic(training.method, tokens) / FLOPS_PER_SECOND / seconds
    print(f"   {seconds / steps:.4f} s a step, of which Python {queued / steps:.4f}; {share:.1%} of the limit")
    print(f"   {seconds / tokens * 1e6:.1f} us a token", flush=True)
    return {
        "step_seconds": seconds / steps,
        "python_seconds": queued / steps,
        "us_per_token": seconds / tokens * 1e6,
        "share_of_arithmetic_limit": share,
    }


def profiled_step(training: Training, batch: list[int]) -> dict[str, Any]:
    """Return the kernels of a step, the longest by name."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if training.device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        training.step(batch)
        synchronize(training.device)
    kernels = [
        event
        for event in profiler.key_averages()
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation
    ]
    total = sum(event.self_device_time_total for event in kernels)
    longest = sorted(kernels, key=lambda event: -event.self_device_time_total)[:MOST_KERNELS]
    for event in longest:
        share = event.self_device_time_total / max(total, 1)
        print(f"{share:6.1%} {event.self_device_time_total / 1e3:9.2f} ms {event.count:6d} {event.key[:110]}")
    launches = sum(event.count for event in kernels)
    print(f"{launches} kernels, {total / 1e3:.1f} ms in all", flush=True)
    return {
        "kernel_ms": total / 1e3,
        "launches": launches,
        "kernels": [
            {"kernel": event.key, "ms": event.self_device_time_total / 1e3, "launches": event.count}
            for event in longest
        ],
    }


def main() -> None:
    """Profile the cases, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("cases", nargs="+", metavar="CASE", help="full, lora, qlora, lora-fp8, or a number of tokens")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    write_result(options, {"steps": [profiled(case, options) for case in options.cases]}, device=options.device)


if __name__ == "__main__":
    main()

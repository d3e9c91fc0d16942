"""Where the time of one training step goes: kernels by their share, for each method in its fast mode.

Run `python benchmarks/gpu_probe.py lora qlora full` on a machine with a CUDA GPU. A number in place of a method is that
of tokens in a pack of rows of 512, LoRA with recomputed layers, as `gpu_sweep.py` has it: `gpu_probe.py 16384 512`.
"""

import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gpu_engine
import torch
from gpu_sweep import rows_of
from gpu_workload import FULL_SHAPE, TINY_SHAPE, Rows, arithmetic, steps_of, training_rows

MICRO_ROWS = {"lora": 16, "qlora": 16, "full": 8}


def probe(name: str, *, tiny: bool, device: str) -> None:
    """Time six steps, then profile one."""
    vocabulary = (TINY_SHAPE if tiny else FULL_SHAPE)["vocab_size"]
    method = name if name in MICRO_ROWS else "lora"
    if name in MICRO_ROWS:
        rows = training_rows(vocabulary)
        batches, settings = steps_of(method, rows, every=4, at_most=8), {"micro_rows": MICRO_ROWS[method]}
    else:
        rows = rows_of([512] * (int(name) // 512), vocabulary)
        batches, settings = [list(range(len(rows.ids)))] * 8, {"micro_rows": len(rows.ids), "recompute": True}
    training = gpu_engine.Training(method, rows, tiny=tiny, device=device, dropout=0.1, settings=settings)
    print(f"== {name}")
    _time(training, rows, batches, device)
    _profile(training, batches[2], device)


def _time(training: gpu_engine.Training, rows: Rows, batches: list[list[int]], device: str) -> None:
    for batch in batches[:2]:
        training.step(batch)
    synchronise(device)
    began = time.perf_counter()
    for batch in batches[2:]:
        training.step(batch)
    queued = time.perf_counter() - began
    synchronise(device)
    seconds = time.perf_counter() - began
    tokens = sum(rows.lengths[row] for batch in batches[2:] for row in batch)
    share = arithmetic(training.method, tokens) / 790e12 / seconds
    print(f"   {seconds / 6:.4f} s a step, of which Python {queued / 6:.4f}; {share:.1%} of the limit")
    print(f"   {seconds / tokens * 1e6:.1f} us a token", flush=True)


def _profile(training: gpu_engine.Training, batch: list[int], device: str) -> None:
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        training.step(batch)
        synchronise(device)
    kernels = [
        event
        for event in profiler.key_averages()
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation
    ]
    total = sum(event.self_device_time_total for event in kernels)
    for event in sorted(kernels, key=lambda event: -event.self_device_time_total)[:32]:
        share = event.self_device_time_total / max(total, 1)
        print(f"{share:6.1%} {event.self_device_time_total / 1e3:9.2f} ms {event.count:6d} {event.key[:110]}")
    count = sum(event.count for event in kernels)
    print(f"{count} kernels, {total / 1e3:.1f} ms in all", flush=True)


def synchronise(device: str) -> None:
    """Wait for the GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if name != "tiny":
            probe(name, tiny="tiny" in sys.argv, device="cuda" if torch.cuda.is_available() else "cpu")
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

"""Where the time of one training step goes: kernels by their share, for each method in its fast mode.

Run `python benchmarks/gpu_probe.py lora qlora full` on a machine with a CUDA GPU.
"""

import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gpu_engine
import torch
from gpu_workload import FULL_SHAPE, TINY_SHAPE, arithmetic, steps_of, training_rows

MICRO_ROWS = {"lora": 16, "qlora": 16, "full": 8}


def probe(method: str, *, tiny: bool, device: str) -> None:
    """Time six steps, then profile one."""
    rows = training_rows((TINY_SHAPE if tiny else FULL_SHAPE)["vocab_size"])
    batches = steps_of(method, rows, every=4, at_most=8)
    training = gpu_engine.Training(
        method, rows, tiny=tiny, device=device, dropout=0.1, settings={"micro_rows": MICRO_ROWS[method]}
    )
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
    share = arithmetic(method, tokens) / 790e12 / seconds
    print(f"== {method}: {seconds / 6:.4f} s a step, of which Python {queued / 6:.4f}; {share:.1%} of the limit")
    print(f"   seconds an epoch: {seconds * sum(rows.lengths) / tokens:.2f}", flush=True)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        training.step(batches[2])
        synchronise(device)
    key = "self_cuda_time_total" if device == "cuda" else "self_cpu_time_total"
    kernels = [
        event for event in profiler.key_averages() if event.self_device_time_total > 0 and not event.is_user_annotation
    ]
    kernels = [event for event in kernels if event.device_type == torch.autograd.DeviceType.CUDA]
    total = sum(event.self_device_time_total for event in kernels)
    for event in sorted(kernels, key=lambda event: -event.self_device_time_total)[:32]:
        share = event.self_device_time_total / max(total, 1)
        print(f"{share:6.1%} {event.self_device_time_total / 1e3:9.2f} ms {event.count:6d} {event.key[:110]}")
    print(f"kernels in all {total / 1e3:.1f} ms ({key})", flush=True)


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

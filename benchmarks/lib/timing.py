"""How benchmarks take the time, and sum up repeats. Nothing here imports torch before it is called."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def timed(work: Callable[[], _T]) -> tuple[_T, dict[str, float]]:
    """Call `work`; return what it gives, and its seconds by the clock and of the processor."""
    start, start_processor = time.perf_counter(), time.process_time()
    given = work()
    seconds, processor = time.perf_counter() - start, time.process_time() - start_processor
    return given, {"seconds": round(seconds, 1), "processor_seconds": round(processor, 1)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the lowest and the highest of repeats."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def kernel_microseconds(run: Callable[[], object]) -> float:
    """Return the median time of a call on the GPU, as `triton.testing.do_bench` measures it."""
    from triton.testing import do_bench

    return 1e3 * float(do_bench(run, return_mode="median"))


def synchronize(device: str) -> None:
    """Wait until the GPU has done what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def free_memory(device: str) -> None:
    """Give back the memory of a network that is no longer used."""
    import gc

    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()

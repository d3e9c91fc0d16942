"""Things outside the arithmetic that make steps slower, or hold more memory, than need be: seen to around training."""

import contextlib
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from showdown.engine.budget import GB


@contextmanager
def paused_garbage_collector() -> Iterator[None]:
    """Keep the garbage collector from looking through all libraries in the middle of a step.

    The objects that exist now are set aside (`gc.freeze`), so that a full collection, which takes 0.1 s and more with
    transformers loaded and leaves the GPU without work, only visits what training made.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def reserve_memory(peak_gb: float) -> None:
    """Have torch's allocator take what training will need in one piece, and leave it free for all that comes.

    Otherwise it takes a piece for each new size that no free piece holds: packs differ in length, and it ended with
    two to three times what was in use at once (`docs/study.md`). Where the GPU has less, nothing is taken.

    Args:
        peak_gb: expected peak of allocated memory.

    """
    missing = int(peak_gb * GB) - torch.cuda.memory_allocated()
    if missing > torch.cuda.memory_reserved() - torch.cuda.memory_allocated():
        torch.cuda.empty_cache()
        with contextlib.suppress(torch.OutOfMemoryError):
            torch.empty(missing, dtype=torch.uint8, device="cuda")

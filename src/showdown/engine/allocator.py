"""torch's GPU allocator: memory reserved ahead, in one piece."""

import contextlib

import torch

from showdown.engine.budget import GB


def reserve_memory(peak_gb: float) -> None:
    """Let torch's allocator take in one piece what training will need, and leave it free for training.

    Otherwise the allocator takes a piece for each new size that no free piece holds: packs differ in length, and it
    ended with two to three times what was in use at once (`docs/study.md`). Where the GPU has less, nothing is taken.

    Args:
        peak_gb: expected peak of allocated memory.

    """
    missing = int(peak_gb * GB) - torch.cuda.memory_allocated()
    if missing > torch.cuda.memory_reserved() - torch.cuda.memory_allocated():
        torch.cuda.empty_cache()
        with contextlib.suppress(torch.OutOfMemoryError):
            torch.empty(missing, dtype=torch.uint8, device="cuda")

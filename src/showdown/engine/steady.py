"""Things outside the arithmetic that make steps slower than they need be, switched off around training."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's mallopt(3)."""
_LARGE_BYTES = 1 << 30


@contextmanager
def steady_process() -> Iterator[None]:
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


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory instead of returning it to the kernel after every step; return whether it did.

    Each large tensor on a CPU otherwise costs a page fault for every 4 KB, every time it is made.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _LARGE_BYTES))

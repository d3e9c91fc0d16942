"""Whether Triton's kernels can run."""

import functools
import importlib.util


@functools.cache
def triton_is_here() -> bool:
    """Return whether Triton can be imported."""
    return importlib.util.find_spec("triton") is not None

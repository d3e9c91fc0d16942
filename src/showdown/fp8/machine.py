"""Whether this machine multiplies in fp8."""

import importlib.util
import os

EMULATE = "SHOWDOWN_EMULATE_FP8"
"""Set to 1, an environment variable lets trials compute the same numbers without such a GPU, many times slower."""
_LEAST_CAPABILITY = (8, 9)
"""Ada; Hopper is 9.0 (https://docs.nvidia.com/cuda/parallel-thread-execution: `e4m3` operands of `mma` need sm_89)."""


def emulated() -> bool:
    """Return whether trials asked for emulation."""
    return os.environ.get(EMULATE) == "1"


def missing_reason() -> str | None:
    """Return why products in fp8 cannot be had here, and what to do; None where they can."""
    import torch

    if emulated():
        return None
    if not torch.cuda.is_available():
        return (
            "fp8 needs an NVIDIA GPU of compute capability 8.9 or above (L4, L40S, H100, H200), and there is none here"
        )
    capability = torch.cuda.get_device_capability()
    if capability < _LEAST_CAPABILITY:
        return (
            f"fp8 needs a GPU of compute capability 8.9 or above (L4, L40S, H100, H200); "
            f"{torch.cuda.get_device_name()} has {capability[0]}.{capability[1]}"
        )
    if importlib.util.find_spec("triton") is None:
        return "fp8 needs Triton, which PyTorch's CUDA builds for Linux bring; it is not installed"
    return None

"""The status and the line of an error that ended a stage."""

import errno
from collections.abc import Iterator

from showdown.core.errors import Unavailable, UserError
from showdown.stages.results import StageError

_NO_MEMORY = (
    "can't allocate memory",  # torch on a CPU
    "Cannot allocate memory",  # the system, also through safetensors
    "CUDA error: out of memory",
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Error out of memory",  # bitsandbytes
)
_GPU_SIGNS = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "CUDA driver error")
_GPU_MEANINGS = {
    "device-side assert": "an index outside its table, such as a label or a token that the model does not have",
    "illegal memory access": "a kernel read or wrote memory that is not its own",
    "misaligned address": "a kernel read or wrote memory that is not its own",
    "unspecified launch failure": "a kernel crashed, or the GPU was lost while it ran",
    "ECC": "its memory is damaged",
    "no CUDA-capable device": "it is not there any more",
    "device is lost": "it is not there any more",
    "busy or unavailable": "it is taken by another process, or lost",
}
"""By the words of the CUDA runtime (cudaError of the CUDA Runtime API)."""


def stage_error(error: BaseException) -> StageError:
    """Return the status of a run that an error ended, and a line that explains it."""
    errors = list(_with_causes(error))
    if isinstance(error, Unavailable):
        return StageError(status="unavailable", error=str(error))
    if any(_lacks_memory(one) for one in errors):
        return StageError(status="out-of-memory", error=_one_line(error))
    if isinstance(error, FloatingPointError):
        return StageError(status="diverged", error=_one_line(error))
    if isinstance(error, UserError):
        return StageError(status="failed", error=str(error))
    lost = next((one for one in errors if any(sign in str(one) for sign in _GPU_SIGNS)), None)
    if lost is not None:
        meaning = next((text for words, text in _GPU_MEANINGS.items() if words in str(lost)), "see the run's log.txt")
        return StageError(
            status="failed",
            error=f"the GPU failed: {meaning} ({_one_line(lost)}); the runs after it begin in a process of their own",
        )
    return StageError(status="failed", error=f"{type(error).__name__}: {_one_line(error)}")


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _lacks_memory(error: BaseException) -> bool:
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return any(words in str(error) for words in _NO_MEMORY)


def _one_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]

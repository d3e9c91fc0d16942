"""Whether a run that ran out of memory is worth another try: where there is clearly more memory now.

How much there was then stands in the run's trace. Records of older versions may have none; what the record itself says
is then taken: the machine that its training ran on, or the error message. Where neither says it, the run is tried once
more, which leaves a trace.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from showdown.core.record import GB, RunRecord
from showdown.measure.system import gpu_meter, visible_devices
from showdown.runner.stage_trace import read_trace, started_now

_CLEARLY_MORE = 1.05
"""Times as much; less is the rounding of a figure, or a driver that keeps more for itself."""
_GPU_IN_ERROR = re.compile(r"total capacity of ([0-9.]+) (GiB|MiB)")
"""PyTorch's message of CUDA memory that has run out."""
_BYTES = {"GiB": 2**30, "MiB": 2**20}
_LIMIT_IN_ERROR = re.compile(r"the limit is ([0-9.]+) GB")
"""`stage_trace.ended_for_memory`."""


@dataclass(frozen=True, kw_only=True)
class AvailableMemory:
    """Memory in GB of 1e9 bytes. None is what is not known, or not there."""

    limit_gb: float | None
    """Of the machine or its control group."""
    gpu_gb: float | None


def memory_now() -> AvailableMemory:
    """Return what there is now. Of several GPUs the smallest counts, since a run may go to any."""
    meters = [gpu_meter(device) for device in visible_devices()]
    totals = [total for meter in meters if meter and (total := meter.total_gb())]
    gpu_gb = min(totals, default=None)
    return AvailableMemory(limit_gb=started_now(gpu_gb).limit_gb, gpu_gb=gpu_gb)


def memory_then(record: RunRecord, folder: Path) -> AvailableMemory:
    """Return what there was when a run ran out of memory.

    Args:
        record: the run's.
        folder: the run's.

    """
    trace = read_trace(folder)
    if trace:
        return AvailableMemory(limit_gb=trace.limit_gb, gpu_gb=trace.gpu_gb)
    limit, gpu = _in_error(record.error or "")
    machine = record.environment
    return AvailableMemory(
        limit_gb=limit or (machine.memory_gb if machine else None),
        gpu_gb=gpu or (machine.gpu_memory_gb if machine else None),
    )


def why_try_again(record: RunRecord, folder: Path) -> str | None:
    """Return why a run that ran out of memory is tried again, as part of a sentence; None where it is not.

    Args:
        record: the run's, of status `out-of-memory`.
        folder: the run's.

    """
    then, now = memory_then(record, folder), memory_now()
    if then.limit_gb is None and then.gpu_gb is None:
        return "it is not known with how much memory"
    for what, before, after in (("GPU memory", then.gpu_gb, now.gpu_gb), ("memory", then.limit_gb, now.limit_gb)):
        if before and after and after > _CLEARLY_MORE * before:
            return f"with {before:.3g} GB of {what}, and there is more now ({after:.3g} GB)"
    return None


def _in_error(error: str) -> tuple[float | None, float | None]:
    """Return the limit of memory and the GPU's memory that an error message names, in GB."""
    limit, gpu = _LIMIT_IN_ERROR.search(error), _GPU_IN_ERROR.search(error)
    return (
        float(limit.group(1)) if limit else None,
        float(gpu.group(1)) * _BYTES[gpu.group(2)] / GB if gpu else None,
    )

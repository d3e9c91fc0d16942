"""Peak memory: allocated and reserved by torch, and in use on the device. On a CPU, the process's resident set."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from showdown.core.record import GB

_RESET_PEAK = "5"
"""Written to /proc/self/clear_refs, this resets the peak resident set (Linux, proc_pid_clear_refs(5))."""


@dataclass(frozen=True, kw_only=True)
class MemoryPeak:
    """Peaks since the last reset, in GB (1e9 bytes). On a CPU, all three are the process's peak resident set."""

    allocated_gb: float
    reserved_gb: float
    device_gb: float

    def largest(self, other: "MemoryPeak") -> "MemoryPeak":
        """Return the larger value of each."""
        return MemoryPeak(
            allocated_gb=max(self.allocated_gb, other.allocated_gb),
            reserved_gb=max(self.reserved_gb, other.reserved_gb),
            device_gb=max(self.device_gb, other.device_gb),
        )


class CpuMemory:
    """Peak resident set of this process."""

    kind: Literal["process resident set"] = "process resident set"

    def synchronize(self) -> None:
        """Do nothing: work on the CPU is synchronous."""

    def reset(self) -> None:
        """Reset the peak. Where the system cannot, the peak is that since the process started."""
        clear_refs = Path("/proc/self/clear_refs")
        if clear_refs.exists():
            try:
                clear_refs.write_text(_RESET_PEAK)
            except OSError:
                return

    def peak(self) -> MemoryPeak:
        """Return the peak since the last reset."""
        peak_gb = _peak_resident_bytes() / GB
        return MemoryPeak(allocated_gb=peak_gb, reserved_gb=peak_gb, device_gb=peak_gb)


def _peak_resident_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


class GpuMemory:
    """Peaks of torch's allocator and of the device.

    The driver keeps no peak. Each reading therefore adds the memory now in use beyond torch's reserved memory (the CUDA
    context, library workspaces, other processes) to torch's reserved peak.
    """

    kind: Literal["gpu"] = "gpu"

    def synchronize(self) -> None:
        """Wait for the GPU, so that its work is timed in the phase that started it."""
        import torch

        torch.cuda.synchronize()

    def reset(self) -> None:
        """Reset the peaks."""
        import torch

        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> MemoryPeak:
        """Return the peaks since the last reset."""
        import torch

        free, total = torch.cuda.mem_get_info()
        beyond_torch = max(0, total - free - torch.cuda.memory_reserved())
        reserved = torch.cuda.max_memory_reserved()
        return MemoryPeak(
            allocated_gb=torch.cuda.max_memory_allocated() / GB,
            reserved_gb=reserved / GB,
            device_gb=(reserved + beyond_torch) / GB,
        )


Memory = CpuMemory | GpuMemory


def memory_of(device: str) -> Memory:
    """Return the memory meter of a device, `cuda` or `cpu`."""
    return GpuMemory() if device == "cuda" else CpuMemory()

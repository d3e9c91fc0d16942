"""Readings of a process and of a GPU from outside, without torch: what the system's and the driver's counters say."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from showdown.core.record import GB


def process_age_seconds(process: psutil.Process) -> float:
    """Return the seconds since a process was started or forked.

    Linux keeps the start in ticks since the machine's start (proc_pid_stat(5)). psutil adds them to the machine's start
    in whole seconds of the wall clock, and would be wrong by up to one.
    """
    stat = Path(f"/proc/{process.pid}/stat")
    if not stat.exists():
        return max(0.0, time.time() - float(process.create_time()))
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


class ProcessMeter:
    """Processor time and resident set of a process."""

    def __init__(self, pid: int) -> None:
        """Look at a process; its processor time is counted from its start.

        Raises:
            psutil.NoSuchProcess: when it is gone.

        """
        self._process = psutil.Process(pid)
        self._read_at = time.monotonic() - process_age_seconds(self._process)
        self._cpu_seconds = 0.0

    def read(self) -> tuple[float, float]:
        """Return the processor's use since the last reading in percent (100 is one core), and resident GB (1e9 bytes).

        Raises:
            psutil.Error: when the process is gone.

        """
        times = self._process.cpu_times()
        now, used = time.monotonic(), times.user + times.system
        percent = 100 * (used - self._cpu_seconds) / max(now - self._read_at, 1e-3)
        self._read_at, self._cpu_seconds = now, used
        return percent, self._process.memory_info().rss / GB


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """One reading; None is what this GPU does not tell."""

    utilisation_percent: float | None = None
    memory_gb: float | None = None
    power_watts: float | None = None
    temperature_c: float | None = None
    energy_joules: float | None = None
    """Since the driver was loaded."""


class GpuMeter:
    """A GPU as its driver sees it (NVML)."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def read(self) -> GpuReading:
        """Return what can be read now."""
        import pynvml as nvml

        handle = self._handle
        return GpuReading(
            utilisation_percent=_told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_gb=_told(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / GB),
            power_watts=_told(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            temperature_c=_told(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            energy_joules=_told(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
        )


def _told(ask: Callable[[], float]) -> float | None:
    import pynvml

    try:
        return float(ask())
    except pynvml.NVMLError:
        return None


@cache
def gpu_meter() -> GpuMeter | None:
    """Return the GPU that torch would call `cuda:0`; None without one.

    `CUDA_VISIBLE_DEVICES` is followed; numbers are taken in the driver's order (`CUDA_DEVICE_ORDER=PCI_BUS_ID`).
    """
    import pynvml

    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    try:
        pynvml.nvmlInit()
        if first.isdecimal():
            return GpuMeter(pynvml.nvmlDeviceGetHandleByIndex(int(first)))
        return GpuMeter(pynvml.nvmlDeviceGetHandleByUUID(first)) if first.startswith(("GPU-", "MIG-")) else None
    except pynvml.NVMLError:
        return None

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

_GPU_SIGNS = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia"))


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

    def spent_seconds(self) -> float | None:
        """Return its processor seconds since its start, with its children that have ended; None when it is gone."""
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            return None
        return float(times.user + times.system + times.children_user + times.children_system)


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """One reading; None is what this GPU does not tell."""

    utilisation_percent: float | None = None
    memory_gb: float | None = None
    power_watts: float | None = None
    temperature_c: float | None = None
    energy_joules: float | None = None
    """Since the driver was loaded."""
    others_percent: float | None = None
    """Use of its multiprocessors by other processes; None also where the driver numbers processes otherwise."""


class GpuMeter:
    """A GPU as its driver sees it (NVML)."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._seen_until = 0
        """Time stamp of the driver's last sample of processes."""

    def read(self, own_pid: int | None = None) -> GpuReading:
        """Return what can be read now; ``own_pid`` is the run's process, beside which others are told."""
        import pynvml as nvml

        handle = self._handle
        return GpuReading(
            utilisation_percent=_told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_gb=_told(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / GB),
            power_watts=_told(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            temperature_c=_told(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            energy_joules=_told(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
            others_percent=None if own_pid is None else self._others_percent(own_pid),
        )

    def total_gb(self) -> float | None:
        """Return the memory that the device has, in GB of 1e9 bytes."""
        import pynvml as nvml

        return _told(lambda: nvml.nvmlDeviceGetMemoryInfo(self._handle).total / GB)

    def _others_percent(self, own_pid: int) -> float | None:
        """Sum up what the driver's last sample tells of each other process.

        A container may number processes otherwise than the driver, and a stranger would then be no stranger: nothing is
        said unless the driver knows the run's own process.
        """
        import pynvml as nvml

        try:
            if own_pid not in {one.pid for one in nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)}:
                return None
            found = nvml.nvmlDeviceGetProcessUtilization(self._handle, self._seen_until)
        except nvml.NVMLError_NotFound:
            return 0.0  # nobody used it since
        except nvml.NVMLError:
            return None
        self._seen_until = max((one.timeStamp for one in found), default=self._seen_until)
        newest = {one.pid: one.smUtil for one in sorted(found, key=lambda one: one.timeStamp)}
        return float(min(100, sum(used for pid, used in newest.items() if pid != own_pid)))


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


def has_gpu() -> bool:
    """Tell whether this machine has an NVIDIA GPU, without touching it."""
    return any(sign.exists() for sign in _GPU_SIGNS)

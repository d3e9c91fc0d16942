"""Counters of a process and of a GPU, read from another process and without torch."""

import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from showdown.core.errors import UserError
from showdown.core.record import GB

_GPU_SIGNS = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia"))


def process_age_seconds(process: psutil.Process) -> float:
    """Return the seconds since a process was started or forked.

    Linux keeps the start in ticks since the boot (proc_pid_stat(5)). psutil adds them to the boot time in whole seconds
    of the wall clock, and can be wrong by a second.
    """
    stat = Path(f"/proc/{process.pid}/stat")
    if not stat.exists():
        return max(0.0, time.time() - float(process.create_time()))
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


class ProcessMeter:
    """Processor time and resident set of a process."""

    def __init__(self, pid: int) -> None:
        """Begin to read a process; its processor time counts from its start.

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
    """One reading. None is what this GPU does not report."""

    utilisation_percent: float | None = None
    memory_gb: float | None = None
    power_watts: float | None = None
    temperature_c: float | None = None
    energy_joules: float | None = None
    """Since the driver was loaded."""
    others_percent: float | None = None
    """Use of its multiprocessors by other processes; None also where the driver numbers processes differently."""


class GpuMeter:
    """A GPU as its driver sees it (NVML)."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._seen_until = 0
        """Time stamp of the newest process sample that was read from the driver."""

    def read(self, own_pid: int | None = None) -> GpuReading:
        """Return what can be read now.

        Args:
            own_pid: the run's process; use by all other processes is reported apart from it.

        """
        import pynvml as nvml

        handle = self._handle
        return GpuReading(
            utilisation_percent=_reading(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_gb=_reading(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / GB),
            power_watts=_reading(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            temperature_c=_reading(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            energy_joules=_reading(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
            others_percent=None if own_pid is None else self._others_percent(own_pid),
        )

    def name(self) -> str | None:
        """Return what its driver calls it."""
        import pynvml as nvml

        try:
            return _text(nvml.nvmlDeviceGetName(self._handle))
        except nvml.NVMLError:
            return None

    def total_gb(self) -> float | None:
        """Return the memory that the device has, in GB of 1e9 bytes."""
        import pynvml as nvml

        return _reading(lambda: nvml.nvmlDeviceGetMemoryInfo(self._handle).total / GB)

    def _others_percent(self, own_pid: int) -> float | None:
        """Return the GPU's use by other processes in the driver's last sample, in percent.

        A container may number processes differently from the driver, so that the run itself would count as another
        process. The result is None unless the driver knows the run's own process.
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


def _reading(ask: Callable[[], float]) -> float | None:
    import pynvml

    try:
        return float(ask())
    except pynvml.NVMLError:
        return None


def visible_devices() -> list[str]:
    """Return the GPUs that CUDA would see, each as `CUDA_VISIBLE_DEVICES` names it; empty without one.

    Entries of `CUDA_VISIBLE_DEVICES` stay as they are, up to the first that is none (CUDA ignores the rest). Where the
    variable is not set, GPUs are named by UUID: CUDA and the driver may count them in different orders.
    """
    import pynvml as nvml

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return list(itertools.takewhile(_is_device, (entry.strip() for entry in named.split(","))))
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        return [_text(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    except nvml.NVMLError:
        return []


def chosen_devices(gpus: Sequence[str]) -> list[str]:
    """Return some of the GPUs that CUDA would see, as `visible_devices` names them.

    Args:
        gpus: each a number, which counts the visible GPUs from 0, or a UUID or its beginning, as `nvidia-smi -L` says.

    Raises:
        UserError: for one that is not there or is there twice.

    """
    visible = visible_devices()
    found: list[str] = []
    for gpu in gpus:
        device = _visible_as(gpu.strip(), visible)
        if device is None:
            known = f"the visible ones are {', '.join(map(str, range(len(visible))))}" if visible else "there is none"
            hidden = " (`CUDA_VISIBLE_DEVICES` is set)" if "CUDA_VISIBLE_DEVICES" in os.environ else ""
            raise UserError(f"`gpus`: no GPU `{gpu}` on this machine; {known}{hidden}")
        if device in found:
            raise UserError(f"`gpus`: `{gpu}` names a GPU that is there already; name each once")
        found.append(device)
    return found


def _visible_as(gpu: str, visible: Sequence[str]) -> str | None:
    """Return the name of a GPU among the visible ones; None for one that is not there."""
    if gpu.isdecimal():
        return visible[int(gpu)] if int(gpu) < len(visible) else None
    if not gpu.startswith(("GPU-", "MIG-")):
        return None
    return next((device for device in visible if _uuid_of(device).startswith(gpu)), None)


def _uuid_of(device: str) -> str:
    """Return the UUID of a device; its name where that is one, or where the driver does not answer."""
    import pynvml

    if not device.isdecimal():
        return device
    try:
        return _text(pynvml.nvmlDeviceGetUUID(device_handle(device)))
    except pynvml.NVMLError:
        return device


def _is_device(entry: str) -> bool:
    return entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))


def _text(found: str | bytes) -> str:
    return found.decode() if isinstance(found, bytes) else found


def device_handle(device: str | None = None) -> Any:
    """Return the driver's handle of a GPU; None for a name that is none.

    Args:
        device: as `CUDA_VISIBLE_DEVICES` names it. None is the GPU that torch would call `cuda:0`. Numbers are taken
            in the driver's order (`CUDA_DEVICE_ORDER=PCI_BUS_ID`).

    Raises:
        pynvml.NVMLError: when the driver does not answer.

    """
    import pynvml

    name = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip() if device is None else device
    pynvml.nvmlInit()
    if name.isdecimal():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name) if name.startswith(("GPU-", "MIG-")) else None


@cache
def gpu_meter(device: str | None = None) -> GpuMeter | None:
    """Return the meter of a GPU; None without one.

    Args:
        device: as in `device_handle`.

    """
    import pynvml

    try:
        handle = device_handle(device)
    except pynvml.NVMLError:
        return None
    return None if handle is None else GpuMeter(handle)


class GpuMeters:
    """Several GPUs that carry out one stage together: power and energy of all, the means of their use and temperature,
    and the memory of the fullest one."""

    def __init__(self, meters: Sequence[GpuMeter]) -> None:
        self._meters = meters

    def read(self, own_pid: int | None = None) -> GpuReading:
        """Return what can be read now; what one GPU does not report is unknown of all. See `GpuMeter.read`."""
        found = [meter.read(own_pid) for meter in self._meters]
        return GpuReading(
            utilisation_percent=_of_all([one.utilisation_percent for one in found], _mean),
            memory_gb=_of_all([one.memory_gb for one in found], max),
            power_watts=_of_all([one.power_watts for one in found], sum),
            temperature_c=_of_all([one.temperature_c for one in found], _mean),
            energy_joules=_of_all([one.energy_joules for one in found], sum),
            others_percent=None,  # each GPU has a process of its own
        )

    def total_gb(self) -> float | None:
        """Return the memory of the smallest device, in GB of 1e9 bytes."""
        return _of_all([meter.total_gb() for meter in self._meters], min)


def _of_all(values: Sequence[float | None], together: Callable[[list[float]], float]) -> float | None:
    known = [value for value in values if value is not None]
    return together(known) if len(known) == len(values) else None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def stage_meter(devices: str | None) -> GpuMeter | GpuMeters | None:
    """Return the meter of the GPUs of a stage, as `CUDA_VISIBLE_DEVICES` names them; None without one."""
    meters = [gpu_meter(device) for device in devices.split(",")] if devices else [gpu_meter(devices)]
    known = [meter for meter in meters if meter is not None]
    if len(known) < len(meters):
        return None
    return known[0] if len(known) == 1 else GpuMeters(known)


def has_gpu() -> bool:
    """Tell whether this machine has an NVIDIA GPU, without touching it."""
    return any(sign.exists() for sign in _GPU_SIGNS)

"""The load from other processes during a run: their share of the processors."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import psutil

_LEAST_SECONDS = 0.5
"""Shortest interval of a reading, in processor seconds. The counters tick in hundredths of a second."""


@dataclass(frozen=True, kw_only=True)
class ProcessorTimes:
    """Counters of all processors together, in seconds since the machine started."""

    busy: float
    """Time in use, including time that the host gave to other virtual machines (`steal`)."""
    total: float


def processor_times() -> ProcessorTimes:
    """Read the system's counters (on Linux, the first line of proc_stat(5), where `user` includes `guest`)."""
    times = psutil.cpu_times()
    busy = sum(
        getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    )
    return ProcessorTimes(busy=busy, total=busy + times.idle + getattr(times, "iowait", 0.0))


def spent_by_this_process() -> float:
    """Return the processor seconds of this process and of its finished children."""
    return sum(os.times()[:4])


def load_average() -> float | None:
    """Return the 1-minute load average divided by the number of processors; None when the system has none."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return None


class LoadMeter:
    """Measures the share of the processors that other processes use between two readings."""

    def __init__(
        self,
        own_seconds: Callable[[], float | None] = spent_by_this_process,
        times: Callable[[], ProcessorTimes] = processor_times,
    ) -> None:
        """Take the first reading.

        Args:
            own_seconds: returns the processor seconds of the run itself; None while they cannot be read.
            times: returns the system's counters.

        """
        self._own_seconds, self._times = own_seconds, times
        self._before = (times(), own_seconds())

    def read(self) -> float | None:
        """Return the share of all processors that other processes used since the last reading, 0 to 1.

        None when the interval was too short (the next reading then covers both), or when the run's own seconds are
        unknown at its start or its end.
        """
        (before, own_before), (now, own_now) = self._before, (self._times(), self._own_seconds())
        if own_before is None or own_now is None or own_now < own_before:
            self._before = (now, own_now)
            return None
        total = now.total - before.total
        if total < _LEAST_SECONDS:
            return None
        self._before = (now, own_now)
        others = (now.busy - before.busy) - (own_now - own_before)
        return min(1.0, max(0.0, others / total))

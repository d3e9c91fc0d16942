"""What goes on beside a run: how much of the processors and of the GPU other processes use."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import psutil

_LEAST_SECONDS = 0.5
"""Of all processors together, which are counted in hundredths of a second: less says nothing."""


@dataclass(frozen=True, kw_only=True)
class ProcessorTimes:
    """Counters of all processors together, in seconds since the machine's start."""

    busy: float
    """Spent on anything, by other guests of a virtual machine's host too (`steal`)."""
    total: float


def processor_times() -> ProcessorTimes:
    """Read the system's counters (on Linux the first line of proc_stat(5), whose `user` holds `guest`)."""
    times = psutil.cpu_times()
    busy = sum(
        getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    )
    return ProcessorTimes(busy=busy, total=busy + times.idle + getattr(times, "iowait", 0.0))


def spent_by_this_process() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def load_average() -> float | None:
    """Return the 1-minute load average for each processor; None where the system has none."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return None


class LoadMeter:
    """Which share of the processors others used since the last reading that could tell."""

    def __init__(
        self,
        own_seconds: Callable[[], float | None] = spent_by_this_process,
        times: Callable[[], ProcessorTimes] = processor_times,
    ) -> None:
        """Take the first reading.

        Args:
            own_seconds: processor seconds that are the run's own, rising; None while they cannot be told.
            times: reads the system's counters.

        """
        self._own_seconds, self._times = own_seconds, times
        self._before = (times(), own_seconds())

    def read(self) -> float | None:
        """Return the share of all processors that others used since the last reading, 0 to 1.

        None where that was too short to tell (the next reading then covers both), or where the run's own part is not
        known at either end.
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

"""Named phases of a run: seconds and peak memory of each, exclusive of the phases inside it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from showdown.core.record import Phase
from showdown.measure.memory import Memory, MemoryPeak


class PhaseClock:
    """Times named phases. A phase inside another one stops the outer's clock; a name met again goes on."""

    def __init__(self, memory: Memory, entered: Callable[[str], None] | None = None) -> None:
        """Start the clock; ``entered`` is told of each phase that is open from now on."""
        self._memory = memory
        self._entered = entered
        self._seconds: dict[str, float] = {}
        self._peaks: dict[str, MemoryPeak] = {}
        self._open: list[str] = []
        self._since = time.perf_counter()

    def add(self, phases: list[Phase]) -> None:
        """Add what an earlier, interrupted part of the same run took."""
        for phase in phases:
            peak = MemoryPeak(
                allocated_gb=phase.peak_allocated_gb,
                reserved_gb=phase.peak_reserved_gb,
                device_gb=phase.peak_device_gb,
            )
            self._seconds[phase.name] = self._seconds.get(phase.name, 0.0) + phase.seconds
            self._peaks[phase.name] = peak.largest(self._peaks.get(phase.name, peak))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens inside to ``name``."""
        self._charge()
        self._open.append(name)
        self._tell()
        try:
            yield
        finally:
            self._charge()
            self._open.pop()
            self._tell()

    def _tell(self) -> None:
        if self._entered and self._open:
            self._entered(self._open[-1])

    def _charge(self) -> None:
        """Give the time and the peak since the last change of phase to the phase that was open, if any."""
        self._memory.synchronize()
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            peak = self._memory.peak()
            self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
            self._peaks[name] = peak.largest(self._peaks.get(name, peak))
        self._memory.reset()
        self._since = now

    def seconds(self, name: str) -> float:
        """Seconds charged to a phase so far; 0.0 for one that never ran."""
        running = time.perf_counter() - self._since if self._open and self._open[-1] == name else 0.0
        return self._seconds.get(name, 0.0) + running

    def phases(self) -> list[Phase]:
        """All phases met so far, in the order of their first end."""
        return [
            Phase(
                name=name,
                seconds=round(seconds, 4),
                peak_allocated_gb=round(self._peaks[name].allocated_gb, 4),
                peak_reserved_gb=round(self._peaks[name].reserved_gb, 4),
                peak_device_gb=round(self._peaks[name].device_gb, 4),
            )
            for name, seconds in self._seconds.items()
        ]

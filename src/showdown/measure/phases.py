"""Seconds and peak memory of each named phase of a run, without the phases nested in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from showdown.core.record import Phase
from showdown.measure.memory import Memory, MemoryPeak


class PhaseClock:
    """Times named phases. A nested phase pauses the outer one. Phases of the same name are added up."""

    def __init__(self, memory: Memory, entered: Callable[[str], None] | None = None) -> None:
        """Start the clock.

        Args:
            memory: measures the peaks.
            entered: called with the name of each phase that begins or resumes.

        """
        self._memory = memory
        self._entered = entered
        self._seconds: dict[str, float] = {}
        self._peaks: dict[str, MemoryPeak] = {}
        self._open: list[str] = []
        self._since = time.perf_counter()

    def add(self, phases: list[Phase]) -> None:
        """Add the phases of an earlier, interrupted part of the same run."""
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
        """Count the time and the memory inside the context for phase ``name``."""
        self._record()
        self._open.append(name)
        self._notify()
        try:
            yield
        finally:
            self._record()
            self._open.pop()
            self._notify()

    def _notify(self) -> None:
        if self._entered and self._open:
            self._entered(self._open[-1])

    def _record(self) -> None:
        """Add the time and the peak since the last change of phase to the current phase, if any."""
        self._memory.synchronize()
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            peak = self._memory.peak()
            self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
            self._peaks[name] = peak.largest(self._peaks.get(name, peak))
        self._memory.reset()
        self._since = now

    def pause(self) -> None:
        """Charge the time so far to the current phase, so that `phases` has it too."""
        self._record()

    def seconds(self, name: str) -> float:
        """Return the seconds of a phase so far; 0.0 for one that never ran."""
        running = time.perf_counter() - self._since if self._open and self._open[-1] == name else 0.0
        return self._seconds.get(name, 0.0) + running

    def phases(self) -> list[Phase]:
        """Return all phases so far, in the order in which they first ended or paused."""
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

"""Phases do not overlap, and a peak belongs to the phase that made it."""

import time

import numpy as np
import pytest

from showdown.measure.memory import CpuMemory, MemoryPeak
from showdown.measure.phases import PhaseClock


class Steps:
    """An instrument whose peak is what the test sets."""

    kind = "gpu"
    now = 1.0

    def synchronize(self) -> None:
        pass

    def reset(self) -> None:
        self.now = 0.0

    def peak(self) -> MemoryPeak:
        return MemoryPeak(allocated_gb=self.now, reserved_gb=2 * self.now, device_gb=3 * self.now)


def test_an_inner_phase_stops_the_outer_ones_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    memory = Steps()
    clock = PhaseClock(memory)
    with clock.phase("training"):
        now[0], memory.now = 3.0, 5.0
        with clock.phase("validation"):
            now[0], memory.now = 4.0, 7.0
        now[0], memory.now = 6.0, 2.0
        assert clock.seconds("training") == pytest.approx(5.0)
    now[0] = 60.0
    with clock.phase("training"):
        now[0] = 61.0
    phases = {phase.name: phase for phase in clock.phases()}
    assert phases["training"].seconds == pytest.approx(6.0)
    assert phases["validation"].seconds == pytest.approx(1.0)
    assert phases["training"].peak_allocated_gb == 5.0
    assert phases["validation"].peak_reserved_gb == 14.0
    assert clock.seconds("saving") == 0.0


def test_what_an_interrupted_part_took_is_added() -> None:
    before = PhaseClock(Steps())
    with before.phase("training"):
        pass
    earlier = [before.phases()[0].model_copy(update={"seconds": 10.0, "peak_allocated_gb": 9.0})]
    clock = PhaseClock(Steps())
    clock.add(earlier)
    with clock.phase("training"):
        pass
    (training,) = clock.phases()
    assert training.seconds >= 10.0
    assert training.peak_allocated_gb == 9.0


def test_the_resident_peak_starts_anew() -> None:
    memory = CpuMemory()
    memory.reset()
    block = np.ones(40_000_000)  # 0.32 GB
    high = memory.peak().allocated_gb
    del block
    memory.reset()
    low = memory.peak().allocated_gb
    assert high - low > 0.25, "this system does not reset the peak (no /proc/self/clear_refs)"

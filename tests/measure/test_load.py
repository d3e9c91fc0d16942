"""The load beside a run: counted from counters that are given here, and once from a process that is really busy."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from showdown.measure import load
from showdown.measure.load import LoadMeter, ProcessorTimes, load_average, processor_times
from showdown.measure.system import ProcessMeter

CPUS = os.cpu_count() or 1


def readings(*pairs: tuple[float, float]) -> Callable[[], ProcessorTimes]:
    """Give counters, (busy, total) in seconds, one pair a reading."""
    found: Iterator[ProcessorTimes] = iter([ProcessorTimes(busy=busy, total=total) for busy, total in pairs])
    return lambda: next(found)


def seconds(*given: float | None) -> Callable[[], float | None]:
    found = iter(given)
    return lambda: next(found)


def test_what_others_used_is_what_was_used_less_the_runs_own() -> None:
    meter = LoadMeter(seconds(1.0, 3.0, 3.5), readings((10, 100), (15, 110), (15.5, 120)))
    assert meter.read() == pytest.approx((5 - 2) / 10)
    assert meter.read() == pytest.approx(0.0)


def test_own_work_is_not_others() -> None:
    meter = LoadMeter(seconds(0.0, 9.9), readings((0, 0), (9.8, 10)))
    assert meter.read() == 0.0, "counters of two kinds are a tick apart"


def test_too_short_a_time_says_nothing_and_counts_with_the_next() -> None:
    meter = LoadMeter(seconds(0.0, 0.1, 0.5), readings((0, 0), (0.3, 0.3), (1.5, 2)))
    assert meter.read() is None
    assert meter.read() == pytest.approx((1.5 - 0.5) / 2)


@pytest.mark.parametrize("own", [(None, 2.0, 4.0), (2.0, None, None), (9.0, 2.0, 4.0)])
def test_nothing_is_said_across_a_process_that_came_or_went(own: tuple[float | None, ...]) -> None:
    meter = LoadMeter(seconds(*own), readings((0, 0), (5, 10), (10, 20)))
    assert meter.read() is None
    assert meter.read() == (pytest.approx(0.3) if own[2] else None)


def test_a_process_that_is_really_busy_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            meter = LoadMeter()
            deadline, spent = time.monotonic() + 60, 0.0
            began = processor_times()
            while spent < 1.0 and time.monotonic() < deadline:
                time.sleep(0.05)
                spent = processor_times().busy - began.busy
            wall = (processor_times().total - began.total) / CPUS
            share = meter.read()
        finally:
            child.kill()
    assert share is not None
    assert share * wall * CPUS > 0.5, "of the second or more that was used, this process slept"


def test_the_runs_own_work_is_not_seen() -> None:
    """Counted on this process alone, whatever else the machine does: own seconds leave the busy ones."""
    taken: list[tuple[ProcessorTimes, float]] = []

    def times() -> ProcessorTimes:
        taken.append((processor_times(), load.spent_by_this_process()))
        return taken[-1][0]

    meter = LoadMeter(times=times)
    until = time.process_time() + 0.6
    while time.process_time() < until:
        pass
    share = meter.read()
    (before, own_before), (after, own_after) = taken
    assert own_after - own_before >= 0.5
    assert share is not None
    busy = (after.busy - before.busy) / (after.total - before.total)
    assert share < busy


def test_the_runs_process_is_not_among_the_others() -> None:
    """Two meters at once, one of which knows a busy process as the run's own: they differ by what it used."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            process, taken = ProcessMeter(child.pid), []

            def times() -> ProcessorTimes:
                taken.append(processor_times())
                return taken[-1]

            blind, knowing = LoadMeter(lambda: 0.0, times), LoadMeter(process.spent_seconds)
            before, deadline = process.spent_seconds() or 0.0, time.monotonic() + 60
            while (process.spent_seconds() or 0.0) < before + 0.6 and time.monotonic() < deadline:
                time.sleep(0.05)
            spent = (process.spent_seconds() or 0.0) - before
            shares = blind.read(), knowing.read()
        finally:
            child.kill()
    assert shares[0] is not None and shares[1] is not None
    total = taken[1].total - taken[0].total
    assert (shares[0] - shares[1]) * total == pytest.approx(spent, abs=0.15)


def test_the_load_average_is_for_each_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0, 2.0, 1.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert load_average() == 0.75

    def unknown() -> None:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", unknown)
    assert load_average() is None

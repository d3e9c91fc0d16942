"""Turns of a measurement that other processes did not disturb."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import psutil

from showdown.measure.load import LoadMeter

PAUSE_SECONDS = 2.0
_T = TypeVar("_T")


def spent() -> float:
    """Return the processor seconds of this process and of the servers."""
    own = psutil.Process()
    return sum(sum(one.cpu_times()[:2]) for one in [own, *own.children()])


@dataclass(kw_only=True)
class Quiet:
    """Takes a turn again where other processes were busy. A turn is kept by their load, never by what was measured."""

    most: float
    """Share of the processors that others may use."""
    until: float
    """By `time.monotonic`; later turns are kept in any case."""
    shares: list[float] = field(default_factory=list)
    """Of the turns that were kept."""
    again: int = 0
    """Turns that were taken again."""

    def turn(self, measure: Callable[[], _T]) -> _T:
        """Return what was measured in a quiet turn."""
        while True:
            others = LoadMeter(spent)
            found = measure()
            share = others.read() or 0.0
            if share <= self.most or time.monotonic() > self.until:
                self.shares.append(round(share, 3))
                return found
            self.again += 1
            time.sleep(PAUSE_SECONDS)

"""How far forecasts were off: each forecast quantity of an arm beside what its runs measured."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Literal

from showdown.core.bounds import Amount
from showdown.core.forecast import ArmForecast, Basis, Forecast, Range
from showdown.core.forecast_words import is_other, is_scoring, is_training, is_tuning, of_phases, total
from showdown.core.record import RunRecord
from showdown.core.strict import Strict

Quantity = Literal["memory", "tuning", "training", "scoring", "other", "whole"]
PHASES: dict[Quantity, Callable[[str], bool]] = {
    "tuning": is_tuning,
    "training": is_training,
    "scoring": is_scoring,
    "other": is_other,
}
_SHORT_SECONDS = 1.0
"""What took less says nothing of a forecast: the whole of the run does."""


class Gap(Strict):
    """A forecast beside what was measured: GB of memory, or seconds of one run, the mean over an arm's runs."""

    device: str
    kind: Literal["cpu", "gpu"]
    row: str
    method: str
    quantity: Quantity
    """`memory` is the allocated peak while training; `other` is start, loading, validation, checkpoints and saving."""
    forecast: Range
    measured: Amount
    basis: Basis
    busy: bool = False
    """Whether other processes used so much of the machine that measured seconds are in doubt."""

    @property
    def error(self) -> float:
        """Return by how much more was measured than expected, over what was measured: 0.1 is 10 % more."""
        return (self.measured - self.forecast.expected) / self.measured if self.measured else 0.0

    @property
    def within(self) -> bool:
        """Return whether the range holds what was measured."""
        return self.forecast.low <= self.measured <= self.forecast.high


def gaps(forecast: Forecast, records: Sequence[RunRecord]) -> list[Gap]:
    """Return all gaps of the arms that have completed runs, on all training rows, on the kind of device forecast."""
    found = []
    for arm in forecast.arms:
        runs = [
            run
            for run in records
            if run.name == arm.name
            and run.status == "completed"
            and run.phases
            and run.spec.train_fraction == 1.0
            and run.environment is not None
            and (run.environment.gpu is None) == (forecast.device.kind == "cpu")
        ]
        found += _of_arm(arm, runs, forecast) if runs else []
    return found


def _of_arm(arm: ArmForecast, runs: Sequence[RunRecord], forecast: Forecast) -> list[Gap]:
    pairs: list[tuple[Quantity, Range | None, float | None]] = [("memory", arm.peak_gb, _memory(runs))]
    pairs += [(name, of_phases(arm, holds), _seconds(runs, holds)) for name, holds in PHASES.items()]
    pairs += [("whole", total(arm), _seconds(runs, lambda _: True))]
    return [
        Gap(
            device=forecast.device.name,
            kind=forecast.device.kind,
            row=arm.name,
            method=runs[0].method,
            quantity=quantity,
            forecast=expected,
            measured=measured,
            basis=arm.basis,
            busy=quantity != "memory" and any(run.load is not None and run.load.is_busy for run in runs),
        )
        for quantity, expected, measured in pairs
        if expected is not None and measured is not None and (quantity == "memory" or measured >= _SHORT_SECONDS)
    ]


def _memory(runs: Sequence[RunRecord]) -> float | None:
    peaks = [run.peak_memory_allocated_gb.training for run in runs if run.peak_memory_allocated_gb]
    known = [peak for peak in peaks if peak is not None]
    return max(known) if known else None


def _seconds(runs: Sequence[RunRecord], holds: Callable[[str], bool]) -> float:
    return fmean(sum(phase.seconds for phase in run.phases if holds(phase.name)) for run in runs)

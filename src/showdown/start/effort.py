"""How long a comparison takes when it is made shorter: estimated from one forecast, since another takes seconds."""

from dataclasses import dataclass, replace
from typing import Self

from showdown.core.forecast import ArmForecast, Forecast
from showdown.core.forecast_words import is_scoring, is_training, is_tuning


@dataclass(frozen=True, kw_only=True)
class _Arm:
    runs: float
    fixed: float
    """Seconds of a run that do not depend on the rows: start, loading, saving."""
    growing: float
    """Seconds of a run that grow with rows, tokens and epochs."""

    @property
    def seconds(self) -> float:
        return self.runs * (self.fixed + self.growing)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Expected seconds of every arm of a comparison."""

    arms: dict[str, _Arm]
    beside: float
    """Seconds of the whole that belong to no arm."""
    devices: int

    @classmethod
    def of(cls, forecast: Forecast) -> Self:
        """Return what a forecast says."""
        arms = {arm.name: _arm(arm) for arm in forecast.arms}
        together = sum(arm.seconds for arm in arms.values()) / forecast.devices
        return cls(arms=arms, beside=max(0.0, forecast.seconds.expected - together), devices=forecast.devices)

    @property
    def seconds(self) -> float:
        """Return those of the whole comparison."""
        return self.beside + sum(arm.seconds for arm in self.arms.values()) / self.devices

    def growth_for(self, seconds: float) -> float:
        """Return which part of what grows with the rows fits into the time; 0 or less where even nothing of it does."""
        grows = sum(arm.runs * arm.growing for arm in self.arms.values()) / self.devices
        return (seconds - (self.seconds - grows)) / grows if grows else 1.0

    def times(self, *, runs: float = 1.0, growing: float = 1.0) -> Self:
        """Return the effort with other numbers of runs, and other sizes of each."""
        changed = {
            name: replace(arm, runs=runs * arm.runs, growing=growing * arm.growing) for name, arm in self.arms.items()
        }
        return replace(self, arms=changed)

    def without(self, name: str) -> Self:
        """Return the effort without an arm."""
        return replace(self, arms={other: arm for other, arm in self.arms.items() if other != name})


def _arm(arm: ArmForecast) -> _Arm:
    grows = [
        seconds.expected
        for phase, seconds in arm.seconds.items()
        if is_tuning(phase) or is_training(phase) or is_scoring(phase)
    ]
    whole = sum(seconds.expected for seconds in arm.seconds.values())
    return _Arm(runs=arm.runs, fixed=whole - sum(grows), growing=sum(grows))

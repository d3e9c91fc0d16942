"""One line of a table: what is simulated, how often, and its target."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from showdown.core.traits import Traits
from showdown.verdict.classification.mcnemar import paired_test
from showdown.verdict.paired import PairTest, Side
from showdown.verdict.simulation import SIMULATED, Simulated, Trainings
from showdown.verdict.spread import reruns_of

BASE_SEED = 20261123
_TRAININGS = ("seeds", "spread", "folds", "collapsing", "tails")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One line of a table."""

    part: str
    settings: dict[str, Any]
    times: int
    number: int
    least: float | None = None
    """The least share that meets the target; None where there is none."""
    most: float | None = None

    def rng(self) -> np.random.Generator:
        """Return the random numbers of this line, which do not depend on what runs beside it."""
        return np.random.default_rng([BASE_SEED, sum(self.part.encode()), self.number])

    def __getitem__(self, key: str) -> Any:
        """Return a setting."""
        return self.settings[key]

    def get(self, key: str, default: Any) -> Any:
        """Return a setting, or a default."""
        return self.settings.get(key, default)

    @property
    def trainings(self) -> Trainings:
        """Return the trainings that the settings describe."""
        return Trainings(**{key: value for key, value in self.settings.items() if key in _TRAININGS})

    def meets(self, share: float | None) -> bool | None:
        """Return whether a share meets the target; None where there is no target, or no share."""
        if share is None or (self.least is None and self.most is None):
            return None
        return (self.least or 0.0) <= share <= (1.0 if self.most is None else self.most)


Line = dict[str, Any]
Lines = list[tuple[Line, float | None, float | None]]
"""Settings of each line, with the least and the most share that meet its target."""
Part = tuple[Callable[[Cell], dict[str, float | None]], int, Callable[[], Lines]]
"""A simulation, how many comparisons a line it has by default, and its lines."""


def grid(**axes: Sequence[Any]) -> list[Line]:
    """Return every combination."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def with_target(lines: Sequence[Line], least: float | None = None, most: float | None = None) -> Lines:
    """Give all lines the same target."""
    return [(line, least, most) for line in lines]


def shares(hits: int, times: int) -> dict[str, float | None]:
    """Return a share with its exact 95 % interval (Clopper and Pearson 1934)."""
    if not times:
        return {"share": None, "low": 0.0, "high": 1.0, "of": 0}
    interval = stats.binomtest(hits, times).proportion_ci(0.95, method="exact")
    return {"share": hits / times, "low": float(interval.low), "high": float(interval.high), "of": times}


def tests_of(drawn: Simulated, traits: Traits = SIMULATED) -> dict[tuple[int, int], PairTest]:
    """Test every pair of simulated methods as the verdict does, each told what to expect by the others."""
    rows = [drawn.row(index, traits) for index in range(len(drawn.predicted))]
    sides = [Side(values=row.parts[0].values, reruns=reruns_of(row, rows), folds=drawn.folds) for row in rows]
    pairs = itertools.combinations(range(len(rows)), 2)
    return {(a, b): paired_test(sides[a], sides[b], drawn.clusters) for a, b in pairs}

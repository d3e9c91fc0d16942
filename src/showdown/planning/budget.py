"""Which seeds, folds and trials a sum of money buys, and what they would leave undecided."""

from collections.abc import Iterator
from math import comb
from typing import Any

from showdown.core.errors import UserError
from showdown.core.forecast import ArmForecast, Forecast, Range
from showdown.core.forecast_words import is_scoring, is_training, is_tuning, scaled
from showdown.core.spec import TuningSpec
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.core.strict import Strict
from showdown.data.prepare import Prepared
from showdown.planning.power import Size, detectable, power
from showdown.runner.prepared import Ready

POINTS = (1.0, 2.0, 5.0)
"""Differences that matter, beside the comparison's own margin."""
_SEEDS = range(1, 6)
_FOLDS = (3, 5, 10)
_TRIALS = 4
"""Of the short search that `auto` stands for."""
_LEAST_TEXTS = 2
"""Of the rarest label in each fold's test rows."""


class Option(Strict):
    """A size of the comparison, its cost, and what it can decide."""

    seeds: int
    folds: int
    """1 is a single split, or as many partitions as the comparison names."""
    trials: int
    cost: Range
    test_rows: int
    """Independent ones, over all folds."""
    detectable_points: float
    """The least difference that is found with power 0.8."""
    power: dict[str, float]
    """By points of difference, the chance of finding it."""
    settings: list[str]
    """Each as `--set` takes it; empty for the comparison as it is."""


class BudgetPlan(Strict):
    """What money buys."""

    budget: float
    currency: str | None
    asked: Option
    """The comparison as it is."""
    fits: list[Option]
    """The best within the budget with a search for rates and without one, what finds more first; may be empty."""
    cheapest: Option
    left_out: list[str]
    """Arms that do not fit the device; they cost nothing here."""


class _Options:
    """All sizes of one comparison."""

    def __init__(self, ready: Ready, prepared: Prepared, forecast: Forecast) -> None:
        comparison = ready.comparison
        assert isinstance(comparison.seeds, list)
        assert forecast.cost is not None
        self._ready, self._prepared = ready, prepared
        self._arms = [arm for arm in forecast.arms if arm.fits is not False]
        self._pairs = max(1, comb(len(self._arms), 2))
        self._points = sorted({*POINTS, comparison.margin_points})
        tuning = comparison.protocol.tuning
        self.asked = (len(comparison.seeds), ready.partitions, tuning.trials if isinstance(tuning, TuningSpec) else 0)
        self._cost = forecast.cost
        self._busy = self._seconds(*self.asked)

    def of(self, seeds: int, folds: int, trials: int) -> Option:
        """Return one size with its cost."""
        rows = self._tested(folds)
        size = Size(rows=rows, seeds=seeds, folds=folds)
        return Option(
            seeds=seeds,
            folds=folds,
            trials=trials,
            cost=scaled(self._cost, self._seconds(seeds, folds, trials) / self._busy if self._busy else 1.0),
            test_rows=rows,
            detectable_points=100 * detectable(size, self._pairs),
            power={f"{points:g}": power(size, points / 100, self._pairs) for points in self._points},
            settings=self._settings(seeds, folds, trials),
        )

    def every(self) -> Iterator[Option]:
        """Yield all sizes that may be chosen among, that of the comparison included."""
        for folds in sorted({self.asked[1], *self._other_folds()}):
            for seeds in sorted({self.asked[0], *_SEEDS}):
                for trials in sorted({0, _TRIALS, self.asked[2]}):
                    yield self.of(seeds, folds, trials)

    def _other_folds(self) -> list[int]:
        if self._ready.split.kind not in ("single", "kfold"):
            return []
        rows = self._prepared.rows
        texts: dict[int, set[int]] = {}
        for target, group in zip(rows.targets, rows.duplicate_groups, strict=False):
            texts.setdefault(target, set()).add(group)
        rarest = min(map(len, texts.values())) if texts else self._groups(range(len(rows.row_ids)))
        return [1, *(folds for folds in _FOLDS if rarest >= _LEAST_TEXTS * folds)]

    def _groups(self, places: Any) -> int:
        return len({self._prepared.rows.duplicate_groups[place] for place in places})

    def _tested(self, folds: int) -> int:
        """Return the independent rows that are tested with so many folds."""
        if folds == self.asked[1]:
            partitions = self._prepared.partitions
            if self._ready.split.kind == "repeated":
                return self._groups(partitions[0].test)
            return self._groups({place for part in partitions for place in part.test})
        everything = self._groups(range(len(self._prepared.rows.row_ids)))
        return everything if folds > 1 else max(1, round(SingleSplit().test * everything))

    def _shares(self, folds: int) -> tuple[float, float]:
        """Return the training and test rows of a partition with so many folds, over all rows."""
        if folds == self.asked[1]:
            first = self._prepared.partitions[0]
            rows = len(first.train) + len(first.validation) + len(first.test)
            return len(first.train) / rows, len(first.test) / rows
        if folds == 1:
            return SingleSplit().train, SingleSplit().test
        return 1 - 1 / folds - KFoldSplit().validation, 1 / folds

    def _seconds(self, seeds: int, folds: int, trials: int) -> float:
        """Return the expected seconds of all runs together."""
        was_seeds, was_folds, was_trials = self.asked
        (train, test), (was_train, was_test) = self._shares(folds), self._shares(was_folds)
        times = seeds * folds / (was_seeds * was_folds)
        return times * sum(
            arm.runs * self._of_run(arm, train / was_train, test / was_test, trials, was_trials) for arm in self._arms
        )

    def _of_run(self, arm: ArmForecast, train: float, test: float, trials: int, was_trials: int) -> float:
        found = 0.0
        for phase, seconds in arm.seconds.items():
            if is_tuning(phase):
                found += seconds.expected * train * trials / was_trials if was_trials else 0.0
            else:
                found += seconds.expected * (train if is_training(phase) else test if is_scoring(phase) else 1.0)
        if trials and not was_trials and arm.peak_gb is not None:
            once = sum(seconds.expected for phase, seconds in arm.seconds.items() if not is_scoring(phase))
            found += trials * once * train
        return found

    def _settings(self, seeds: int, folds: int, trials: int) -> list[str]:
        was_seeds, was_folds, was_trials = self.asked
        found = [] if seeds == was_seeds else [f"seeds=[{','.join(map(str, range(seeds)))}]"]
        if folds != was_folds:
            kind = "{kind: single}" if folds == 1 else f"{{kind: kfold, folds: {folds}}}"
            found.append(f"protocol.split={kind}")
        if trials != was_trials:
            found.append(f"protocol.tuning={f'{{trials: {trials}}}' if trials else 'null'}")
        return found


def budget_plan(ready: Ready, prepared: Prepared, forecast: Forecast, budget: float) -> BudgetPlan:
    """Return which sizes of a comparison a sum of money buys, by the expected cost.

    The size that finds the smallest differences is the best; of equal ones the cheaper.

    Args:
        ready: the comparison.
        prepared: its rows.
        forecast: with its cost.
        budget: in the currency of the forecast.

    Raises:
        UserError: for a forecast without a price.

    """
    if forecast.cost is None:
        raise UserError(f"--budget: no price is known for {forecast.device.name}; give yours with --price-per-hour")
    options = _Options(ready, prepared, forecast)
    every = list(options.every())
    bought = [one for one in every if one.cost.expected <= budget]
    searched, plain = [one for one in bought if one.trials], [one for one in bought if not one.trials]
    found = [min(some, key=lambda one: (_points(one), one.cost.expected)) for some in (searched, plain) if some]
    return BudgetPlan(
        budget=budget,
        currency=forecast.currency,
        asked=options.of(*options.asked),
        fits=sorted(found, key=_points),
        cheapest=min(every, key=lambda one: one.cost.expected),
        left_out=[arm.name for arm in forecast.arms if arm.fits is False],
    )


def _points(one: Option) -> float:
    """Return the least difference that is found; a tenth of a point makes no size better."""
    return round(one.detectable_points, 1)

"""The search for a learning rate: which one to try next, and which one won.

The next rate depends on the finished trials alone, so that a search that was killed continues exactly as it would have
without the kill. Most of the budget goes to rates at equal distances on a log scale over the method's range, from its
middle outwards and including its ends. The rest goes beyond an end of the range, if the best rate lies there, or to the
tree of Parzen estimators (Bergstra et al., NIPS 2011; Optuna, arXiv 1907.10902).

A trial is a training of its own with the schedule of a run: it continues until it has converged. No trial is stopped
early for being behind, since a rate that starts slowly may end highest.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from showdown.core.strict import Strict
from showdown.core.task import selection_key

if TYPE_CHECKING:
    import optuna

_NAME = "learning_rate"
_SPARE = 4
"""One trial of so many is left for what follows the grid."""
MAX_WIDENINGS = 2
WIDENING_FACTOR = math.sqrt(10.0)
"""Half a decade beyond the end."""
_AT_THE_EDGE = 0.05
"""A rate this near to an end, as a share of the range on the log scale, is at the edge."""
HIGHEST_RATE = 1.0

Origin = Literal["grid", "parzen", "widened"]


class Trial(Strict):
    """One training at one learning rate, judged on the validation examples.

    Files keep the names that results of classification have.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    number: int
    learning_rate: float
    origin: Origin
    state: Literal["completed", "diverged"]
    converged: bool | None
    """None for a trial that diverged."""
    metric_by_epoch: list[float] = Field(validation_alias="f1_macro_by_epoch", serialization_alias="f1_macro_by_epoch")
    """Of the task's `curve_metric`, on the validation examples."""
    loss_by_epoch: list[float]
    metric: float | None = Field(validation_alias="f1_macro", serialization_alias="f1_macro")
    """Of the epoch that the protocol selects; None for a trial that diverged. So for the next two."""
    loss: float | None
    score: float | None = Field(validation_alias="true_label_probability", serialization_alias="true_label_probability")
    """Selection score, by which trials are compared."""
    seconds: float
    """Including the loading of the network."""


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What a search is given; the number of trials and the most epochs are equal for all methods."""

    low: float
    high: float
    trials: int
    epochs: int
    widen: bool
    seed: int


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What to try next."""

    number: int
    learning_rate: float
    origin: Origin


def propose(plan: SearchPlan, trials: Sequence[Trial]) -> Proposal | None:
    """Return what to try after these trials; None when the budget is spent."""
    number = len(trials)
    if number >= plan.trials:
        return None
    grid = _grid(plan)
    if number < len(grid):
        return Proposal(number=number, learning_rate=grid[number], origin="grid")
    beyond = _beyond(plan, trials)
    if beyond is not None:
        return Proposal(number=number, learning_rate=beyond, origin="widened")
    low, high = span(plan, trials)
    rate = _study(plan, trials).ask().suggest_float(_NAME, low, high, log=True)
    return Proposal(number=number, learning_rate=rate, origin="parzen")


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the best selection score, the earlier one among equals; None where none completed."""
    done = [(selection_key(trial.score, trial.loss or 0.0), trial) for trial in trials if trial.score is not None]
    return max(done, key=lambda one: (one[0], -one[1].number), default=(None, None))[1]


def span(plan: SearchPlan, trials: Sequence[Trial]) -> tuple[float, float]:
    """Return the lowest and the highest rate of the range after its widenings."""
    beyond = [trial.learning_rate for trial in trials if trial.origin == "widened"]
    return min([plan.low, *beyond]), max([plan.high, *beyond])


def at_edge(plan: SearchPlan, trials: Sequence[Trial]) -> Literal["low", "high"] | None:
    """Return the end of the range at which the best rate lies; the low one where every trial diverged."""
    best = best_trial(trials)
    if best is None:
        return "low"
    low, high = span(plan, trials)
    place = math.log(best.learning_rate / low) / math.log(high / low)
    if place <= _AT_THE_EDGE:
        return "low"
    return "high" if place >= 1.0 - _AT_THE_EDGE else None


def _grid(plan: SearchPlan) -> list[float]:
    """Return an odd number of rates at equal distances on a log scale, the middle one first, then outwards."""
    count = plan.trials - plan.trials // _SPARE
    count -= 1 - count % 2
    steps = [index / max(1, count - 1) for index in range(count)]
    between = [plan.low * (plan.high / plan.low) ** step for step in steps[1:-1]]
    return sorted([plan.low, *between, plan.high], key=lambda rate: abs(math.log(rate * rate / plan.low / plan.high)))


def _beyond(plan: SearchPlan, trials: Sequence[Trial]) -> float | None:
    """Return a rate beyond the range where the best lies at its end and it may be widened."""
    widenings = sum(trial.origin == "widened" for trial in trials)
    if not plan.widen or widenings >= MAX_WIDENINGS:
        return None
    low, high = span(plan, trials)
    edge = at_edge(plan, trials)
    if edge == "low":
        return low / WIDENING_FACTOR
    return min(HIGHEST_RATE, high * WIDENING_FACTOR) if edge == "high" and high < HIGHEST_RATE else None


def _study(plan: SearchPlan, trials: Sequence[Trial]) -> "optuna.Study":
    """Return a study with these trials, its random draws fixed by the plan's seed and the number of trials."""
    import numpy as np
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int(np.random.SeedSequence([plan.seed % 2**64, len(trials)]).generate_state(1)[0])
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=1))
    low, high = span(plan, trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for trial in trials:
            study.add_trial(_frozen(trial, low, high))
    return study


def _frozen(trial: Trial, low: float, high: float) -> "optuna.trial.FrozenTrial":
    """Return a trial as Optuna keeps it; one that diverged counts as the worst there can be."""
    import optuna

    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.COMPLETE,
        value=trial.score or 0.0,
        params={_NAME: trial.learning_rate},
        distributions={_NAME: optuna.distributions.FloatDistribution(low, high, log=True)},
    )

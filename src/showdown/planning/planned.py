"""The plan of a comparison: its forecast on devices that need not be here, from a model without weights."""

from contextlib import suppress
from functools import partial
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.forecast import Forecast
from showdown.core.metric import CLASSIFICATION
from showdown.core.notebook import html_list, html_table, text_table
from showdown.core.spec import Comparison, ModelSpec, TuningSpec
from showdown.core.strict import Strict
from showdown.models.chat_template import with_chat_template
from showdown.models.described import DescribedModel
from showdown.models.source import pin
from showdown.models.usable import refuse_kind
from showdown.planning.budget import BudgetPlan, budget_plan
from showdown.planning.lines import HEADINGS, cells, misfits, whole
from showdown.runner.chats import chats_of
from showdown.runner.chosen import with_chosen
from showdown.runner.device import Devices
from showdown.runner.foresee import foresee, quiet
from showdown.runner.plan import plan
from showdown.runner.preparation import settle
from showdown.runner.resume import left_of
from showdown.runner.store import Store
from showdown.tasks.table import task_named

WHOLE, REST = "The whole comparison", "What is left"
"""Of which a plan says how long it takes."""


class Planned(Strict):
    """What a comparison will need, and what money buys of it."""

    name: str
    task: str = CLASSIFICATION
    model: str
    rows: dict[str, int]
    """Of each side of a usual partition."""
    seeds: list[int]
    split: str
    """Its kind."""
    partitions: int
    trials: int
    """Of the search for a learning rate, for each run; 0 without one."""
    choices: list[str]
    """What was chosen for `auto`, a line each."""
    runs: int
    """Of the whole comparison."""
    done: int = 0
    """Of these, the runs that are finished in a folder; the forecast is of the others."""
    done_in: str | None = None
    """That folder; None where no run is done."""
    forecast: Forecast
    budget: BudgetPlan | None = None

    @property
    def about(self) -> list[str]:
        """What is planned, and what was chosen for `auto`, a line each."""
        rows = ", ".join(f"{count:,} {side}" for side, count in self.rows.items())
        part = "folds" if self.split == "kfold" else "repeats"
        partitions = "one split" if self.partitions == 1 else f"{self.partitions} {part}"
        seeds = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        search = f"{self.trials} trials for each rate" if self.trials else "rates not searched"
        return [
            f"Plan of {self.name}: {self.model}, {self.task}; {rows} rows; {partitions}, {seeds}, {search}",
            *self.choices,
            *self._said_of_done,
        ]

    @property
    def _said_of_done(self) -> list[str]:
        if not self.done:
            return []
        left = self.runs - self.done
        rest = f"counted below: the other {left}" if left else "nothing is left to run"
        return [f"{self.done} of {self.runs} runs are done in {self.done_in}; {rest}"]

    @property
    def fitting(self) -> list[str]:
        """Names of the arms that surely fit the device, or train nothing."""
        return [arm.name for arm in self.forecast.arms if arm.fits is not False]

    def __repr__(self) -> str:
        """Return a line an arm, and what the whole takes; all of it is in the fields."""
        return "\n".join([*self.about, text_table(HEADINGS, self._cells), *self._below])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_table("; ".join(self.about), HEADINGS, self._cells) + html_list("What it rests on", self._below)

    @property
    def _cells(self) -> list[list[str]]:
        return [cells(arm, self.forecast) for arm in self.forecast.arms]

    @property
    def _below(self) -> list[str]:
        return [*misfits(self.forecast), *self.whole]

    @property
    def whole(self) -> list[str]:
        """What all runs that are counted take, unless none is, and what that rests on, a line each."""
        found = whole(self.forecast, REST if self.done else WHOLE)
        return found if self.done < self.runs else found[1:]


def planned(
    comparison: Comparison, devices: Devices, budget: float | None = None, output: Path | None = None
) -> Planned:
    """Plan a comparison. Its data are read, and of its model the configuration and, where it is there, the tokenizer.

    Args:
        comparison: what to plan.
        devices: on which it would run.
        budget: money, in the currency of the devices' price. What it buys are whole comparisons.
        output: the comparison's folder, whose finished runs are not counted; None to count all runs.

    Raises:
        UserError: for bad data, a model that nothing describes, or a budget without a price.

    """
    store = None if output is None or not Store(output).runs_folder.is_dir() else Store(output)
    model = with_chat_template(comparison.model) if store is None else _as_runs_have_it(comparison.model)
    described = DescribedModel.of(model, weights=False)
    refuse_kind(described.architecture, described.name, task_named(comparison.task))
    chats = chats_of(comparison, described) if described.tokenizer is not None else None
    before = None if store is None else partial(with_chosen, model=model, store=store)
    ready, prepared = settle(comparison, described, chats, gpu=devices.profile.kind == "gpu", before=before)
    specs = plan(ready, model)
    left = specs if store is None else left_of(specs, store)
    forecast_of = partial(foresee, ready, prepared, model, described, devices, cheapest=True)
    with quiet():
        forecast = forecast_of(left=left)
        of_all = forecast_of() if budget is not None and len(left) < len(specs) else forecast
    tuning, seeds = ready.comparison.protocol.tuning, ready.comparison.seeds
    assert isinstance(seeds, list)
    return Planned(
        name=comparison.name,
        task=comparison.task,
        model=comparison.model.id,
        rows={side: len(prepared.side(side)) for side in ("train", "validation", "test")},
        seeds=seeds,
        split=ready.split.kind,
        partitions=ready.partitions,
        trials=tuning.trials if isinstance(tuning, TuningSpec) else 0,
        choices=ready.choices,
        runs=len(specs),
        done=len(specs) - len(left),
        done_in=str(output) if len(left) < len(specs) else None,
        forecast=forecast,
        budget=None if budget is None else budget_plan(ready, prepared, of_all, budget),
    )


def _as_runs_have_it(model: ModelSpec) -> ModelSpec:
    """Return a model with its revision, by which finished runs are known; without one where no run can have used it."""
    with suppress(UserError):
        return pin(model, weights=False)
    return with_chat_template(model)

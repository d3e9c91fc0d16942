"""Which saved models stay on the disk, by the comparison's `keep_models`."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Literal

from showdown.core.metric import METRICS
from showdown.core.metric_choice import automatic_for_writing
from showdown.core.record import RunRecord
from showdown.runner.store import Store


class KeptModels:
    """Removes the saved models of completed runs that are not kept; any other run may still need its model."""

    def __init__(self, store: Store, keep: Literal["none", "best", "all"], order: Mapping[str, int]) -> None:
        """Prepare.

        Args:
            store: the comparison's folder.
            keep: none, the best of every arm, or all.
            order: place in the table of each run, by run id.

        """
        self._store, self._keep, self._order = store, keep, order
        self._best: dict[str, RunRecord] = {}

    def add(self, record: RunRecord) -> None:
        """Take in a run that is over; it, or the one that it is better than, loses its model."""
        if self._keep == "all" or record.status != "completed":
            return
        runs = [record] if self._keep == "none" else [*filter(None, [self._best.get(record.name)]), record]
        runs.sort(key=lambda run: self._order[run.run_id])
        kept = best_of_each_arm(runs) if self._keep == "best" else []
        for best in kept:
            self._best[record.name] = best
        for run in runs:
            if run not in kept:
                shutil.rmtree(self._store.run_folder(run.run_id) / "artifact", ignore_errors=True)


def best_of_each_arm(completed: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the run of each arm with the best score on validation rows, the first of equal ones, of runs on all rows.

    The score is macro F1, or of written answers what `auto` takes of the scores that they have.
    """
    arms: dict[str, list[RunRecord]] = {}
    for record in completed:
        if record.spec.train_fraction == 1.0:
            arms.setdefault(record.name, []).append(record)
    higher = METRICS["f1_macro"]  # as all scores are that follow here: more is better
    return [higher.best(runs, _validation_score) or runs[0] for runs in arms.values()]


def _validation_score(run: RunRecord) -> float | None:
    if not run.validation_scores:
        return run.validation_f1_macro
    return run.validation_scores.get(automatic_for_writing(run.validation_scores, None).key)

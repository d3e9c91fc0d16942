"""Which saved models stay on the disk, by the comparison's `keep_models`."""

import shutil
from collections.abc import Iterable, Sequence
from typing import Literal

from showdown.core.metric import METRICS
from showdown.core.record import RunRecord
from showdown.runner.store import Store


def prune_models(store: Store, records: Iterable[RunRecord], keep: Literal["none", "best", "all"]) -> None:
    """Remove the saved models of completed runs that are not kept; any other run may still need its model.

    Args:
        store: the comparison's folder.
        records: of the runs that are over.
        keep: none, the best of every arm, or all.

    """
    if keep == "all":
        return
    completed = [record for record in records if record.status == "completed"]
    kept = set() if keep == "none" else {record.run_id for record in best_of_each_arm(completed)}
    for record in completed:
        if record.run_id not in kept:
            shutil.rmtree(store.run_folder(record.run_id) / "artifact", ignore_errors=True)


def best_of_each_arm(completed: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the run of each arm with the best validation macro F1, the first of equal ones, of runs on all rows."""
    arms: dict[str, list[RunRecord]] = {}
    for record in completed:
        if record.spec.train_fraction == 1.0:
            arms.setdefault(record.name, []).append(record)
    metric = METRICS["f1_macro"]
    return [metric.best(runs, lambda run: run.validation_f1_macro) or runs[0] for runs in arms.values()]

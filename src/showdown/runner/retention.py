"""Which saved models stay on the disk, by the comparison's `keep_models`."""

import shutil
from collections.abc import Iterable, Sequence
from typing import Literal

from showdown.core.metric import METRICS
from showdown.core.metric_choice import automatic_for_writing
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

"""Predicted labels of every arm on every test row, read from the predictions files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from showdown.core.errors import UserError
from showdown.core.predictions import checked_predictions
from showdown.core.record import Results, RunRecord
from showdown.verdict.arms import arms_of
from showdown.verdict.outcomes import ArmOutcomes, Floats, Ints, Outcomes, parts_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers(Outcomes):
    """Predicted labels of one arm on one set of test rows; a row scores 1.0 where its answer is right, else 0.0."""

    OF_ROWS: ClassVar[tuple[str, ...]] = (*Outcomes.OF_ROWS, "true")
    OF_SEEDS: ClassVar[tuple[str, ...]] = ("predicted", "scores")
    values: Floats = field(init=False)
    predicted: Ints
    """Shape (seeds, test rows): index of the predicted label."""
    true: Ints
    """Shape (test rows,): index of the true label."""
    scores: Floats | None = None
    """Shape (seeds, test rows): the score of one label, where a metric asks for it."""

    def __post_init__(self) -> None:
        """Score the answers."""
        object.__setattr__(self, "values", np.asarray(self.predicted == self.true, dtype=np.float64))


def answers_of(row: ArmOutcomes) -> dict[int, Answers]:
    """Return the parts of an arm that answers with labels.

    Raises:
        TypeError: for an arm of another task.

    """
    return parts_of(row, Answers, "predicted labels")


def load_outcomes(results: Results, folder: Path, *, score_of: str | None = None) -> dict[str, ArmOutcomes]:
    """Read the predictions of all completed runs, by arm; a row without a completed run is left out.

    Args:
        results: the comparison.
        folder: its folder; predictions files are named relative to it.
        score_of: the label whose scores are read as well.

    Raises:
        UserError: for a predictions file that is missing or damaged.

    """
    labels = label_places(results)
    return arms_of(results, lambda run: _read(folder, run, labels, score_of))


def label_places(results: Results) -> dict[str, int]:
    """Return the number that stands for each label in `Answers`."""
    names = {label: None for run in results.runs for label in run.labels}
    return {name: index for index, name in enumerate(names)}


def _read(folder: Path, run: RunRecord, labels: dict[str, int], score_of: str | None) -> Answers:
    path = folder / str(run.predictions_file)
    fix = "run the comparison again"
    try:
        lines = checked_predictions(folder, run, score_of=score_of)
        lines.sort(key=lambda line: int(line[0]))
        cells = [(int(line[0]), int(line[1]), labels[line[2]], labels[line[3]]) for line in lines]
        scores = None if score_of is None else np.array([[float(line[-1]) for line in lines]])
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(f"{path}: damaged predictions ({error}); {fix}") from error
    if not cells:
        raise UserError(f"{path}: no predictions in it; {fix}")
    table = np.asarray(cells, dtype=np.int64)
    return Answers(
        row_ids=table[:, 0], clusters=table[:, 1], true=table[:, 2], predicted=table[None, :, 3], scores=scores
    )

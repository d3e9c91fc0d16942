"""Predicted labels of every arm on every test row, read from the predictions files."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from showdown.core.errors import UserError
from showdown.core.predictions import checked_predictions
from showdown.core.record import Results, RunRecord
from showdown.verdict.outcomes import ArmOutcomes, Floats, Ints, Outcomes


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers(Outcomes):
    """Predicted labels of one arm on one set of test rows; a row scores 1.0 where its answer is right, else 0.0."""

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

    def at(self, row_ids: Ints) -> Self:
        """Return the same for these rows alone; all of them must be present."""
        places = np.searchsorted(self.row_ids, row_ids)
        return replace(
            self,
            predicted=self.predicted[:, places],
            true=self.true[places],
            scores=None if self.scores is None else self.scores[:, places],
            clusters=self.clusters[places],
            row_ids=self.row_ids[places],
            folds=None if self.folds is None else self.folds[places],
        )


def answers_of(row: ArmOutcomes) -> dict[int, Answers]:
    """Return the parts of an arm that answers with labels.

    Raises:
        TypeError: for an arm of another task.

    """
    found = {key: part for key, part in row.parts.items() if isinstance(part, Answers)}
    if len(found) < len(row.parts):
        raise TypeError(f"{row.name} has no predicted labels")
    return found


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
    by_name: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        by_name.setdefault(run.name, []).append(run)
    found = {name: _row(name, runs, folder, labels, score_of) for name, runs in by_name.items()}
    return {name: row for name, row in found.items() if row}


def label_places(results: Results) -> dict[str, int]:
    """Return the number that stands for each label in `Answers`."""
    names = {label: None for run in results.runs for label in run.labels}
    return {name: index for index, name in enumerate(names)}


def _row(
    name: str, runs: Sequence[RunRecord], folder: Path, labels: dict[str, int], score_of: str | None
) -> ArmOutcomes | None:
    done = [run for run in runs if run.status == "completed" and run.predictions_file]
    if not done:
        return None
    read = {(run.seed, run.partition): _read(folder, run, labels, score_of) for run in done}
    seeds, partitions = _largest_grid(read.keys())
    split = done[0].spec.protocol.split
    by_partition = {p: _stack([read[seed, p] for seed in seeds], name) for p in partitions}
    trained = split.train * done[0].spec.train_fraction if split.kind == "repeated" else 1.0
    return ArmOutcomes(
        name=name,
        traits=done[0].traits,
        parts=by_partition if split.kind == "repeated" else _pooled(by_partition),
        seeds=len(seeds),
        test_over_train=split.test / trained if split.kind == "repeated" else 0.0,
        notes=tuple(_left_out(name, runs, seeds, partitions)),
    )


def _largest_grid(done: Collection[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return seeds and partitions of which every pair completed: as many pairs as can be; of equals, more partitions.

    Scores of seeds are averaged row by row, so that all seeds must have answered the same test rows.
    """
    of_seed = {seed: {partition for other, partition in done if other == seed} for seed, _ in done}
    choices = [
        ([seed for seed, found in of_seed.items() if found >= partitions], partitions)
        for partitions in of_seed.values()
    ]
    seeds, partitions = max(choices, key=lambda choice: (len(choice[0]) * len(choice[1]), len(choice[1])))
    return sorted(seeds), sorted(partitions)


def _left_out(name: str, runs: Sequence[RunRecord], seeds: Sequence[int], partitions: Sequence[int]) -> Iterator[str]:
    """Yield a sentence on seeds, and on folds or repeats, that do not count, with the reason."""
    lost = Counter(run.status for run in runs if run.status != "completed")
    why = f" ({', '.join(f'{count} {status}' for status, count in lost.items())})" if lost else ""
    every_seed, every_partition = {run.seed for run in runs}, {run.partition for run in runs}
    if len(seeds) < len(every_seed):
        yield (
            f"{name}: {len(every_seed) - len(seeds)} of {len(every_seed)} seeds left out, runs of them did not "
            f"complete{why}: its scores are those of the seeds that did"
        )
    if len(partitions) < len(every_partition):
        yield (
            f"{name}: {len(every_partition) - len(partitions)} of {len(every_partition)} parts of the test rows left "
            f"out, runs on them did not complete{why}"
        )


def _pooled(parts: dict[int, Answers]) -> dict[int, Answers]:
    """Join folds, which share no row, into one part."""
    row_ids = np.concatenate([part.row_ids for part in parts.values()])
    order = np.argsort(row_ids, kind="stable")
    found = list(parts.values())
    return {
        0: Answers(
            predicted=np.concatenate([part.predicted for part in found], axis=1)[:, order],
            true=np.concatenate([part.true for part in found])[order],
            clusters=np.concatenate([part.clusters for part in found])[order],
            row_ids=row_ids[order],
            folds=np.repeat(np.array(list(parts)), [len(part.true) for part in found])[order],
            scores=_joined([part.scores for part in found], axis=1, order=order),
        )
    }


def _stack(runs: Sequence[Answers], name: str) -> Answers:
    """Join the seeds of one partition; all of them tested the same rows."""
    first = runs[0]
    if any(not np.array_equal(run.row_ids, first.row_ids) for run in runs):
        raise UserError(f"{name}: its seeds were tested on different rows; run the comparison again")
    return Answers(
        predicted=np.concatenate([run.predicted for run in runs]),
        true=first.true,
        clusters=first.clusters,
        row_ids=first.row_ids,
        scores=_joined([run.scores for run in runs], axis=0),
    )


def _joined(scores: Sequence[Floats | None], *, axis: int, order: Ints | None = None) -> Floats | None:
    known = [one for one in scores if one is not None]
    if not known:
        return None
    together = np.concatenate(known, axis=axis)
    return together if order is None else together[:, order]


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

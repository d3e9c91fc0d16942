"""Arrays of what every row of the table answered on every test row, read from the predictions files."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
import numpy.typing as npt

from showdown.core.errors import UserError
from showdown.core.predictions import checked_predictions
from showdown.core.record import Results, RunRecord
from showdown.core.traits import Traits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KEPT = 256
"""Of so many `Outcomes` what was computed last is kept: a comparison of 50 rows has 1,225 pairs."""
_ENOUGH = 0.5
"""A row of the table that answered a smaller share of the test rows than this is not compared on common ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Answers of one row of the table on one set of test rows: every seed answered every test row.

    Each is equal to itself alone, so that what is computed from one can be kept for the many pairs that it is in.
    """

    predicted: Ints
    """Shape (seeds, test rows): index of the predicted label."""
    true: Ints
    """Shape (test rows,): index of the true label."""
    clusters: Ints
    """Shape (test rows,): duplicate cluster."""
    row_ids: Ints
    """Shape (test rows,): row of the source, ascending."""
    folds: Ints | None = None
    """Shape (test rows,): which of a seed's trainings answered each row; None where one answered all."""
    scores: Floats | None = None
    """Shape (seeds, test rows): the score of one label, where a metric asks for it."""

    @property
    def correct(self) -> Floats:
        """1.0 where the answer is right, 0.0 elsewhere: shape (seeds, test rows)."""
        return np.asarray(self.predicted == self.true, dtype=np.float64)

    def at(self, row_ids: Ints) -> "Outcomes":
        """The same for these rows alone; all of them must be present."""
        places = np.searchsorted(self.row_ids, row_ids)
        return Outcomes(
            predicted=self.predicted[:, places],
            true=self.true[places],
            clusters=self.clusters[places],
            row_ids=self.row_ids[places],
            folds=None if self.folds is None else self.folds[places],
            scores=None if self.scores is None else self.scores[:, places],
        )


@dataclass(frozen=True, kw_only=True)
class RowOutcomes:
    """All answers of one row of the table.

    One part, where each test row was tested once a seed (one split, or cross-validation with its folds pooled).
    Several parts, where repeated splits test a row more than once: one for each repeat.
    """

    name: str
    traits: Traits
    parts: dict[int, Outcomes]
    """By repeat; the key of a pooled part is 0."""
    seeds: int
    """Seeds in each part."""
    test_over_train: float
    """Test rows for each training row: the correction of Nadeau and Bengio for repeated splits needs it; else 0."""
    notes: tuple[str, ...] = ()

    @property
    def repeated(self) -> bool:
        """Do the parts overlap?"""
        return len(self.parts) > 1


def shared(a: Outcomes, b: Outcomes) -> tuple[Outcomes, Outcomes]:
    """Return both restricted to the test rows that they share, in one order: themselves where these are all."""
    if np.array_equal(a.row_ids, b.row_ids) and (np.diff(a.row_ids) > 0).all():
        return a, b
    rows = np.intersect1d(a.row_ids, b.row_ids)
    return a.at(rows), b.at(rows)


def on_common_rows(outcomes: Mapping[str, RowOutcomes]) -> tuple[dict[str, RowOutcomes], str | None]:
    """Restrict rows of the table to the test rows that all of them answered, so that their scores can be ranked.

    A row that answered fewer than half of the test rows is taken out, since the others would lose too much by it. Of
    repeated splits the repeats that all completed are kept.

    Args:
        outcomes: by row of the table.

    Returns:
        The rows on common test rows, empty where no test row is common, and a sentence that says what was left out;
        None where nothing was.

    """
    answered = {name: _answered(row.parts) for name, row in outcomes.items()}
    most = max(answered.values(), default=0)
    kept = {name: row for name, row in outcomes.items() if answered[name] >= _ENOUGH * most}
    said = [
        f"{name} answered {answered[name]} of {most} test rows, too few to compare it with the others"
        for name in outcomes
        if name not in kept
    ]
    common = _common_parts([row.parts for row in kept.values()])
    if kept and not common:
        return {}, f"No test row was answered by all of {', '.join(kept)}: they cannot be ranked."
    found = {
        name: replace(row, parts={key: row.parts[key].at(ids) for key, ids in common.items()})
        for name, row in kept.items()
    }
    if any(_answered(found[name].parts) < answered[name] for name in found):
        fewer = [f"{name} ({answered[name]})" for name in kept if answered[name] < most]
        because = f"{', '.join(fewer)} did not answer all {most}" if fewer else "they were tested on different rows"
        left = sum(len(ids) for ids in common.values())
        said.append(f"Scores are compared on the {left} test rows that all of {', '.join(kept)} answered: {because}")
    return found, " ".join(f"{part}." for part in said) or None


def _answered(parts: Mapping[int, Outcomes]) -> int:
    return sum(len(part.true) for part in parts.values())


def _common_parts(every: Sequence[Mapping[int, Outcomes]]) -> dict[int, Ints]:
    """Return the test rows that all answered, by part; parts without any are left out."""
    keys = [key for key in (every[0] if every else {}) if all(key in parts for parts in every)]
    found = {key: reduce(np.intersect1d, [parts[key].row_ids for parts in every]) for key in keys}
    return {key: ids for key, ids in found.items() if len(ids)}


def load_outcomes(results: Results, folder: Path, *, score_of: str | None = None) -> dict[str, RowOutcomes]:
    """Read the predictions of all completed runs, by row of the table; a row without a completed run is left out.

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
    """Return the number that stands for each label in `Outcomes`."""
    names = {label: None for run in results.runs for label in run.labels}
    return {name: index for index, name in enumerate(names)}


def _row(
    name: str, runs: Sequence[RunRecord], folder: Path, labels: dict[str, int], score_of: str | None
) -> RowOutcomes | None:
    done = [run for run in runs if run.status == "completed" and run.predictions_file]
    if not done:
        return None
    read = {(run.seed, run.partition): _read(folder, run, labels, score_of) for run in done}
    seeds, partitions = _largest_grid(read.keys())
    split = done[0].spec.protocol.split
    by_partition = {p: _stack([read[seed, p] for seed in seeds], name) for p in partitions}
    trained = split.train * done[0].spec.train_fraction if split.kind == "repeated" else 1.0
    return RowOutcomes(
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
    """Say which seeds and folds or repeats do not count, and why."""
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


def _pooled(parts: dict[int, Outcomes]) -> dict[int, Outcomes]:
    """Join folds, which share no row, into one part."""
    row_ids = np.concatenate([part.row_ids for part in parts.values()])
    order = np.argsort(row_ids, kind="stable")
    found = list(parts.values())
    return {
        0: Outcomes(
            predicted=np.concatenate([part.predicted for part in found], axis=1)[:, order],
            true=np.concatenate([part.true for part in found])[order],
            clusters=np.concatenate([part.clusters for part in found])[order],
            row_ids=row_ids[order],
            folds=np.repeat(np.array(list(parts)), [len(part.true) for part in found])[order],
            scores=_joined([part.scores for part in found], axis=1, order=order),
        )
    }


def _stack(runs: Sequence[Outcomes], name: str) -> Outcomes:
    """Join the seeds of one partition; all of them tested the same rows."""
    first = runs[0]
    if any(not np.array_equal(run.row_ids, first.row_ids) for run in runs):
        raise UserError(f"{name}: its seeds were tested on different rows; run the comparison again")
    return Outcomes(
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


def _read(folder: Path, run: RunRecord, labels: dict[str, int], score_of: str | None) -> Outcomes:
    path = folder / str(run.predictions_file)
    mend = "run the comparison again"
    try:
        lines = checked_predictions(folder, run, score_of=score_of)
        lines.sort(key=lambda line: int(line[0]))
        cells = [(int(line[0]), int(line[1]), labels[line[2]], labels[line[3]]) for line in lines]
        scores = None if score_of is None else np.array([[float(line[-1]) for line in lines]])
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(f"{path}: damaged predictions ({error}); {mend}") from error
    if not cells:
        raise UserError(f"{path}: no predictions in it; {mend}")
    table = np.asarray(cells, dtype=np.int64)
    return Outcomes(
        row_ids=table[:, 0], clusters=table[:, 1], true=table[:, 2], predicted=table[None, :, 3], scores=scores
    )

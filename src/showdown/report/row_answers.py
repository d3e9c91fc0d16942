"""What each method wrote for each test row, read from the predictions files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from showdown.core.metric import Metric
from showdown.core.record import Results, RunRecord
from showdown.core.written import WrittenRows, read_written

ALIKE = 1e-9
"""Scores that differ by less are the same."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What one arm wrote for a row: one entry a seed."""

    texts: list[str]
    values: list[float]
    exact: list[bool]
    finished: list[bool]
    cluster: int

    @property
    def place(self) -> int:
        """Return the seed whose answer is shown."""
        ((most, _),) = Counter(self.texts).most_common(1)
        return self.texts.index(most)

    @property
    def right(self) -> bool:
        """Return whether that answer is as wanted, after normalisation."""
        return self.exact[self.place]

    @property
    def value(self) -> float | None:
        """Return the mean score over seeds; None without one."""
        return fmean(self.values) if self.values else None


def writers(results: Results) -> dict[str, list[RunRecord]]:
    """Return the completed runs that wrote answers, by arm; floors are left out."""
    found: dict[str, list[RunRecord]] = {}
    for run in results.full_size.runs:
        if run.status == "completed" and run.writing and run.traits.role != "floor":
            found.setdefault(run.name, []).append(run)
    return found


def answers_by_row(runs: Sequence[RunRecord], folder: Path, metric: Metric) -> dict[int, Answered]:
    """Return what an arm wrote for each row, by all seeds of the first split that tested it.

    Args:
        runs: completed runs of one arm.
        folder: the comparison's folder, where the predictions files lie.
        metric: what rows score; of a metric of losses the loss a token, through its function.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    found: dict[int, Answered] = {}
    split: dict[int, int] = {}
    for run in sorted(runs, key=lambda run: run.partition):
        written = read_written(folder, run)
        values = _values(written, metric)
        exact = written.scores.get("exact_match") or values or [0.0] * len(written.row_ids)
        for place, row in enumerate(written.row_ids):
            if split.setdefault(row, run.partition) != run.partition:
                continue
            one = found.setdefault(
                row, Answered(texts=[], values=[], exact=[], finished=[], cluster=written.clusters[place])
            )
            one.texts.append(written.answers[place])
            one.exact.append(exact[place] >= 1.0 - ALIKE)
            one.finished.append(written.finished[place])
            if values:
                one.values.append(values[place])
    return found


def _values(written: WrittenRows, metric: Metric) -> Sequence[float] | None:
    """Return what each row scores; of a metric of losses the loss a token, through its function."""
    if metric.of_token_loss is None:
        return written.scores.get(metric.key)
    if written.losses is None or written.loss_tokens is None:
        return None
    import numpy as np

    by_token = np.asarray(written.losses) / np.maximum(1, np.asarray(written.loss_tokens))
    return [float(value) for value in metric.of_token_loss(by_token)]

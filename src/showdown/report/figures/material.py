"""The data of figures: the records, the verdict, and the files of runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from showdown.core.curve import read_curve
from showdown.core.metric import Metric
from showdown.core.record import Results, RunRecord
from showdown.core.samples import Sample, read_samples
from showdown.report.figures.design import MOST_OF_A_TITLE, Style, spelling, styles
from showdown.report.pool import OWN_ROWS, highest
from showdown.verdict.model import ArmVerdict, Verdict


@dataclass(frozen=True, kw_only=True)
class Material:
    """A comparison with everything that figures need."""

    results: Results
    verdict: Verdict
    folder: Path

    @cached_property
    def looks(self) -> dict[str, Style]:
        """The look of every arm."""
        return styles(self.results.full_size)

    @cached_property
    def titles(self) -> dict[str, str]:
        """The title of each arm above its panel."""
        return spelling(list(self.looks), MOST_OF_A_TITLE)

    @cached_property
    def metric(self) -> Metric:
        """The metric of the verdict."""
        return self.verdict.ranking_metric

    @cached_property
    def scored(self) -> list[ArmVerdict]:
        """The arms that have scores."""
        return [row for row in self.verdict.rows if row.score]

    @cached_property
    def cut_short_sentence(self) -> str:
        """Return the sentence behind a caption that names the arms that had not converged; empty where all had."""
        names = [row.name for row in self.scored if row.cut_short]
        return f" Had not converged: {', '.join(names)}." if names else ""

    @cached_property
    def own_rows_sentence(self) -> str:
        """Return the sentence behind a caption where scores by label are not of the common test rows; else empty."""
        return f" {OWN_ROWS}" if self.verdict.left_out else ""

    @cached_property
    def done(self) -> dict[str, list[RunRecord]]:
        """Completed runs on all training rows, by arm; arms without one are left out."""
        found: dict[str, list[RunRecord]] = {}
        for run in self.results.full_size.runs:
            if run.status == "completed":
                found.setdefault(run.name, []).append(run)
        return found

    def curve(self, run: RunRecord) -> dict[str, Any] | None:
        """Return a run's training and validation curve; None where it has none or the file is gone."""
        if run.curve_file is None:
            return None
        return read_curve(self.folder / run.curve_file)

    def samples(self, run: RunRecord) -> list[Sample]:
        """Return the samples of the system while a run went on, in order; empty where there are none."""
        return read_samples(self.folder / run.system_file) if run.system_file else []

    def highest(self, most: int) -> list[str]:
        """Return the arms with the highest accuracy, at most so many, in the order of the table."""
        return highest(self.done, most)

    @cached_property
    def sampled(self) -> dict[str, list[Sample]]:
        """Return the samples of the first run of each arm that has any."""
        found = {}
        for name, runs in self.done.items():
            for run in runs:
                samples = self.samples(run)
                if len(samples) > 1:
                    found[name] = samples
                    break
        return found


def thinned(
    values: Sequence[tuple[float, float]], most: int, merge: Callable[[Sequence[float]], float] = fmean
) -> list[tuple[float, float]]:
    """Return at most so many points: as they are, or neighbours merged at their mean place."""
    size = -(-len(values) // most)
    if size <= 1:
        return list(values)
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    return [(fmean(x for x, _ in part), merge([y for _, y in part])) for part in parts]

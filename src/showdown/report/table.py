"""The comparison table as plain cells, the same for every format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.metric import ACCURACY, METRICS, Metric, metric_named
from showdown.core.record import Results, RunRecord
from showdown.report.notes import (
    CUT_SHORT,
    CUT_SHORT_NOTE,
    agreement,
    costs,
    differences,
    events,
    reading,
    settings,
    some,
    without_interval,
)
from showdown.verdict.cost import three_digits
from showdown.verdict.leak import leak_warning
from showdown.verdict.model import NOT_COMPARED, RowVerdict, Verdict
from showdown.verdict.pair_words import pair_of

_NOTICEABLE_POINTS = 0.1
"""Of accuracy: the last digit that the table shows."""
_LARGE = 1000.0
"""From here on a decimal says nothing."""
_DIVERGED_NOTE = "Runs that diverged have no score: a row's score is that of its other runs."


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its heading and what it shows of a completed run."""

    heading: str
    value: Callable[[RunRecord], float | None]
    show: Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings and cells; a row that did not complete says so in its second cell, and its others are empty."""

    above: list[str]
    """What must be read before the table."""
    headings: list[str]
    rows: list[list[str]]
    best: frozenset[tuple[int, int]]
    """Row and column of the cells to mark: the highest score, the least of what costs. What does nothing is not asked:
    the majority label, and a cost of 0."""
    near: frozenset[int]
    """Rows whose score, in the second column, was not shown to differ from the highest one."""
    score: str
    """What that score is called."""
    score_columns: int
    """Columns behind the first in which more is better, the interval among them."""
    footnotes: list[str]
    """What the marks in the titles mean; empty where there are none."""
    verdict: list[str]
    """What the numbers say, in sentences, the most important first."""
    reading: list[str]
    """How to read the columns, the costs included."""
    costs: list[str]
    """What one model of each row costs, and at which price."""
    events: list[str]
    """What failed, and what must be known of single runs."""
    settings: list[str]
    """Each row's own."""
    differing: list[str]
    """What differs between rows beyond the method and its settings."""
    recommendation: list[str]
    """What to take, what must be known first, and why, in sentences."""

    @property
    def marks(self) -> list[str]:
        """What all marks mean, for a format that has bold cells and daggers."""
        near = f"†: no difference from the highest {self.score} was shown."
        return [f"Bold: the best measured in a column. {near}", *self.footnotes]

    @property
    def below(self) -> list[str]:
        """All that stands beneath the table."""
        return [*self.reading, *self.events, *self.settings, *self.differing]


def _training_peak(record: RunRecord) -> float | None:
    peak = record.peak_memory_allocated_gb
    return peak.training if peak else None


def _amount(value: float) -> str:
    return f"{value:.1f}" if value < _LARGE else f"{value:.0f}"


COLUMNS: tuple[Column, ...] = (
    Column(heading="Train s", value=lambda run: run.train_seconds, show=_amount),
    Column(heading="Total s", value=lambda run: run.total_seconds, show=_amount),
    Column(heading="Memory GB", value=_training_peak, show=lambda value: f"{value:.2f}"),
    Column(
        heading="Trained params", value=lambda run: run.trainable_parameters, show=lambda value: counted(int(value))
    ),
    Column(heading="Saved MB", value=lambda run: run.model_size_mb, show=_amount),
    Column(heading="Latency ms", value=lambda run: run.latency_p50_ms, show=_amount),
)


def counted(number: int) -> str:
    """Return a count with three significant digits and K, M or B."""
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def comparison_table(results: Results, verdict: Verdict) -> Table:
    """Lay out a comparison, one row for each name.

    Scores are those of the verdict: over all tested rows, mean over seeds. Times and sizes are means of a run.
    """
    results = results.full_size
    runs = {
        name: [run for run in results.runs if run.name == name] for name in dict.fromkeys(r.name for r in results.runs)
    }
    metric = metric_named(verdict.metric)
    rows = [_row(name, found, verdict) for name, found in runs.items()]
    spent = costs(results, verdict)
    return Table(
        above=_above(results, verdict),
        headings=["Method", *_score_headings(metric), *(column.heading for column in COLUMNS)],
        rows=rows,
        best=_best(rows, list(runs.values()), verdict),
        near=_near(list(runs), verdict),
        score=metric.title,
        score_columns=len(_score_headings(metric)),
        footnotes=_footnotes(verdict.rows),
        verdict=[*verdict.sentences, *verdict.assumptions],
        reading=[*reading(results), *agreement(verdict), *without_interval(verdict), *spent],
        costs=spent,
        events=events(results),
        settings=settings(results),
        differing=differences(verdict.confounds),
        recommendation=recommended(verdict),
    )


def recommended(verdict: Verdict) -> list[str]:
    """Return the recommendation in sentences, what must be known before it is followed among the first."""
    found = verdict.recommendation
    known = [text for text in found.warnings if text not in verdict.sentences]
    return [f"{found.said[0].upper()}{found.said[1:].removesuffix('.')}.", *known, *found.reasons]


def _footnotes(rows: Sequence[RowVerdict]) -> list[str]:
    found = [CUT_SHORT_NOTE] if any(row.cut_short for row in rows) else []
    return [*found, _DIVERGED_NOTE] if any(row.diverged and row.accuracy for row in rows) else found


def _other_scores(metric: Metric) -> list[Metric]:
    """Return what stands beside the score of the verdict: accuracy and macro F1."""
    return [other for other in (ACCURACY, METRICS["f1_macro"]) if other != metric]


def _score_headings(metric: Metric) -> list[str]:
    return [metric.heading, "95 % interval", *(other.heading for other in _other_scores(metric))]


def _score_cells(row: RowVerdict, metric: Metric) -> list[str]:
    assert row.score is not None
    low, high = row.score.low, row.score.high
    interval = "-" if low is None or high is None else metric.short_ends(low, high)
    others = zip(_other_scores(metric), _other_values(row, metric), strict=True)
    return [
        metric.cell(row.score.value),
        interval,
        *(other.cell(value) for other, value in others if value is not None),
    ]


def _other_values(row: RowVerdict, metric: Metric) -> list[float | None]:
    known = {"accuracy": row.accuracy, "f1_macro": row.f1_macro}
    return [found.value if (found := known[other.key]) else None for other in _other_scores(metric)]


def _row(name: str, runs: Sequence[RunRecord], verdict: Verdict) -> list[str]:
    done = [run for run in runs if run.status == "completed"]
    title = runs[0].title if runs[0].name == runs[0].method else f"{runs[0].title} ({name})"
    judged = next(row for row in verdict.rows if row.name == name)
    metric = metric_named(verdict.metric)
    if judged.score is None:
        said = NOT_COMPARED if done else runs[0].status
        return [title, said, *([""] * (len(COLUMNS) + len(_score_headings(metric)) - 1))]
    return [
        title + _ended(judged, lost=len(runs) - len(done) - judged.diverged),
        *_score_cells(judged, metric),
        *(_cell(column, done) for column in COLUMNS),
    ]


def _ended(row: RowVerdict, *, lost: int) -> str:
    """Return what the title of a row says of how its runs ended."""
    counted = [f"{row.diverged} of {row.runs} runs diverged"] if row.diverged else []
    counted += [f"{lost} of {row.runs} runs lost"] if lost else []
    return (f" {CUT_SHORT}" if row.cut_short else "") + (f" ({', '.join(counted)})" if counted else "")


def _best(
    rows: Sequence[Sequence[str]], runs: Sequence[Sequence[RunRecord]], verdict: Verdict
) -> frozenset[tuple[int, int]]:
    """Find the best of each column; cells that show the same share the mark, and a column all alike has none."""
    judged = {row.name: row for row in verdict.rows}
    scores = [judged[found[0].name] for found in runs]
    metric = metric_named(verdict.metric)
    measures: dict[int, list[float | None]] = {1: [-row.score.value if row.score else None for row in scores]}
    others = [_other_values(row, metric) for row in scores]
    for place in range(len(_other_scores(metric))):
        measures[3 + place] = [None if found[place] is None else -(found[place] or 0.0) for found in others]
    first = 1 + len(_score_headings(metric))
    measures |= {first + place: [_mean(column, found) for found in runs] for place, column in enumerate(COLUMNS)}
    marked = set()
    for place, values in measures.items():
        asked = {
            row: value
            for row, value in enumerate(values)
            if value and scores[row].score and scores[row].traits.role != "floor"
        }
        shown = {rows[row][place] for row in asked}
        if len(shown) > 1:
            best = rows[min(asked, key=lambda row: asked[row])][place]
            marked |= {(row, place) for row in asked if rows[row][place] == best}
    return frozenset(marked)


def _near(names: Sequence[str], verdict: Verdict) -> frozenset[int]:
    scores = {row.name: row.score.value for row in verdict.rows if row.score}
    if not scores:
        return frozenset()
    leader = max(scores, key=lambda name: scores[name])
    pairs = {name: pair_of(verdict.pairs, leader, name) for name in names}
    return frozenset(place for place, name in enumerate(names) if (pair := pairs[name]) and not pair.different)


def _cell(column: Column, runs: Sequence[RunRecord]) -> str:
    value = _mean(column, runs)
    return "-" if value is None else column.show(value)


def _mean(column: Column, runs: Sequence[RunRecord]) -> float | None:
    values = [value for run in runs if run.status == "completed" and (value := column.value(run)) is not None]
    return fmean(values) if values else None


def one_row(test_rows: int, metric: str = ACCURACY.key) -> str:
    """Say what one test row is worth in points of accuracy."""
    points = 100 / test_rows
    if metric != ACCURACY.key:
        return f"one row is {three_digits(float(f'{points:.1g}'))} points of accuracy."
    if points >= _NOTICEABLE_POINTS:
        return f"one row is {points:.1f} points, so small differences here are noise."
    return f"one row is {three_digits(float(f'{points:.1g}'))} points."


def _above(results: Results, verdict: Verdict) -> list[str]:
    lines = []
    if any(run.allow_leakage for run in results.runs):
        lines.append(
            "LEAKAGE ALLOWED: copies of training rows are among the test rows (allow_leakage: true). "
            f"{leak_warning(results.data)}"
        )
    judged = [row for row in verdict.rows if row.accuracy]
    if judged:
        best = max(judged, key=lambda row: row.test_rows)
        lines.append(
            f"{some(best.partitions, 'split')}, {some(best.seeds, 'seed')}, {best.test_rows} test rows: "
            f"{one_row(best.test_rows, verdict.metric)}"
        )
    return lines

"""The comparison table as plain cells, the same for every format."""

from collections.abc import Sequence
from dataclasses import dataclass

from showdown.core.metric import Metric, Quantity
from showdown.core.record import Results, RunRecord
from showdown.report.above import above_table
from showdown.report.columns import columns_of
from showdown.report.corpus import corpus_scores
from showdown.report.filled_columns import Filled, measured, score_columns
from showdown.report.notes import (
    CUT_SHORT,
    CUT_SHORT_NOTE,
    agreement,
    costs,
    differences,
    events,
    reading,
    settings,
    without_interval,
)
from showdown.verdict.model import NOT_COMPARED, ArmVerdict, Verdict
from showdown.verdict.pair_words import pair_of

_SCORES_BESIDE = 2
"""Places of the verdict's metric and of its interval; other scores follow."""
_DIVERGED_NOTE = "Runs that diverged have no score: a row's score is that of its other runs."


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings and cells; an arm that did not complete has its status in the second cell, and the others are empty."""

    above: list[str]
    """What must be read before the table."""
    headings: list[str]
    rows: list[list[str]]
    best: frozenset[tuple[int, int]]
    """Row and column of the cells to mark: the best of each column. A floor is left out, and so is a cost of 0."""
    near: frozenset[int]
    """Rows whose score, in the second column, was not shown to differ from the highest one."""
    best_word: str
    """`highest`, or `lowest` where less of that score is better."""
    score: str
    """What that score is called."""
    leaving_order: list[str]
    """Headings that a narrow terminal does without, the first ones first."""
    descending: frozenset[int]
    """Columns that a reader sorts from the largest value down: the scores and their interval."""
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
        """The meaning of all marks, for a format that has bold cells and daggers."""
        near = f"†: no difference from the {self.best_word} {self.score} was shown."
        return [f"Bold: the best measured in a column. {near}", *self.footnotes]

    @property
    def below(self) -> list[str]:
        """All that stands beneath the table."""
        return [*self.reading, *self.events, *self.settings, *self.differing]


def comparison_table(results: Results, verdict: Verdict, scores: Sequence[str] | None = None) -> Table:
    """Lay out a comparison, one row for each arm.

    Scores are those of the verdict: over all tested rows, mean over seeds. Times and sizes are means of a run.

    Args:
        results: the comparison.
        verdict: what can be said of it.
        scores: keys of the scores among which the columns are chosen; by default those that some arm has.

    """
    results = results.full_size
    runs = {
        name: [run for run in results.runs if run.name == name] for name in dict.fromkeys(r.name for r in results.runs)
    }
    metric, declared = verdict.ranking_metric, columns_of(verdict.task)
    judged = {row.name: row for row in verdict.rows}
    arms = [judged[name] for name in runs]
    known = {key for arm in arms for key in arm.scores} if scores is None else scores
    beside = declared.score_metrics(known, verdict.own_score, metric)
    of_scores = score_columns(arms, metric, beside)
    columns = [*of_scores, *(measured(column, list(runs.values())) for column in declared.columns)]
    spent = costs(results, verdict)
    return Table(
        above=above_table(results, verdict),
        headings=["Method", *(column.heading for column in columns)],
        rows=[_row(arm, runs[arm.name], [column.cells[place] for column in columns]) for place, arm in enumerate(arms)],
        best=_best(arms, columns),
        near=_near(arms, verdict, metric),
        best_word=metric.best_word,
        score=metric.title,
        leaving_order=declared.leaving_order([column.heading for column in of_scores[_SCORES_BESIDE:]]),
        descending=frozenset(
            place
            for place, column in enumerate(columns, start=1)
            if column.quantity is None or column.quantity.direction == "higher"
        ),
        footnotes=_footnotes(verdict.rows),
        verdict=[*verdict.sentences, *verdict.assumptions],
        reading=[
            *reading(results, declared),
            *corpus_scores(results, [metric.key, *(one.key for one in beside)]),
            *agreement(verdict),
            *without_interval(verdict),
            *spent,
        ],
        costs=spent,
        events=events(results),
        settings=settings(results),
        differing=differences(verdict.confounds),
        recommendation=recommended(verdict),
    )


def recommended(verdict: Verdict) -> list[str]:
    """Return the recommendation in sentences, warnings before reasons."""
    found = verdict.recommendation
    known = [text for text in found.warnings if text not in verdict.sentences]
    return [f"{found.sentence[0].upper()}{found.sentence[1:].removesuffix('.')}.", *known, *found.reasons]


def _footnotes(rows: Sequence[ArmVerdict]) -> list[str]:
    found = [CUT_SHORT_NOTE] if any(row.cut_short for row in rows) else []
    return [*found, _DIVERGED_NOTE] if any(row.diverged and row.score for row in rows) else found


def _row(arm: ArmVerdict, runs: Sequence[RunRecord], cells: Sequence[str]) -> list[str]:
    done = [run for run in runs if run.status == "completed"]
    title = arm.title if arm.name == arm.method else f"{arm.title} ({arm.name})"
    if arm.score is None:
        return [title, NOT_COMPARED if done else runs[0].status, *([""] * (len(cells) - 1))]
    return [title + _ended(arm, lost=len(runs) - len(done) - arm.diverged), *cells]


def _ended(row: ArmVerdict, *, lost: int) -> str:
    """Return the marks behind a title on how the runs ended."""
    counted = [f"{row.diverged} of {row.runs} runs diverged"] if row.diverged else []
    counted += [f"{lost} of {row.runs} runs lost"] if lost else []
    return (f" {CUT_SHORT}" if row.cut_short else "") + (f" ({', '.join(counted)})" if counted else "")


def _best(arms: Sequence[ArmVerdict], columns: Sequence[Filled]) -> frozenset[tuple[int, int]]:
    """Find the best of each column; cells that show the same share the mark, and a column all alike has none."""
    marked = set()
    for place, column in enumerate(columns, start=1):
        if column.quantity is None:
            continue
        rivals = [row for row, value in enumerate(column.values) if _may_win(arms[row], column.quantity, value)]
        best = column.quantity.best(rivals, column.values.__getitem__)
        if best is not None and len({column.cells[row] for row in rivals}) > 1:
            marked |= {(row, place) for row in rivals if column.cells[row] == column.cells[best]}
    return frozenset(marked)


def _may_win(arm: ArmVerdict, quantity: Quantity, value: float | None) -> bool:
    """Return whether a value can be the best of its column: a floor, and what costs nothing, cannot."""
    costs_nothing = quantity.direction == "lower" and value == 0
    return value is not None and arm.score is not None and arm.traits.role != "floor" and not costs_nothing


def _near(arms: Sequence[ArmVerdict], verdict: Verdict, metric: Metric) -> frozenset[int]:
    """Return the arms that were not shown to differ from the one with the best score."""
    leader = metric.best(arms, lambda arm: arm.score.value if arm.score else None)
    if leader is None:
        return frozenset()
    pairs = [pair_of(verdict.pairs, leader.name, arm.name) for arm in arms]
    return frozenset(place for place, pair in enumerate(pairs) if pair and not pair.different)

"""Written answers side by side: the prompt, the wanted answer and what each method wrote; for reports that stay here.

First come rows on which the methods differ most in the metric of the verdict, then a few that no method answered as
wanted, and a few that all did.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from showdown.core.chat import shown_prompt
from showdown.core.errors import UserError
from showdown.core.metric import Metric
from showdown.core.record import Results
from showdown.report.answer_difference import Field, Piece, differing_fields, marked
from showdown.report.row_answers import ALIKE, Answered, answers_by_row, writers
from showdown.report.tested_texts import tested_sides
from showdown.verdict.model import Verdict

_MOST_ARMS = 12
"""Answers to one prompt beside each other: those of the methods with the best scores."""
NOTE = (
    "Marked is the difference to the wanted answer, word by word: struck out what is missing, underlined what was "
    "written in its place. Of JSON the fields that differ are listed. An answer that has hardly a word in common with "
    "the wanted one is underlined as a whole."
)
PRIVATE = "The texts are yours: keep this report where they may be."


@dataclass(frozen=True, kw_only=True)
class WrittenAnswer:
    """What one arm wrote for a prompt; with several seeds the most frequent answer, of equals the first."""

    name: str
    text: str
    score: str
    """By the metric of the verdict, the mean over seeds, with its unit; empty where it has none."""
    right: bool
    """As wanted, after normalisation."""
    finished: bool
    """Whether it ended by itself, before the limit."""
    seeds: int
    """That wrote it."""
    of_seeds: int
    pieces: tuple[Piece, ...] = ()
    """The answer against the wanted one; the answer alone where that is not known."""
    fields: tuple[Field, ...] = ()
    """Where both are JSON objects, the fields that differ."""

    def about(self, heading: str) -> str:
        """Return what is known of the answer, for the brackets behind its name; ``heading`` is that of its score."""
        apart = self.seeds < self.of_seeds
        known = [f"{heading} {self.score}{' on average' if apart else ''}"] if self.score else []
        known += [f"{self.seeds} of {self.of_seeds} seeds wrote this"] if apart else []
        return ", ".join([*known, *([] if self.finished else ["cut at the limit"])])


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A test row with the answers to it."""

    row: int
    """1-based, in the source."""
    prompt: str | None
    """Without its system message; None where the processed data is gone."""
    wanted: str | None
    answers: tuple[WrittenAnswer, ...]


@dataclass(frozen=True, kw_only=True)
class SampleGroup:
    """Test rows that have something in common."""

    title: str
    count: int
    """All rows like these."""
    samples: tuple[Sample, ...]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The rows to show."""

    groups: tuple[SampleGroup, ...]
    """Those that have rows."""
    tested: int
    heading: str
    """What the score behind each answer is called."""

    @property
    def has_texts(self) -> bool:
        """Return whether prompts are shown."""
        return any(sample.prompt is not None for group in self.groups for sample in group.samples)

    @property
    def note(self) -> str:
        """Return how to read the samples, and that they hold texts of the data."""
        counts = "; ".join(f"{group.title.lower()}: {group.count} of {self.tested} rows" for group in self.groups)
        return " ".join([f"{counts[:1].upper()}{counts[1:]}.", NOTE, *([PRIVATE] if self.has_texts else [])])


def samples(results: Results, verdict: Verdict, folder: Path, *, flips: int, others: int) -> Samples | None:
    """Choose test rows of a comparison of written answers; None for another task, or where nothing was written.

    Args:
        results: the comparison.
        verdict: what can be said of it: its metric decides on which rows the methods differ most.
        folder: its folder, with predictions and processed data.
        flips: the most rows on which methods differ.
        others: the most rows that none, and that all, answered as wanted.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    metric = verdict.ranking_metric
    arms = [name for name in _best_arms(verdict, metric) if name in writers(results)]
    if not arms:
        return None
    by_row: dict[int, dict[str, Answered]] = {}
    for name in arms:
        for row, answered in answers_by_row(writers(results)[name], folder, metric).items():
            by_row.setdefault(row, {})[name] = answered
    texts = _texts(results, folder)
    spreads = {row: _spread(answers) for row, answers in by_row.items()}
    differing = sorted(
        (row for row in by_row if spreads[row][0] > ALIKE), key=lambda row: (*_turned(spreads[row]), row)
    )
    wrong = [row for row in sorted(by_row) if not any(one.right for one in by_row[row].values())]
    right = [row for row in sorted(by_row) if all(one.right for one in by_row[row].values())]
    cluster = {row: next(iter(answers.values())).cluster for row, answers in by_row.items()}
    seen: set[int] = set()

    def group(title: str, rows: Sequence[int], most: int, choose: Callable[[list[int], int], list[int]]) -> SampleGroup:
        new = [row for row in _one_a_cluster(rows, cluster) if cluster[row] not in seen]
        chosen = choose(new, most)
        seen.update(cluster[row] for row in chosen)
        made = tuple(_sample(row, by_row[row], texts.get(row), metric) for row in chosen)
        return SampleGroup(title=title, count=len(rows), samples=made)

    groups = (
        group("Methods differ", differing, flips, _first),
        group("No method as wanted", wrong, others, _spread_out),
        group("All methods as wanted", right, others, _spread_out),
    )
    return Samples(groups=tuple(one for one in groups if one.samples), tested=len(by_row), heading=metric.capital)


def _best_arms(verdict: Verdict, metric: Metric) -> list[str]:
    """Return the arms whose answers are shown, in the order of the table."""
    scores = {row.name: metric.sign * row.score.value for row in verdict.rows if row.score}
    best = {row.name for row in verdict.rows if row.traits.role != "floor" and row.name in scores}
    kept = sorted(best, key=lambda name: -scores[name])[:_MOST_ARMS]
    return [row.name for row in verdict.rows if row.name in kept]


def _spread(answers: Mapping[str, Answered]) -> tuple[float, float]:
    """Return how far the arms' values lie apart: their range, and their mean distance from the middle."""
    values = [value for one in answers.values() if (value := one.value) is not None]
    if len(values) < 2:
        return 0.0, 0.0
    middle = fmean(values)
    return max(values) - min(values), fmean(abs(value - middle) for value in values)


def _turned(spread: tuple[float, float]) -> tuple[float, float]:
    return -spread[0], -spread[1]


def _one_a_cluster(rows: Sequence[int], cluster: Mapping[int, int]) -> list[int]:
    """Return the first row of each group of copies."""
    first: dict[int, int] = {}
    for row in rows:
        first.setdefault(cluster[row], row)
    return list(first.values())


def _first(rows: list[int], most: int) -> list[int]:
    return rows[:most]


def _spread_out(rows: list[int], most: int) -> list[int]:
    """Return at most so many rows, evenly from all parts of the data."""
    if len(rows) <= most:
        return rows
    return [rows[place * len(rows) // most] for place in range(most)]


def _sample(row: int, answers: Mapping[str, Answered], texts: tuple[str, str] | None, metric: Metric) -> Sample:
    wanted = texts[1] if texts else None
    return Sample(
        row=row,
        prompt=texts[0] if texts else None,
        wanted=wanted,
        answers=tuple(_written(name, one, wanted, metric) for name, one in answers.items()),
    )


def _written(name: str, one: Answered, wanted: str | None, metric: Metric) -> WrittenAnswer:
    text, value = one.texts[one.place], one.value
    answer = WrittenAnswer(
        name=name,
        text=text,
        score="" if value is None else metric.shown(value),
        right=one.right,
        finished=one.finished[one.place],
        seeds=one.texts.count(text),
        of_seeds=len(one.texts),
        pieces=(Piece(text=text, kind="same"),),
    )
    if wanted is None:
        return answer
    fields = differing_fields(wanted, text)
    if fields is not None:
        return replace(answer, fields=fields)
    return replace(answer, pieces=marked(wanted, text))


def _texts(results: Results, folder: Path) -> dict[int, tuple[str, str]]:
    """Return prompt and wanted answer by row of the source; empty where the processed data is gone or damaged."""
    try:
        return dict(_rows(results, folder))
    except (UserError, ValueError):
        return {}


def _rows(results: Results, folder: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    for side in tested_sides(results, folder):
        for row, prompt, answer in zip(side.row_ids, side.texts, side.answers, strict=True):
            yield row, (shown_prompt(prompt), answer)

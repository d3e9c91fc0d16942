"""Test rows on which the arms disagree, with the text; for reports that stay on this machine."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.record import Results
from showdown.report.tested_texts import tested_sides
from showdown.verdict.classification.answers import answers_of, label_places, load_outcomes
from showdown.verdict.outcomes import ArmOutcomes

MOST_ANSWERS = 12
"""Up to so many answers to a test row stand beside each other, each with its arm; more are grouped."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one arm answered; with several seeds the most frequent answer, of equals the first."""

    name: str
    label: str
    right: bool
    seeds: int
    of_seeds: int


@dataclass(frozen=True, kw_only=True)
class SameAnswer:
    """The arms that gave one answer to a test row."""

    label: str
    right: bool
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """A test row and its answers."""

    row: int
    """1-based, in the source."""
    label: str
    text: str | None
    """None where the processed data is gone."""
    answers: tuple[Answer, ...]

    @property
    def is_long(self) -> bool:
        """Return whether there are too many answers to show each by itself."""
        return len(self.answers) > MOST_ANSWERS

    @property
    def grouped(self) -> tuple[SameAnswer, ...]:
        """Return the answers, each with who gave it: the right one first, then the most frequent ones."""
        names: dict[tuple[str, bool], list[str]] = {}
        for answer in self.answers:
            names.setdefault((answer.label, answer.right), []).append(answer.name)
        order = sorted(names, key=lambda key: (not key[1], -len(names[key])))
        return tuple(SameAnswer(label=label, right=right, names=tuple(names[label, right])) for label, right in order)


@dataclass(frozen=True, kw_only=True)
class Disagreements:
    """The test rows to show, and how many there are."""

    shown: tuple[Disagreement, ...]
    """The most divided first: where as many are right as wrong."""
    count: int
    """Rows with any disagreement."""
    tested: int


def disagreements(results: Results, folder: Path, most: int) -> Disagreements:
    """Find the test rows that not all arms answer alike; floors are left out.

    Args:
        results: the comparison.
        folder: its folder, with predictions and processed data.
        most: rows to return.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    every = load_outcomes(results.full_size, folder)
    requested = {name: found for name, found in every.items() if found.traits.role != "floor"}
    labels = list(label_places(results.full_size))
    by_row: dict[int, dict[str, Answer]] = {}
    truths: dict[int, str] = {}
    for name, found in requested.items():
        for row, truth, answer in _answers(name, found, labels):
            by_row.setdefault(row, {})[name] = answer
            truths[row] = truth
    divided = [row for row, answers in by_row.items() if len({answer.label for answer in answers.values()}) > 1]
    divided.sort(key=lambda row: (-_division(by_row[row]), row))
    texts = _texts(results, folder)
    shown = tuple(
        Disagreement(row=row, label=truths[row], text=texts.get(row), answers=tuple(by_row[row].values()))
        for row in divided[:most]
    )
    return Disagreements(shown=shown, count=len(divided), tested=len(by_row))


def _answers(name: str, found: ArmOutcomes, labels: list[str]) -> list[tuple[int, str, Answer]]:
    part = next(iter(answers_of(found).values()))
    lines = []
    for place, row in enumerate(part.row_ids.tolist()):
        ((most, seeds),) = Counter(part.predicted[:, place].tolist()).most_common(1)
        true = int(part.true[place])
        answer = Answer(
            name=name, label=labels[most], right=most == true, seeds=seeds, of_seeds=part.predicted.shape[0]
        )
        lines.append((row, labels[true], answer))
    return lines


def _division(answers: Mapping[str, Answer]) -> int:
    right = sum(answer.right for answer in answers.values())
    return min(right, len(answers) - right)


def _texts(results: Results, folder: Path) -> dict[int, str]:
    """Return test texts by row of the source; empty where the processed data is gone or damaged."""
    try:
        sides = list(tested_sides(results, folder))
    except UserError:
        return {}
    return {row: text for side in sides for row, text in zip(side.row_ids, side.texts, strict=True)}

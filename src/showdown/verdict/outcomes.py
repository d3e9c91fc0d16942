"""Arrays of what every arm scored on every test row: one float a row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from showdown.core.traits import Traits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Part = TypeVar("Part", bound="Outcomes")

KEPT = 256
"""Of so many `Outcomes` what was computed last is kept: a comparison of 50 rows has 1,225 pairs."""
_ENOUGH = 0.5
"""An arm that answered a smaller share of the test rows than this is not compared on common ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """What one arm scored on one set of test rows: one float a row and seed. Every seed has every row.

    Each is equal to itself alone, so that what is computed from one can be kept for the many pairs that it is in.
    A task with more to keep of each row adds fields and names them in `OF_ROWS` or `OF_SEEDS`.
    """

    OF_ROWS: ClassVar[tuple[str, ...]] = ("clusters", "row_ids", "folds")
    """Fields of shape (test rows,). Those that are None are passed over; so for the next."""
    OF_SEEDS: ClassVar[tuple[str, ...]] = ("values",)
    """Fields of shape (seeds, test rows), or of several such, (.., seeds, test rows)."""

    values: Floats
    """Shape (seeds, test rows): what each row scores, such as 1.0 for a right answer and 0.0 for a wrong one."""
    clusters: Ints
    """Shape (test rows,): duplicate group."""
    row_ids: Ints
    """Shape (test rows,): row of the source, ascending."""
    folds: Ints | None = None
    """Shape (test rows,): which of a seed's trainings answered each row; None where one answered all."""
    lowest: float = 0.0
    """The least value that a row can score; minus infinity for one without bounds. So for the next."""
    highest: float = 1.0

    @property
    def graded(self) -> bool:
        """Return whether rows score between the bounds: neither right nor wrong."""
        return are_graded(self.values, lowest=self.lowest, highest=self.highest)

    def at(self, row_ids: Ints) -> Self:
        """Return the same for these rows alone; all of them must be present."""
        return self._taken(np.searchsorted(self.row_ids, row_ids))

    def _taken(self, places: Ints) -> Self:
        """Return the rows at these places, in that order."""
        fields = {name: getattr(self, name) for name in (*self.OF_ROWS, *self.OF_SEEDS)}
        taken: dict[str, Any] = {name: field[..., places] for name, field in fields.items() if field is not None}
        return replace(self, **taken)

    def with_seeds(self, others: Sequence[Self]) -> Self:
        """Return the same with the seeds of others, which have the same rows, behind its own."""
        every = [self, *others]
        return replace(self, **_joined(every, self.OF_SEEDS, axis=-2))

    @classmethod
    def of_folds(cls, parts: Mapping[int, Self]) -> Self:
        """Join folds, which share no row, into one part; ``parts`` are by the number of the fold."""
        found = list(parts.values())
        folds = np.repeat(np.array(list(parts)), [len(part.row_ids) for part in found])
        rows = tuple(name for name in cls.OF_ROWS if name != "folds")
        joined = {**_joined(found, (*rows, *cls.OF_SEEDS), axis=-1), "folds": folds}
        together = replace(found[0], **joined)
        return together._taken(np.argsort(together.row_ids, kind="stable"))


def are_graded(values: Floats, *, lowest: float, highest: float) -> bool:
    """Return whether any value lies between two bounds, and not only at them; False without bounds."""
    return math.isfinite(highest - lowest) and bool(((values > lowest) & (values < highest)).any())


def _joined(parts: Sequence[Outcomes], names: Sequence[str], *, axis: int) -> dict[str, Any]:
    """Return the fields of several parts, one behind the other; a field that one of them lacks is passed over."""
    fields = {name: [getattr(part, name) for part in parts] for name in names}
    return {
        name: np.concatenate(found, axis=axis)
        for name, found in fields.items()
        if all(one is not None for one in found)
    }


@dataclass(frozen=True, kw_only=True)
class RowValues:
    """A metric of one arm, and what each test row is worth to it."""

    by_seed: Floats
    """Shape (seeds,): the metric."""
    values: Floats
    """Shape (seeds, rows): their mean is the metric. What each row scores where the metric is the mean over rows, else
    the jackknife's pseudo-values (Tukey 1958), without its correction for bias."""
    weight: float = 1.0
    """How many times as much as for accuracy the answer to one row can matter: to a row of the rarest label."""
    lowest: float = 0.0
    """The least value that the metric can have; minus infinity for one without bounds. So for the next."""
    highest: float = 1.0
    is_mean: bool = False
    """Rows score the metric itself: the spread between the arm's reruns is that of the metric."""

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.by_seed.mean())

    @property
    def is_bounded(self) -> bool:
        """Return whether the metric has a least and a largest value."""
        return math.isfinite(self.highest - self.lowest)

    @property
    def graded(self) -> bool:
        """Return whether rows score the metric itself, with values between its bounds: neither right nor wrong."""
        return self.is_mean and are_graded(self.values, lowest=self.lowest, highest=self.highest)

    @property
    def row_range(self) -> float:
        """Return the best that a row can score less the worst; 1 where rows score nothing, or anything."""
        return self.highest - self.lowest if self.is_mean and self.is_bounded else 1.0

    def oriented(self, sign: int) -> "RowValues":
        """Return the same so that more is better: itself, or with the sign turned where less is (``sign`` -1)."""
        if sign > 0:
            return self
        return replace(self, by_seed=-self.by_seed, values=-self.values, lowest=-self.highest, highest=-self.lowest)


@dataclass(frozen=True, kw_only=True)
class ArmOutcomes:
    """Everything that one arm scored.

    One part, where each test row was tested once a seed (one split, or cross-validation with its folds pooled).
    Several parts, where repeated splits test a row more than once: one for each repeat.
    """

    name: str
    traits: Traits
    parts: Mapping[int, Outcomes]
    """By repeat; the key of a pooled part is 0."""
    seeds: int
    """Seeds in each part."""
    test_over_train: float
    """Test rows for each training row: the correction of Nadeau and Bengio for repeated splits needs it; else 0."""
    notes: tuple[str, ...] = ()

    @property
    def repeated(self) -> bool:
        """Return whether the parts overlap."""
        return len(self.parts) > 1


def parts_of(row: ArmOutcomes, kind: type[Part], lacking: str) -> dict[int, Part]:
    """Return the parts of an arm that are of one kind.

    Args:
        row: the arm.
        kind: that all of its parts are.
        lacking: what an arm of another task does not have.

    Raises:
        TypeError: for an arm of another task.

    """
    found = {key: part for key, part in row.parts.items() if isinstance(part, kind)}
    if len(found) < len(row.parts):
        raise TypeError(f"{row.name} has no {lacking}")
    return found


def shared(a: Part, b: Part) -> tuple[Part, Part]:
    """Return both restricted to the test rows that they share, in one order: themselves where these are all."""
    if np.array_equal(a.row_ids, b.row_ids) and (np.diff(a.row_ids) > 0).all():
        return a, b
    rows = np.intersect1d(a.row_ids, b.row_ids)
    return a.at(rows), b.at(rows)


def on_common_rows(outcomes: Mapping[str, ArmOutcomes]) -> tuple[dict[str, ArmOutcomes], str | None]:
    """Restrict arms to the test rows that all of them answered, so that their scores can be ranked.

    A row that answered fewer than half of the test rows is taken out, since the others would lose too much by it. Of
    repeated splits the repeats that all completed are kept.

    Args:
        outcomes: by arm.

    Returns:
        The rows on common test rows, empty where no test row is common, and a sentence that says what was left out;
        None where nothing was.

    """
    answered = {name: _answered(row.parts) for name, row in outcomes.items()}
    most = max(answered.values(), default=0)
    kept = {name: row for name, row in outcomes.items() if answered[name] >= _ENOUGH * most}
    lines = [
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
        lines.append(f"Scores are compared on the {left} test rows that all of {', '.join(kept)} answered: {because}")
    return found, " ".join(f"{part}." for part in lines) or None


def _answered(parts: Mapping[int, Outcomes]) -> int:
    return sum(len(part.row_ids) for part in parts.values())


def _common_parts(every: Sequence[Mapping[int, Outcomes]]) -> dict[int, Ints]:
    """Return the test rows that all answered, by part; parts without any are left out."""
    keys = [key for key in (every[0] if every else {}) if all(key in parts for parts in every)]
    found = {key: reduce(np.intersect1d, [parts[key].row_ids for parts in every]) for key in keys}
    return {key: ids for key, ids in found.items() if len(ids)}


def cluster_index(clusters: Ints) -> Ints:
    """Return clusters renumbered from 0, in the shape given."""
    return np.asarray(np.unique(clusters, return_inverse=True)[1], dtype=np.int64)

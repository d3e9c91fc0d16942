"""Divide rows into training, validation and test rows, with every duplicate group on one side."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from showdown.core.errors import UserError
from showdown.core.split import GivenSplit, KFoldSplit, RepeatedSplit, SingleSplit
from showdown.data.tables import count, shown

SIDES = ("train", "validation", "test")
MIN_GROUPS = 3
"""Fewest different texts of a label: one for each side."""
_DRAWS = 16
_DRAWS_UP_TO_CLUSTERS = 200
"""More duplicate groups than this fit their quotas in one draw."""
_CARRIED_SHARE = 0.05
_EXAMPLES = 3

Label = TypeVar("Label", str, tuple[str, str])
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Numbers of rows that are copies across a split."""

    validation_of_train: int
    """Validation rows that are copies of training rows."""
    test_of_train: int
    test_of_validation: int

    @property
    def any(self) -> bool:
        """Whether any copies are on two sides."""
        return bool(self.validation_of_train or self.test_of_train or self.test_of_validation)


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Row indices of the three sides. Every row is on exactly one side."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def sides(self) -> Mapping[str, tuple[int, ...]]:
        """The sides by name, in the order of `SIDES`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def test_copies(self, duplicate_groups: Sequence[int]) -> list[int]:
        """Return the indices of the test rows whose duplicate group is among the training rows, too."""
        train = {duplicate_groups[index] for index in self.train}
        return [index for index in self.test if duplicate_groups[index] in train]

    def crossing(self, duplicate_groups: Sequence[int]) -> Crossing:
        """Count the rows whose duplicate group is on another side too."""
        train = {duplicate_groups[index] for index in self.train}
        validation = {duplicate_groups[index] for index in self.validation}
        return Crossing(
            validation_of_train=sum(duplicate_groups[index] in train for index in self.validation),
            test_of_train=sum(duplicate_groups[index] in train for index in self.test),
            test_of_validation=sum(duplicate_groups[index] in validation for index in self.test),
        )


def split_rows(labels: Sequence[str], duplicate_groups: Sequence[int], spec: SingleSplit) -> Partition:
    """Split rows stratified by label. Duplicate groups stay whole, and every side gets every label.

    A group counts for the label of most of its rows. For one label after the other, the groups are put in random order,
    each on the side that lacks most rows. The following labels compensate what one label could not balance. The same
    seed gives the same split.

    Args:
        labels: the label of each row.
        duplicate_groups: the duplicate group of each row.
        spec: shares of rows and the seed.

    Raises:
        UserError: when a label has fewer than 3 duplicate groups.

    """
    groups = groups_by_label(labels, duplicate_groups, range(len(labels)))
    refuse_rare(labels, {label: len(found) for label, found in groups.items()})
    fractions = np.array([spec.train, spec.validation, spec.test])
    train, validation, test = _allot(groups, fractions, np.random.default_rng(spec.seed % 2**64))
    return Partition(train=train, validation=validation, test=test)


def kfold(labels: Sequence[str], duplicate_groups: Sequence[int], spec: KFoldSplit) -> list[Partition]:
    """Return a partition for each fold. The fold is the test side; validation rows are cut from the rest.

    Folds are made as `split_rows` makes sides. Every row is tested exactly once. A label with fewer groups than folds
    has no test row in some folds, but every label has training rows in all.

    Args:
        labels: the label of each row.
        duplicate_groups: the duplicate group of each row.
        spec: the number of folds, the share of validation rows and the seed.

    Raises:
        UserError: when a label has fewer than 3 duplicate groups, or a side of a fold would be empty.

    """
    groups = groups_by_label(labels, duplicate_groups, range(len(labels)))
    refuse_rare(labels, {label: len(found) for label, found in groups.items()})
    seed = spec.seed % 2**64
    folds = _allot(groups, np.full(spec.folds, 1 / spec.folds), np.random.default_rng(seed))
    partitions = [
        _fold(labels, duplicate_groups, spec, np.random.default_rng([seed, number]), test)
        for number, test in enumerate(folds)
    ]
    if not all(all(partition.sides.values()) for partition in partitions):
        raise UserError(
            f"{count(len(set(duplicate_groups)), 'different text')} cannot make {spec.folds} folds with validation"
            " rows; lower `protocol.split.folds`, add rows, or set `protocol.split.kind: single`"
        )
    return partitions


def _fold(
    labels: Sequence[str],
    duplicate_groups: Sequence[int],
    spec: KFoldSplit,
    generator: np.random.Generator,
    test: tuple[int, ...],
) -> Partition:
    """Cut the validation rows of a fold. A label's only duplicate group outside the test side is kept for training."""
    tested = set(test)
    rest = [index for index in range(len(labels)) if index not in tested]
    groups = groups_by_label(labels, duplicate_groups, rest)
    lone = [index for found in groups.values() if len(found) == 1 for index in found[0]]
    share = spec.validation * len(labels) / len(rest)
    cut = {label: found for label, found in groups.items() if len(found) > 1}
    train, validation = _allot(cut, np.array([1.0 - share, share]), generator)
    return Partition(train=tuple(sorted([*train, *lone])), validation=validation, test=test)


def repeat_seeds(spec: RepeatedSplit) -> list[int]:
    """Return the seed of each repeat. More repeats do not change the first seeds."""
    return [int(seed) for seed in np.random.SeedSequence(spec.seed % 2**64).generate_state(spec.repeats)]


def groups_by_label(
    labels: Sequence[Label], duplicate_groups: Sequence[int], rows: Sequence[int]
) -> dict[Label, list[list[int]]]:
    """Return, for each label in sorted order, its duplicate groups as lists of rows.

    A group belongs to the label of most of its rows.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for index in rows:
        members[duplicate_groups[index]].append(index)
    by_label: dict[Label, list[list[int]]] = {label: [] for label in sorted({labels[index] for index in rows})}
    for found in members.values():
        by_label[_majority([labels[index] for index in found])].append(found)
    return by_label


def _allot(
    groups: Mapping[str, Sequence[Sequence[int]]], fractions: Floats, generator: np.random.Generator
) -> list[tuple[int, ...]]:
    """Distribute each label's duplicate groups over sides with these fractions; return each side's rows, sorted."""
    owed = np.zeros(len(fractions))
    assigned: list[list[int]] = [[] for _ in fractions]
    for found in groups.values():
        sizes = np.array([len(rows) for rows in found], dtype=np.int64)
        limit = max(1.0, _CARRIED_SHARE * float(sizes.sum()))
        quotas = fractions * sizes.sum() + np.clip(owed, -limit, limit)
        sides = _draw(sizes, quotas, generator)
        owed += fractions * sizes.sum() - np.bincount(sides, weights=sizes, minlength=len(fractions))
        for rows, side in zip(found, sides, strict=True):
            assigned[side].extend(rows)
    return [tuple(sorted(rows)) for rows in assigned]


def split_by_rows(labels: Sequence[str], spec: SingleSplit) -> Partition:
    """Split rows stratified by label, ignoring copies: scikit-learn's `train_test_split` twice, as in the study.

    The rows of a side are in scikit-learn's order. If a label is too rare for scikit-learn, `split_rows` makes the
    split, with every row as a duplicate group of its own.

    Raises:
        UserError: when a label has fewer than 3 rows.

    """
    from sklearn.model_selection import train_test_split

    seed = spec.seed % 2**32
    try:
        train, rest = train_test_split(
            list(range(len(labels))), test_size=1.0 - spec.train, random_state=seed, stratify=list(labels)
        )
        share = spec.test / (spec.validation + spec.test)
        validation, test = train_test_split(
            rest, test_size=share, random_state=seed, stratify=[labels[index] for index in rest]
        )
    except ValueError:
        return split_rows(labels, range(len(labels)), spec)
    return Partition(train=tuple(train), validation=tuple(validation), test=tuple(test))


def cut_validation(
    sides: Sequence[str], labels: Sequence[str], duplicate_groups: Sequence[int], spec: GivenSplit
) -> list[str]:
    """Return the side of each row, with validation rows cut from the training file.

    They are cut as in a fold: stratified by label, duplicate groups whole. A label's only group is kept for training.

    Raises:
        UserError: when no validation row can be cut.

    """
    train = [index for index, side in enumerate(sides) if side == "train"]
    groups = groups_by_label(labels, duplicate_groups, train)
    cut = {label: found for label, found in groups.items() if len(found) > 1}
    shares = np.array([1.0 - spec.validation, spec.validation])
    validation = set(_allot(cut, shares, np.random.default_rng(spec.seed % 2**64))[1]) if cut else set()
    if not validation:
        who = "no label has" if any(labels) else "it has no"
        raise UserError(
            f"data.files.train: {who} two different texts, so no validation rows can be cut from it; add rows, or"
            " set `data.files.validation`"
        )
    return ["validation" if index in validation else side for index, side in enumerate(sides)]


def given_partition(
    sides: Sequence[str], duplicate_groups: Sequence[int], row_ids: Sequence[int], *, allow_leakage: bool
) -> Partition:
    """Return the partition of given split files.

    Args:
        sides: `train`, `validation` or `test` for each row.
        duplicate_groups: the duplicate group of each row.
        row_ids: the 1-based number of each row, continued from file to file.
        allow_leakage: accept copies across the files.

    Raises:
        UserError: when copies cross without `allow_leakage`, or when a side is empty.

    """
    found = {name: tuple(index for index, side in enumerate(sides) if side == name) for name in SIDES}
    for name, rows in found.items():
        if not rows:
            raise UserError(f"data.files.{name} has 0 usable rows; add rows")
    partition = Partition(train=found["train"], validation=found["validation"], test=found["test"])
    crossing = partition.crossing(duplicate_groups)
    if crossing.any and not allow_leakage:
        raise UserError(
            f"data.files: {crossing_line(partition, crossing)}{_examples(partition, duplicate_groups, row_ids)};"
            " remove them (`showdown audit COMPARISON --output FILE.csv` lists them), set one `data.source` to split,"
            " or set `data.allow_leakage: true`; the report then shows their effect and the scores without them"
        )
    return partition


def _examples(partition: Partition, duplicate_groups: Sequence[int], row_ids: Sequence[int]) -> str:
    """Return a phrase that names the first test rows that are copies of training rows."""
    original: dict[int, int] = {}
    for index in partition.train:
        original.setdefault(duplicate_groups[index], index)
    named = [
        f"row {row_ids[index]} of row {row_ids[original[duplicate_groups[index]]]}"
        for index in partition.test_copies(duplicate_groups)[:_EXAMPLES]
    ]
    return f", such as {', '.join(named)} (numbers continue from file to file)" if named else ""


def crossing_line(partition: Partition, crossing: Crossing) -> str:
    """Return a sentence about the rows that are copies across the split."""
    parts = [
        f"{crossing.test_of_train:,} of {count(len(partition.test), 'test row')}"
        f" ({100 * crossing.test_of_train / len(partition.test):.1f} %) and {crossing.validation_of_train:,} of"
        f" {count(len(partition.validation), 'validation row')} are copies of training rows"
    ]
    if crossing.test_of_validation:
        verb = "is a copy of a validation row" if crossing.test_of_validation == 1 else "are copies of validation rows"
        parts.append(f"{count(crossing.test_of_validation, 'test row')} {verb}")
    return ", ".join(parts)


def refuse_rare(labels: Sequence[str], groups_of: Mapping[str, int]) -> None:
    """Refuse labels with too few different texts to be on every side.

    Raises:
        UserError: for the first such label.

    """
    rare = [label for label, groups in groups_of.items() if groups < MIN_GROUPS]
    if rare:
        rows = Counter(labels)[rare[0]]
        if not rare[0]:  # rows without labels
            raise UserError(
                f"{count(rows, 'row')} with {count(groups_of[rare[0]], 'different prompt')}; a split needs"
                f" {MIN_GROUPS}: add rows with other prompts"
            )
        others = f" (and {count(len(rare) - 1, 'other label')})" if len(rare) > 1 else ""
        copies = (
            "; if they are not copies, raise `data.near_duplicate_jaccard` (at 0.99 only equal texts are copies)"
            if rows >= MIN_GROUPS
            else ""
        )
        raise UserError(
            f"{shown(rare[0])} has {count(rows, 'row')} in {count(groups_of[rare[0]], 'different text')}{others};"
            f" a split needs {MIN_GROUPS}. Set `data.rare_labels: drop` or `merge`, or add rows{copies}"
        )


def _majority(labels: Sequence[Label]) -> Label:
    """Return the most frequent label; of equally frequent ones, the first in alphabetical order."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _draw(sizes: npt.NDArray[np.int64], quotas: Floats, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return a side for each duplicate group, by the random order that fits the quotas of rows best."""
    draws = _DRAWS if len(sizes) <= _DRAWS_UP_TO_CLUSTERS else 1
    best, best_misfit = np.zeros(len(sizes), dtype=np.int64), np.inf
    for _ in range(draws):
        sides = _assign(sizes, quotas, generator.permutation(len(sizes)))
        misfit = float(np.sum((np.bincount(sides, weights=sizes, minlength=len(quotas)) - quotas) ** 2))
        if misfit < best_misfit:
            best, best_misfit = sides, misfit
    return best


def _assign(sizes: npt.NDArray[np.int64], quotas: Floats, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Put each group, in this order, on the side that lacks most rows; no side stays empty where they suffice."""
    lacking = [float(quota) for quota in quotas]
    all_sides = range(len(lacking))
    empty = set(all_sides)
    sides = np.zeros(len(sizes), dtype=np.int64)
    for done, group in enumerate(order):
        open_sides = empty if len(order) - done <= len(empty) else all_sides
        side = max(open_sides, key=lambda candidate: (lacking[candidate], -candidate))
        sides[group] = side
        lacking[side] -= float(sizes[group])
        empty.discard(side)
    return sides

"""Divide rows into partitions, by the kind of split that the protocol names."""

from collections.abc import Sequence

from showdown.core.spec import DataSpec
from showdown.core.split import AutoSplit, GivenSplit, KFoldSplit, RepeatedSplit, SingleSplit, SplitSpec
from showdown.data.rows import Rows
from showdown.data.split import (
    Partition,
    cut_validation,
    given_partition,
    kfold,
    repeat_seeds,
    split_by_rows,
    split_rows,
)
from showdown.data.tables import count

KFOLD_BELOW_TEXTS = 2_000
"""With fewer different texts, `auto` cross-validates. A test share of 15 % is then under 300 rows, and the 95 %
interval at an accuracy of 0.85 is wider than 8 points. If each of 2,000 rows is tested once, it is 3 points wide."""


def resolved_split(rows: Rows, data: DataSpec, spec: SplitSpec) -> SplitSpec:
    """Return the split, with `auto` replaced by a kind that suits these rows."""
    if data.files is not None:
        return spec if isinstance(spec, GivenSplit) else GivenSplit(seed=spec.seed)
    if not isinstance(spec, AutoSplit):
        return spec
    if len(set(rows.duplicate_groups)) < KFOLD_BELOW_TEXTS:
        return KFoldSplit(seed=spec.seed)
    return SingleSplit(seed=spec.seed)


def divide(rows: Rows, data: DataSpec, spec: SplitSpec) -> list[Partition]:
    """Return the partitions that the specification describes, one for each fold or repeat.

    With `allow_leakage`, a single source is split by rows and copies are ignored, as in the study.

    Raises:
        UserError: for a label too rare to split, or copies across given files.

    """
    spec = resolved_split(rows, data, spec)
    if isinstance(spec, KFoldSplit):
        duplicate_groups: Sequence[int] = range(len(rows.texts)) if data.allow_leakage else rows.duplicate_groups
        return kfold(rows.label_of_rows, duplicate_groups, spec)
    if isinstance(spec, RepeatedSplit):
        once = single_of(spec)
        return [_single(rows, data, once.model_copy(update={"seed": seed})) for seed in repeat_seeds(spec)]
    if isinstance(spec, SingleSplit):
        return [_single(rows, data, spec)]
    return [given(rows, spec, allow_leakage=data.allow_leakage)]


def given(rows: Rows, spec: SplitSpec, *, allow_leakage: bool) -> Partition:
    """Return the partition of the given files. If there is no validation file, the training file is cut.

    Raises:
        UserError: for copies across the files unless leakage is allowed, or for a side without rows.

    """
    sides: Sequence[str] = rows.sides
    if "validation" not in sides:
        cut = spec if isinstance(spec, GivenSplit) else GivenSplit(seed=spec.seed)
        sides = cut_validation(sides, rows.label_of_rows, rows.duplicate_groups, cut)
    return given_partition(sides, rows.duplicate_groups, rows.row_ids, allow_leakage=allow_leakage)


def single_of(spec: SplitSpec) -> SingleSplit:
    """Return a single split with the seed of this one, and with its shares if it has any."""
    if isinstance(spec, (SingleSplit, RepeatedSplit)):
        return SingleSplit(train=spec.train, validation=spec.validation, test=spec.test, seed=spec.seed)
    return SingleSplit(seed=spec.seed)


def split_line(requested: SplitSpec, used: SplitSpec, rows: Rows, *, cut: bool = False) -> str:
    """Return a sentence about the split, with the reason if it was chosen automatically.

    Args:
        requested: the split in the comparison.
        used: the same with `auto` resolved.
        rows: the rows that are split.
        cut: whether validation rows are cut from a given training file.

    """
    if isinstance(used, KFoldSplit):
        line = f"{used.folds}-fold cross-validation: every row is tested once"
    elif isinstance(used, RepeatedSplit):
        line = f"{used.repeats} random splits, whose test rows overlap"
    elif isinstance(used, SingleSplit):
        line = f"One split, {used.train:.0%} training, {used.validation:.0%} validation, {used.test:.0%} test"
    else:
        share = used.validation if isinstance(used, GivenSplit) else 0.0
        return "Split: the given files" + (f"; {share:.0%} of the training file are validation rows" if cut else "")
    if isinstance(requested, AutoSplit):
        texts = len(set(rows.duplicate_groups))
        fewer = "fewer than" if texts < KFOLD_BELOW_TEXTS else "at least"
        line += f" (chosen for {count(texts, f'different {rows.noun}')}, {fewer} {KFOLD_BELOW_TEXTS:,})"
    return line


def _single(rows: Rows, data: DataSpec, spec: SingleSplit) -> Partition:
    if data.allow_leakage:
        return split_by_rows(rows.label_of_rows, spec)
    return split_rows(rows.label_of_rows, rows.duplicate_groups, spec)

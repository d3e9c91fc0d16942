"""From the kind of split that the protocol names to its partitions."""

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
"""With fewer different texts `auto` cross-validates: 15 % of them are under 300 test rows, whose 95 % interval at an
accuracy of 0.85 is wider than 8 points; tested once each, 2,000 rows give 3 points."""


def settled(rows: Rows, data: DataSpec, spec: SplitSpec) -> SplitSpec:
    """Return the split with `auto` replaced by the kind that it comes to for these rows."""
    if data.files is not None:
        return spec if isinstance(spec, GivenSplit) else GivenSplit(seed=spec.seed)
    if not isinstance(spec, AutoSplit):
        return spec
    if len(set(rows.duplicate_groups)) < KFOLD_BELOW_TEXTS:
        return KFoldSplit(seed=spec.seed)
    return SingleSplit(seed=spec.seed)


def divide(rows: Rows, data: DataSpec, spec: SplitSpec) -> list[Partition]:
    """Return the partitions that the specification asks for, one a fold or a repeat.

    With `allow_leakage` a single source is split by rows, without a look at copies, as the study did.

    Raises:
        UserError: for a label too rare to split, or copies across given files.

    """
    spec = settled(rows, data, spec)
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
    """Return the partition of the given files, validation rows cut from the training file where there is none of them.

    Raises:
        UserError: for copies across them that may not be, or a side without rows.

    """
    sides: Sequence[str] = rows.sides
    if "validation" not in sides:
        cut = spec if isinstance(spec, GivenSplit) else GivenSplit(seed=spec.seed)
        sides = cut_validation(sides, rows.label_of_rows, rows.duplicate_groups, cut)
    return given_partition(sides, rows.duplicate_groups, rows.row_ids, allow_leakage=allow_leakage)


def single_of(spec: SplitSpec) -> SingleSplit:
    """Return one split with the shares of this one, where it has any, and its seed."""
    if isinstance(spec, (SingleSplit, RepeatedSplit)):
        return SingleSplit(train=spec.train, validation=spec.validation, test=spec.test, seed=spec.seed)
    return SingleSplit(seed=spec.seed)


def split_line(asked: SplitSpec, used: SplitSpec, texts: int, *, cut: bool = False) -> str:
    """Say how the rows are divided, and why where nobody said it.

    Args:
        asked: what the comparison says.
        used: what it comes to.
        texts: different texts.
        cut: whether validation rows are cut from a given training file.

    """
    if isinstance(used, KFoldSplit):
        said = f"{used.folds}-fold cross-validation: every row is tested once"
    elif isinstance(used, RepeatedSplit):
        said = f"{used.repeats} random splits, whose test rows overlap"
    elif isinstance(used, SingleSplit):
        said = f"One split, {used.train:.0%} training, {used.validation:.0%} validation, {used.test:.0%} test"
    else:
        share = used.validation if isinstance(used, GivenSplit) else 0.0
        return "Split: the given files" + (f"; {share:.0%} of the training file are validation rows" if cut else "")
    if isinstance(asked, AutoSplit):
        fewer = "fewer than" if texts < KFOLD_BELOW_TEXTS else "not fewer than"
        said += f" (chosen for {count(texts, 'different text')}, {fewer} {KFOLD_BELOW_TEXTS:,})"
    return said


def _single(rows: Rows, data: DataSpec, spec: SingleSplit) -> Partition:
    if data.allow_leakage:
        return split_by_rows(rows.label_of_rows, spec)
    return split_rows(rows.label_of_rows, rows.duplicate_groups, spec)

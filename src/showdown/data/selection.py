"""Leave out rows: those of labels too rare to split, and those beyond `data.limit`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data.rows import Rows
from showdown.data.split import MIN_GROUPS, groups_by_label
from showdown.data.tables import LeftOut, count, row_list, shown

Value = TypeVar("Value")
_SHOWN_LABELS = 5
_FEW = f"fewer than {MIN_GROUPS} different texts"


def without_rare(rows: Rows, data: DataSpec) -> Rows:
    """Drop or merge the labels with too few different texts to be split, as `data.rare_labels` says.

    A text counts for the label that most of its copies have, as in the split. With `allow_leakage` every row counts.

    Raises:
        UserError: when fewer than two labels are left, or when the merged label exists in the data or is still rare.

    """
    if data.rare_labels == "error" or not _rare(rows, data):
        return rows
    return _merged(rows, data) if data.rare_labels == "merge" else _dropped(rows, data)


def limited(rows: Rows, data: DataSpec, seed: int) -> Rows:
    """Return at most `data.limit` rows; a notice gives the number of rows left out.

    The sample is stratified: of each label (and each given file) the same share, as nearly as whole groups allow,
    and never fewer than a split needs of different texts. The same seed gives the same rows.

    Raises:
        UserError: when the limit is too low to keep all labels.

    """
    if data.limit is None or data.limit >= len(rows.texts):
        return rows
    least = 1 if any(rows.sides) else MIN_GROUPS
    strata = groups_by_label(
        list(zip(rows.sides, rows.label_of_rows, strict=True)), rows.duplicate_groups, range(len(rows.texts))
    )
    generator = np.random.default_rng(seed % 2**64)
    kept: list[int] = []
    others: list[tuple[float, int, list[int]]] = []
    for members in strata.values():
        total, taken = sum(map(len, members)), 0
        for position, index in enumerate(generator.permutation(len(members))):
            taken += len(members[index])
            if position < least:
                kept += members[index]
            else:
                others.append((taken / total, len(others), members[index]))
    if len(kept) > data.limit:
        if rows.answers:
            raise UserError(
                f"`data.limit: {data.limit}`: a split needs {count(least, 'different prompt')}, here"
                f" {count(len(kept), 'row')}; raise the limit"
            )
        raise UserError(
            f"`data.limit: {data.limit}`: {count(least, 'different text')} of each of {count(len(strata), 'label')} are"
            f" {count(len(kept), 'row')}; raise the limit, or choose labels with `data.labels`"
        )
    for _, _, group in sorted(others):
        if len(kept) + len(group) <= data.limit:
            kept += group
    sample = keep(rows, sorted(kept), f"beyond `data.limit: {data.limit}`", requested=True)
    lost = set(rows.labels) - set(sample.labels)
    return _with_notice(sample, f"{count(len(lost), 'label')} without a row left: {_some(lost)}") if lost else sample


def _rare(rows: Rows, data: DataSpec, merged: str | None = None) -> set[str]:
    duplicate_groups: Sequence[int] = range(len(rows.texts)) if data.allow_leakage else rows.duplicate_groups
    groups = groups_by_label(rows.label_of_rows, duplicate_groups, range(len(rows.texts)))
    return {label for label in rows.labels if label != merged and len(groups.get(label, ())) < MIN_GROUPS}


def _dropped(rows: Rows, data: DataSpec) -> Rows:
    gone: set[str] = set()
    while rare := _rare(rows, data):
        gone |= rare
        kept = [index for index, label in enumerate(rows.label_of_rows) if label not in rare]
        if len(rows.labels) - len(rare) < 2:
            left = len(rows.labels) - len(rare)
            raise UserError(
                f"{rows.place}: without the labels that have {_FEW}, {count(left, 'label')} would be left; need at"
                " least 2. Add rows, or set `data.rare_labels: merge`"
            )
        rows = keep(rows, kept, f"of labels with {_FEW}")
    verb = "is" if len(gone) == 1 else "are"
    return _with_notice(rows, f"{count(len(gone), 'label')} with {_FEW} {verb} dropped: {_some(gone)}")


def _merged(rows: Rows, data: DataSpec) -> Rows:
    name, merged = data.rare_label, set[str]()
    if name in rows.labels:
        raise UserError(
            f"{rows.place}: the data already has a label {shown(name)}; set another name for rare labels with"
            " `data.rare_label`"
        )
    while rare := _rare(rows, data, name):
        merged |= rare
        rows = _relabelled(rows, [name if label in rare else label for label in rows.label_of_rows])
    if _rare(rows, data) or len(rows.labels) < 2:
        raise UserError(
            f"{rows.place}: {count(len(merged), 'label')} with {_FEW} ({_some(merged)}) cannot be merged: two labels"
            " with enough texts would not remain. Add rows, or set `data.rare_labels: drop`"
        )
    held = sum(label == name for label in rows.label_of_rows)
    verb = "is" if len(merged) == 1 else "are"
    counted = f"counted as {shown(name)} ({count(held, 'row')})"
    return _with_notice(rows, f"{count(len(merged), 'label')} with {_FEW} {verb} {counted}: {_some(merged)}")


def _relabelled(rows: Rows, labels: Sequence[str]) -> Rows:
    known = tuple(sorted(set(labels)))
    index_of = {label: index for index, label in enumerate(known)}
    return replace(rows, labels=known, targets=tuple(index_of[label] for label in labels))


def keep(rows: Rows, kept: Sequence[int], reason: str, *, requested: bool = False) -> Rows:
    """Return the kept rows. The others are left out, and a notice gives the reason."""
    held = set(kept)
    gone = tuple(row for index, row in enumerate(rows.row_ids) if index not in held)
    subset = replace(
        rows,
        texts=_of(rows.texts, kept),
        targets=_of(rows.targets, kept) if rows.targets else (),
        answers=_of(rows.answers, kept) if rows.answers else (),
        row_ids=_of(rows.row_ids, kept),
        duplicate_groups=_of(rows.duplicate_groups, kept),
        copy_groups=_of(rows.copy_groups, kept),
        exact=_of(rows.exact, kept),
        sides=_of(rows.sides, kept),
        left_out=(*rows.left_out, LeftOut(reason=reason, rows=gone, requested=requested)),
    )
    if rows.labels:
        subset = _relabelled(subset, subset.label_of_rows)
    return _with_notice(subset, f"{count(len(gone), 'row')} left out: {reason} ({row_list(gone)})")


def _of(values: Sequence[Value], kept: Iterable[int]) -> tuple[Value, ...]:
    return tuple(values[index] for index in kept)


def _with_notice(rows: Rows, notice: str) -> Rows:
    return replace(rows, notices=(*rows.notices, notice))


def _some(labels: Collection[str]) -> str:
    first = ", ".join(shown(label) for label in sorted(labels)[:_SHOWN_LABELS])
    return f"{first} and {len(labels) - _SHOWN_LABELS} more" if len(labels) > _SHOWN_LABELS else first

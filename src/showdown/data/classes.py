"""Check that a label column holds one class for each row: no amounts, no lists of labels."""

import re
from collections import Counter
from collections.abc import Collection

from showdown.core.errors import UserError
from showdown.data.tables import count, shown

MOST_AMOUNTS = 20
"""Most different decimal numbers that can be classes; more are amounts. Ratings up to ten in steps of 0.5 are 20."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_LIST = re.compile(r"[\[({].*[\])}]")
_SEPARATORS = ",|;"
_OTHER_FIXES = "choose another column with `data.label`, or list the labels in `data.labels`"
_LEAST_JOINED = 3
"""Fewest different values that must look like several labels joined by one character."""


def refuse_no_classes(place: str, column: str, labels: Collection[str]) -> None:
    """Refuse a label column whose values are amounts, or that holds several labels in a row.

    Several labels are lists such as `['a', 'b']`, or parts joined by a comma, `|` or `;`, when in most such values
    every part also occurs in another value: `3,27` beside `3` and `27` is two labels, `Sports|Tennis` beside
    `Sports|Golf` is one.

    Args:
        place: name of the table in messages.
        column: name of its label column.
        labels: the different values of that column.

    Raises:
        UserError: for such a column.

    """
    found = [label.strip() for label in labels]
    amounts = all(_NUMBER.fullmatch(label) for label in found) and not all(_WHOLE.fullmatch(label) for label in found)
    if amounts and len(found) > MOST_AMOUNTS:
        raise UserError(
            f"{place}: {shown(column)} holds {count(len(found), 'different number')} such as {shown(found[0])}, which"
            f" are amounts, not classes; replace them by classes (such as `low` and `high`), {_OTHER_FIXES}"
        )
    several = _listed(found) or next(filter(None, (_joined(found, mark) for mark in _SEPARATORS)), None)
    if several is not None:
        raise UserError(
            f"{place}: {shown(column)} holds several labels a row, such as {shown(several)}; keep one label a row,"
            f" {_OTHER_FIXES}"
        )


def _listed(labels: list[str]) -> str | None:
    """Return a list of several labels, when most of the labels are written as lists."""
    lists = [label for label in labels if _LIST.fullmatch(label)]
    several = next((label for label in lists if "," in label), None)
    return several if 2 * len(lists) > len(labels) else None


def _joined(labels: list[str], separator: str) -> str | None:
    """Return a label that joins others, when most labels with this separator do."""
    parts_of = {label: {part.strip() for part in label.split(separator)} for label in labels}
    values_with = Counter(part for parts in parts_of.values() for part in parts)
    separated = [label for label in labels if separator in label]
    joined = [label for label in separated if all(values_with[part] > 1 for part in parts_of[label])]
    enough = len(joined) >= _LEAST_JOINED and 2 * len(joined) > len(separated)
    return joined[0] if enough else None

"""Whether a label column holds one class a row: not an amount, not several labels."""

import re
from collections import Counter
from collections.abc import Collection

from showdown.core.errors import UserError
from showdown.data.tables import count, shown

MOST_AMOUNTS = 20
"""More different numbers with decimals than this are amounts. Ratings in halves up to ten are 20."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_LIST = re.compile(r"[\[({].*[\])}]")
_JOINTS = ",|;"
_OR_NAME = "choose another column with `data.label`, or name those that are labels in `data.labels`"
_LEAST_JOINED = 3
"""Different labels that one character must join before they are taken for several labels a row."""


def refuse_no_classes(place: str, column: str, labels: Collection[str]) -> None:
    """Raise UserError where the values of a label column are amounts, or several labels each.

    Several labels are lists such as `['a', 'b']`, or words joined by a comma, `|` or `;` most of which consist of
    words that occur in other values too: `Sports|Tennis` beside `Sports|Golf` is one label, `3,27` beside `27` is two.

    Args:
        place: of the table.
        column: its label column.
        labels: its different values.

    """
    found = [label.strip() for label in labels]
    amounts = all(_NUMBER.fullmatch(label) for label in found) and not all(_WHOLE.fullmatch(label) for label in found)
    if amounts and len(found) > MOST_AMOUNTS:
        raise UserError(
            f"{place}: {shown(column)} holds {count(len(found), 'different number')} such as {shown(found[0])}, which"
            f" are amounts, not classes; write classes in their place (such as `low` and `high`), {_OR_NAME}"
        )
    several = _listed(found) or next(filter(None, (_joined(found, joint) for joint in _JOINTS)), None)
    if several is not None:
        raise UserError(
            f"{place}: {shown(column)} holds several labels a row, such as {shown(several)}; keep one label a row,"
            f" {_OR_NAME}"
        )


def _listed(labels: list[str]) -> str | None:
    """Return a list of several where most of the labels are written as lists."""
    lists = [label for label in labels if _LIST.fullmatch(label)]
    several = next((label for label in lists if "," in label), None)
    return several if 2 * len(lists) > len(labels) else None


def _joined(labels: list[str], joint: str) -> str | None:
    """Return a label that joins others, where most labels with the joint do so."""
    parts_of = {label: {part.strip() for part in label.split(joint)} for label in labels}
    within = Counter(part for parts in parts_of.values() for part in parts)
    with_joint = [label for label in labels if joint in label]
    joined = [label for label in with_joint if all(within[part] > 1 for part in parts_of[label])]
    enough = len(joined) >= _LEAST_JOINED and 2 * len(joined) > len(with_joint)
    return joined[0] if enough else None

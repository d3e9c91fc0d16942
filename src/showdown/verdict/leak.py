"""How much copies across the split raise scores, and the scores without them."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from showdown.core.metric import ACCURACY, Metric
from showdown.verdict.influence import row_values
from showdown.verdict.outcomes import ArmOutcomes

_LITTLE_POINTS = 2.0
"""A leak that is worth less to the cheap model leaves scores that say something of new texts."""
_LARGE_SHARE = 0.05
"""Of the test rows: where the worth is not known, more copies than this make scores doubtful."""
_ENOUGH_ROWS = 100


def copied_rows(data: Mapping[str, Any]) -> frozenset[int]:
    """Return the test rows that are copies of training rows, from the `data` of a comparison's results."""
    across = (data.get("audit") or {}).get("across") or {}
    return frozenset(across.get("test_copy_rows") or ())


def scores_without(
    outcomes: Mapping[str, ArmOutcomes], left_out: Collection[int], metric: Metric = ACCURACY
) -> dict[str, float]:
    """Return the mean score of each arm on the test rows that are not left out.

    Args:
        outcomes: what each arm answered.
        metric: accuracy, or of written answers the metric of the verdict.
        left_out: numbers of test rows, such as copies of training rows. With none, or where no test row would be left,
            the result is empty.

    """
    found = {}
    for name, outcome in outcomes.items():
        kept = [part.row_ids[~np.isin(part.row_ids, list(left_out))] for part in outcome.parts.values()]
        if left_out and all(len(rows) for rows in kept):
            parts = [part.at(rows) for part, rows in zip(outcome.parts.values(), kept, strict=True)]
            found[name] = float(np.mean([row_values(metric, part).value for part in parts]))
    return found


def copies_text(data: Mapping[str, Any]) -> str:
    """Return how many test rows are copies, as `31 of 3,080 (1.0 %)`; nothing where it is not known."""
    across = (data.get("audit") or {}).get("across")
    if not across:
        return ""
    share = 100 * across["test_copies"] / max(1, across["test_rows"])
    return f"{across['test_copies']:,} of {across['test_rows']:,} ({share:.{0 if share >= 2 else 1}f} %)"


def worth_points(data: Mapping[str, Any]) -> float | None:
    """Return what the copies are worth to TF-IDF with a linear SVM, in points; None where it is not known."""
    found = _accuracies(data)
    return None if found is None else 100 * (found[0] - found[1])


def leak_warning(data: Mapping[str, Any]) -> str:
    """Return the sentences at the head of a report on what the leak means for the scores."""
    copies = copies_text(data)
    counted = f"They are {copies}. " if copies else ""
    if spoils_scores(data):
        return f"{counted}These scores do not say how a method does on new texts."
    return f"{counted}{worth_sentence(data)}".rstrip()


def spoils_scores(data: Mapping[str, Any]) -> bool:
    """Return whether the scores say little of new texts: by what the copies are worth, else by how many they are."""
    points, across = worth_points(data), (data.get("audit") or {}).get("across")
    if points is not None:
        return points >= _LITTLE_POINTS
    return not across or across["test_copies"] > _LARGE_SHARE * across["test_rows"]


def worth_sentence(data: Mapping[str, Any]) -> str:
    """Return how much the copies raise the accuracy of TF-IDF with a linear SVM; empty where it is not known."""
    found, points = _accuracies(data), worth_points(data)
    if found is None or points is None:
        return ""
    leaky, clean, own_split = found
    where = (
        ("on all test rows", "on those that are no copies")
        if own_split
        else ("in cross-validation by rows", "with copies kept on one side")
    )
    return (
        f"To TF-IDF with a linear SVM such a leak is worth {round(points, 1) + 0.0:.1f} points: {100 * leaky:.1f} % "
        f"{where[0]}, {100 * clean:.1f} % {where[1]}."
    )


def _accuracies(data: Mapping[str, Any]) -> tuple[float, float, bool] | None:
    """Return the accuracy with copies and without, and whether it is that of the split itself.

    Where the split has few test rows that are no copies, cross-validation of all rows says it better.
    """
    inspection = data.get("inspection") or {}
    across: Mapping[str, Any] = inspection.get("leak_across") or {}
    worth: Mapping[str, Any] = inspection.get("leak_worth") or {}
    if across and across["own_accuracy"] is not None:
        own = across["test_rows"] - across["copies"]
        if own >= _ENOUGH_ROWS or 2 * own >= across["test_rows"] or not worth:
            return float(across["all_accuracy"]), float(across["own_accuracy"]), True
    return (float(worth["leaky_accuracy"]), float(worth["clean_accuracy"]), False) if worth else None

"""F1 by label as a table: whole where it is small, else the hardest and the most frequent labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.record import RunRecord
from showdown.report.pool import LabelScore, highest, label_scores

MOST_LABELS = 100
"""Up to so many labels stand in a report; of more a reader sees `WORST` and `FREQUENT` ones."""
WORST = FREQUENT = 30
MOST_ROWS = 20
"""Rows of the comparison beside each other, those with the highest accuracy."""


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """The labels that are shown, by arm, and how they were chosen."""

    names: list[str]
    """Rows of the comparison."""
    labels: list[LabelScore]
    left_out: str
    """Says what is not shown; empty where all is."""


def label_table(done: Mapping[str, Sequence[RunRecord]]) -> LabelTable | None:
    """Choose what is shown of F1 by label; None where no run completed.

    Args:
        done: completed runs by row of the comparison; each has at least one.

    """
    names = highest(done, MOST_ROWS)
    every = label_scores({name: done[name] for name in names})
    if not every:
        return None
    labels = every if len(every) <= MOST_LABELS else _telling(every)
    text = _left_out(len(labels), len(every), len(names), len(done))
    return LabelTable(names=names, labels=labels, left_out=text)


def _telling(every: Sequence[LabelScore]) -> list[LabelScore]:
    """Return the tested labels with the lowest F1, the mean over rows, and the most frequent ones, lowest F1 first."""
    means = [fmean(one.f1.values()) for one in every]
    tested = [place for place, one in enumerate(every) if one.rows]
    rising = sorted(tested, key=lambda place: means[place])
    frequent = sorted(tested, key=lambda place: -every[place].rows)
    kept = {*rising[:WORST], *frequent[:FREQUENT]}
    return [every[place] for place in rising if place in kept]


def _left_out(labels: int, all_labels: int, names: int, all_names: int) -> str:
    lines = []
    if labels < all_labels:
        lines.append(
            f"Shown are {labels} of {all_labels:,} labels, the lowest F1 first: the {WORST} with the lowest F1 and the "
            f"{FREQUENT} with the most test rows."
        )
    if names < all_names:
        lines.append(f"Shown are {names} of {all_names:,} methods, those with the highest accuracy.")
    return " ".join([*lines, "All scores are in `results.json`, under `per_class`."] if lines else [])

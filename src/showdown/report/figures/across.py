"""Accuracy and macro F1 of several comparisons in one picture, equal arms beside each other."""

from collections.abc import Mapping
from dataclasses import replace

from showdown.report.figures.design import SHAPES, Style, styles
from showdown.report.figures.figure import Figure
from showdown.report.figures.scores import panels_of_scores, records_of_scores, scores_in_words
from showdown.verdict.across import Judged, named
from showdown.verdict.model import ArmVerdict


def scores_beside(comparisons: Mapping[str, Judged]) -> Figure | None:
    """Draw the scores of all arms of all comparisons; None where no arm has any.

    Args:
        comparisons: by what each is called.

    """
    rows: dict[str, dict[str, ArmVerdict]] = {}
    looks: dict[str, Style] = {}
    colours: dict[str, str] = {}
    for place, (label, item) in enumerate(comparisons.items()):
        own = styles(item.results.full_size)
        for row in item.verdict.rows:
            if not (row.accuracy and row.f1_macro):
                continue
            called = named(row.name, label)
            rows.setdefault(row.name, {})[called] = row
            colour = colours.setdefault(row.name, own[row.name].colour)
            looks[called] = replace(own[row.name], colour=colour, shape=SHAPES[place % len(SHAPES)])
    grouped = {called: row for group in rows.values() for called, row in group.items()}
    if not grouped:
        return None
    accuracy, f1_macro = records_of_scores(grouped)
    return Figure(
        name="scores-beside",
        title="Accuracy and macro F1",
        alt="Points with 95 % intervals, a row beside itself elsewhere. "
        f"Accuracy: {scores_in_words(accuracy, f1_macro)}.",
        caption="Bars are 95 % intervals; a colour is a row, a marker a comparison. The sentences above say which "
        "differences were tested.",
        panels=panels_of_scores({name: looks[name] for name in grouped}, accuracy, f1_macro),
        columns=2,
        legend={},
    )

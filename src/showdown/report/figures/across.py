"""Scores of several comparisons in one picture, equal arms beside each other."""

from collections.abc import Mapping
from dataclasses import replace

from showdown.core.metric import Metric
from showdown.report.figures.design import SHAPES, Style, styles
from showdown.report.figures.figure import Figure
from showdown.report.figures.scores import (
    panel_of_score,
    panels_of_scores,
    records_by,
    records_of_scores,
    score_in_words,
    scores_in_words,
)
from showdown.verdict.across import Judged, named
from showdown.verdict.model import ArmVerdict

_CAPTION = (
    "Bars are 95 % intervals; a colour is a row, a marker a comparison. The sentences above say which differences were "
    "tested."
)
_BESIDE = "Points with 95 % intervals, a row beside itself elsewhere."


def scores_beside(comparisons: Mapping[str, Judged]) -> Figure | None:
    """Draw the scores of all arms of all comparisons; None where no arm has any.

    Args:
        comparisons: by what each is called, one or more. Written answers are scored by one metric in all; of labels
            accuracy and macro F1 are drawn, whatever methods are ranked by.

    """
    metric = next(iter(comparisons.values())).verdict.ranking_metric
    rows: dict[str, dict[str, ArmVerdict]] = {}
    looks: dict[str, Style] = {}
    colours: dict[str, str] = {}
    for place, (label, item) in enumerate(comparisons.items()):
        own = styles(item.results.full_size)
        for row in item.verdict.rows:
            if not row.score or (not metric.is_of_writing and not (row.accuracy and row.f1_macro)):
                continue
            called = named(row.name, label)
            rows.setdefault(row.name, {})[called] = row
            colour = colours.setdefault(row.name, own[row.name].colour)
            looks[called] = replace(own[row.name], colour=colour, shape=SHAPES[place % len(SHAPES)])
    grouped = {called: row for group in rows.values() for called, row in group.items()}
    if not grouped:
        return None
    shown = {name: looks[name] for name in grouped}
    return _of_writing(grouped, shown, metric) if metric.is_of_writing else _of_labels(grouped, shown)


def _of_writing(grouped: Mapping[str, ArmVerdict], looks: Mapping[str, Style], metric: Metric) -> Figure:
    records = records_by(grouped, metric)
    return Figure(
        name="scores-beside",
        title=metric.capital,
        alt=f"{_BESIDE} {metric.capital}: {score_in_words(records, metric)}.",
        caption=_CAPTION,
        panels=(panel_of_score(looks, records, metric),),
        columns=1,
        legend={},
    )


def _of_labels(grouped: Mapping[str, ArmVerdict], looks: Mapping[str, Style]) -> Figure:
    accuracy, f1_macro = records_of_scores(grouped)
    return Figure(
        name="scores-beside",
        title="Accuracy and macro F1",
        alt=f"{_BESIDE} Accuracy: {scores_in_words(accuracy, f1_macro)}.",
        caption=_CAPTION,
        panels=panels_of_scores(looks, accuracy, f1_macro),
        columns=2,
        legend={},
    )

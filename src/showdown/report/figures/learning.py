"""Accuracy by the number of training rows: would more labels help?"""

from statistics import fmean
from typing import Any

import altair as alt

from showdown.report.figures.design import LIGHT, PLOT_HEIGHT_PX, colour_scale, rows_of, shape_scale
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.scales import linear_axis, score_axis
from showdown.report.learning_curve import learning_curve
from showdown.report.pool import pooled_scores

_WIDTH_PX = 286


def learning(material: Material) -> Figure | None:
    """Draw the learning curve; None where the comparison has no parts of the training rows."""
    curve = learning_curve(material.results, material.verdict.curve)
    if curve is None:
        return None
    records = _records(material)
    looks = {name: look for name, look in material.looks.items() if any(one["row"] == name for one in records)}
    x = linear_axis([one["train_rows"] for one in records])
    values = [one["accuracy_percent"] for one in records]
    y = score_axis([min(values)], [max(values)], 100.0, headroom=True)
    chart: Any = alt.Chart(rows_of(records)).encode(
        x=alt.X("train_rows:Q", scale=x.scale, axis=x.drawn("Training rows", grid=False)),
        y=alt.Y("accuracy_percent:Q", scale=y.scale, axis=y.drawn("Accuracy, %", domain=False, ticks=False)),
        color=alt.Color("row:N", scale=colour_scale(looks), legend=None),
    )
    panel = alt.layer(
        chart.mark_line(strokeWidth=2),
        chart.mark_point(filled=True, size=60, opacity=1, stroke=LIGHT["page"], strokeWidth=0.5).encode(
            shape=alt.Shape("row:N", scale=shape_scale(looks), legend=None)
        ),
    ).properties(width=_WIDTH_PX, height=PLOT_HEIGHT_PX)
    return Figure(
        name="learning-curve",
        title="Accuracy by training rows",
        alt=f"Accuracy of each row trained on parts of the training rows. {curve.sentence}",
        caption=curve.sentence,
        panels=(panel,),
        columns=1,
        legend=looks,
    )


def _records(material: Material) -> list[dict[str, Any]]:
    groups: dict[tuple[str, float], list[Any]] = {}
    for run in material.results.runs:
        if run.status == "completed" and run.train_rows:
            groups.setdefault((run.name, run.spec.train_fraction), []).append(run)
    several = {name for name, _ in groups if sum(other == name for other, _ in groups) > 1}
    return [
        {
            "row": name,
            "fraction": fraction,
            "train_rows": fmean(run.train_rows for run in runs),
            "accuracy_percent": 100 * fmean(scores.accuracy for scores in pooled_scores(runs)),
        }
        for (name, fraction), runs in groups.items()
        if name in several
    ]

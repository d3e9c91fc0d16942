"""Accuracy, or the metric of written answers, by the number of training rows."""

from statistics import fmean
from typing import Any

import altair as alt

from showdown.report.figures.design import LIGHT, PLOT_HEIGHT_PX, colour_scale, dash_scale, rows_of, shape_scale
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.scales import linear_axis, score_axis
from showdown.report.learning_curve import learning_curve
from showdown.verdict.model import Curve

_WIDTH_PX = 286


def learning(material: Material) -> Figure | None:
    """Draw the learning curve; None where the comparison has no parts of the training rows."""
    judged = material.verdict.curve
    curve = learning_curve(material.results, judged)
    if curve is None or judged is None:
        return None
    records = _records(material, judged, curve.metric.units)
    if not records:
        return None
    looks = {name: look for name, look in material.looks.items() if any(one["row"] == name for one in records)}
    x = linear_axis([one["train_rows"] for one in records])
    metric = curve.metric
    least, most = metric.units * metric.lowest, metric.units * metric.highest
    y = score_axis([one["low"] for one in records], [one["high"] for one in records], most, least=least)
    chart: Any = alt.Chart(rows_of(records)).encode(
        x=alt.X("train_rows:Q", scale=x.scale, axis=x.drawn("Training rows", grid=False)),
        y=alt.Y("score:Q", scale=y.scale, axis=y.drawn(metric.axis, domain=False, ticks=False)),
        color=alt.Color("row:N", scale=colour_scale(looks), legend=None),
    )
    panel = alt.layer(
        chart.mark_rule(strokeWidth=1.5, opacity=0.4).encode(
            y=alt.Y("low:Q", scale=y.scale, axis=y.drawn(metric.axis, domain=False, ticks=False)),
            y2="high:Q",
        ),
        chart.mark_line(strokeWidth=2).encode(strokeDash=alt.StrokeDash("row:N", scale=dash_scale(looks), legend=None)),
        chart.mark_point(filled=True, size=60, opacity=1, stroke=LIGHT["page"], strokeWidth=0.5).encode(
            shape=alt.Shape("row:N", scale=shape_scale(looks), legend=None)
        ),
    ).properties(width=_WIDTH_PX, height=PLOT_HEIGHT_PX)
    return Figure(
        name="learning-curve",
        title=f"{metric.capital} by training rows",
        alt=f"{metric.capital} of each row trained on parts of the training rows. {curve.sentence}",
        caption=f"{curve.sentence} Bars are 95 % intervals.",
        panels=(panel,),
        columns=1,
        legend=looks,
    )


def _records(material: Material, judged: Curve, units: float) -> list[dict[str, Any]]:
    rows: dict[tuple[str, float], list[int]] = {}
    for run in material.results.runs:
        if run.status == "completed" and run.train_rows:
            rows.setdefault((run.name, run.spec.train_fraction), []).append(run.train_rows)
    several = {name for name, found in judged.scores.items() if sum(one is not None for one in found) > 1}
    return [
        {
            "row": name,
            "fraction": fraction,
            "train_rows": fmean(rows[name, fraction]),
            "score": units * interval.value,
            "low": units * interval.low,
            "high": units * interval.high,
        }
        for name, found in judged.scores.items()
        for fraction, interval in zip(judged.fractions, found, strict=True)
        if interval is not None and name in several and (name, fraction) in rows
    ]

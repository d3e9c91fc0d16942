"""Accuracy of the answers that are given, by the share of texts that is answered."""

from typing import Any

import altair as alt

from showdown.report.confidence import ArmConfidence, arm_confidences
from showdown.report.figures.design import LIGHT, PLOT_HEIGHT_PX, colour_scale, dash_scale, rows_of, shape_scale
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.scales import score_axis

_WIDTH_PX = 286


def coverage(material: Material) -> Figure | None:
    """Draw a line for each arm; None where no confidence was measured that differs between answers."""
    found = {name: row for name, row in arm_confidences(material.results).items() if len(_points(row)) > 1}
    if not found:
        return None
    records = [record for name, row in found.items() for record in _records(name, row)]
    looks = {name: look for name, look in material.looks.items() if name in found}
    x = score_axis([one["answered_percent"] for one in records], [100.0], 100.0, headroom=True)
    accuracies = [one["accuracy_percent"] for one in records]
    y = score_axis([min(accuracies)], [max(accuracies)], 100.0, headroom=True)
    text = "; ".join(f"{name}: {_said(row)}" for name, row in found.items())
    base: Any = alt.Chart(rows_of(records)).encode(
        x=alt.X("answered_percent:Q", scale=x.scale, axis=x.drawn("Answered test rows, %", grid=False)),
        y=alt.Y("accuracy_percent:Q", scale=y.scale, axis=y.drawn("Accuracy of these, %", domain=False, ticks=False)),
        color=alt.Color("row:N", scale=colour_scale(looks), legend=None),
    )
    panel = alt.layer(
        base.mark_line(strokeWidth=2).encode(strokeDash=alt.StrokeDash("row:N", scale=dash_scale(looks), legend=None)),
        base.mark_point(filled=True, size=50, opacity=1, stroke=LIGHT["page"], strokeWidth=0.5).encode(
            shape=alt.Shape("row:N", scale=shape_scale(looks), legend=None)
        ),
    ).properties(width=_WIDTH_PX, height=PLOT_HEIGHT_PX)
    return Figure(
        name="coverage",
        title="Answer when sure, else ask a person",
        alt=f"A line for each row from the surest answers to all. {text}.",
        caption="Test rows at or above thresholds that were chosen on validation rows. The higher a line rises to the "
        "left, the better its confidence tells right answers from wrong ones.",
        panels=(panel,),
        columns=1,
        legend=looks,
    )


def _points(row: ArmConfidence) -> list[tuple[float, float]]:
    """Return answered shares and their accuracies, rising; all rows are the last."""
    points = {one.answered: one.accuracy for one in row.coverages if one.accuracy is not None} | {1.0: row.accuracy}
    return sorted(points.items())


def _records(name: str, row: ArmConfidence) -> list[dict[str, Any]]:
    return [
        {"row": name, "answered_percent": 100 * answered, "accuracy_percent": 100 * accuracy}
        for answered, accuracy in _points(row)
    ]


def _said(row: ArmConfidence) -> str:
    (answered, accuracy), *_, (_, of_all) = _points(row)
    return f"{100 * accuracy:.1f} % right of the surest {100 * answered:.0f} %, {100 * of_all:.1f} % of all"

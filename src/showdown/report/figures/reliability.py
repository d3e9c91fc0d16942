"""Reliability diagrams: how often answers of a confidence are right, for every arm whose scores are probabilities."""

import math
from typing import Any

import altair as alt

from showdown.report.confidence import ArmConfidence, arm_confidences
from showdown.report.figures.design import LIGHT, Style, rows_of
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.scales import Axis

_PLOT_PX = 168
_AXIS = Axis(low=0.0, high=1.0, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))
_QUANTILE = 1.96
_LEAST_AREA_PX, _MOST_AREA_PX = 18.0, 240.0
_TITLES = ("Confidence", "Share right")


def reliability(material: Material) -> Figure | None:
    """Draw a diagram for each arm; None where no scores are probabilities."""
    found = {name: row for name, row in arm_confidences(material.results).items() if row.bins}
    if not found:
        return None
    text = "; ".join(f"{name} {row.error:.3f}, by chance {row.error_if_calibrated:.3f}" for name, row in found.items())
    return Figure(
        name="reliability",
        title="Reliability",
        alt=f"Points near the diagonal are of answers that are right as often as their confidence says. Expected "
        f"calibration error: {text}.",
        caption="Answers in bins of confidence; a point's area is their number. Below the diagonal a model is too sure "
        "of itself, above it not sure enough. Grey bars hold 95 % of the points of a calibrated model.",
        panels=tuple(_panel(material.titles[name], row, material.looks[name]) for name, row in found.items()),
        columns=4,
        legend={},
    )


def _panel(title: str, row: ArmConfidence, look: Style) -> Any:
    most = max(one.rows for one in row.bins)
    records: list[dict[str, Any]] = []
    for one in row.bins:
        chance = _QUANTILE * math.sqrt(one.variance * row.wholes / one.rows)
        records.append(
            {
                "confidence": one.confidence,
                "right": one.accuracy,
                "rows": one.rows,
                "area": _LEAST_AREA_PX + (_MOST_AREA_PX - _LEAST_AREA_PX) * one.rows / most,
                "low": max(0.0, one.confidence - chance),
                "high": min(1.0, one.confidence + chance),
            }
        )
    across, up = _TITLES
    x = alt.X("confidence:Q", scale=_AXIS.scale, axis=_AXIS.drawn(across, grid=False))
    axis = _AXIS.drawn(up, domain=False, ticks=False)
    base: Any = alt.Chart(rows_of(records)).encode(x=x)
    diagonal = (
        alt.Chart(rows_of([{"confidence": end, "right": end} for end in (0.0, 1.0)]))
        .mark_line(color=LIGHT["muted"], strokeWidth=1, strokeDash=[4, 3])
        .encode(x=x, y=alt.Y("right:Q", scale=_AXIS.scale, axis=axis))
    )
    head = alt.TitleParams(
        text=title,
        subtitle=f"error {row.error:.3f}, by chance {row.error_if_calibrated:.3f}",
        subtitleColor=LIGHT["muted"],
        subtitleFontSize=10,
    )
    return alt.layer(
        diagonal,
        base.mark_rule(color=LIGHT["axis"], strokeWidth=5, opacity=0.55).encode(
            y=alt.Y("low:Q", scale=_AXIS.scale, axis=axis), y2="high:Q"
        ),
        base.mark_point(filled=True, opacity=0.9, color=look.colour, shape=look.shape).encode(
            y=alt.Y("right:Q", scale=_AXIS.scale, axis=axis), size=alt.Size("area:Q", scale=None)
        ),
        title=head,
    ).properties(width=_PLOT_PX, height=_PLOT_PX)

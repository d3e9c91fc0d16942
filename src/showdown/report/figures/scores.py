"""Accuracy and macro F1 of every row with their 95 % intervals."""

from typing import Any

import altair as alt

from showdown.report.figures.design import (
    LIGHT,
    MOST_OF_A_NAME,
    PANEL_PX,
    colour_scale,
    extent,
    labelled,
    rows_of,
    shape_scale,
    spelt,
)
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.scales import score_axis

_ROW_PX = 24
_NAMES_PX = 138.0
_VALUE_PX = 44


def scores(material: Material) -> Figure | None:
    """Draw both scores; None where no row has any."""
    if not material.scored:
        return None
    accuracy = [
        _record(row.name, 100 * row.accuracy.value, 100 * row.accuracy.low, 100 * row.accuracy.high, "{:.1f}")
        for row in material.scored
        if row.accuracy
    ]
    f1_macro = [
        _record(row.name, row.f1_macro.value, row.f1_macro.low, row.f1_macro.high, "{:.3f}")
        for row in material.scored
        if row.f1_macro
    ]
    said = "; ".join(
        f"{one['row']} {one['shown']} % ({one['low']:.1f} to {one['high']:.1f}), macro F1 {other['shown']} "
        f"({other['low']:.2f} to {other['high']:.2f})"
        for one, other in zip(accuracy, f1_macro, strict=True)
    )
    return Figure(
        name="scores",
        title="Accuracy and macro F1",
        alt=f"Points with 95 % intervals. Accuracy: {said}.",
        caption="Bars are 95 % intervals. Overlapping bars do not settle whether two rows differ: the paired tests do.",
        panels=(_panel(material, accuracy, "Accuracy, %", 100.0), _panel(material, f1_macro, "Macro F1", 1.0)),
        columns=2,
        legend={},
    )


def _record(name: str, value: float, low: float, high: float, form: str) -> dict[str, Any]:
    return {"row": name, "value": value, "low": low, "high": high, "shown": form.format(value)}


def _panel(material: Material, records: list[dict[str, Any]], title: str, limit: float) -> Any:
    axis = score_axis([one["low"] for one in records], [one["high"] for one in records], limit)
    names = [one["row"] for one in records]
    room = extent(labelled(names, MOST_OF_A_NAME), _NAMES_PX) + 6
    width = PANEL_PX - _VALUE_PX - room - 8
    base = alt.Chart(rows_of(records)).encode(
        y=alt.Y(
            "row:N",
            sort=names,
            title=None,
            axis=alt.Axis(
                domain=False,
                ticks=False,
                labelPadding=8,
                labelExpr=spelt(names, MOST_OF_A_NAME),
                labelLimit=int(_NAMES_PX),
                minExtent=room,
            ),
        ),
        color=alt.Color("row:N", scale=colour_scale(material.looks), legend=None),
    )
    x = alt.X("low:Q", scale=axis.scale, axis=axis.drawn(title))
    return alt.layer(
        base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=alt.X("value:Q", title=title),
            shape=alt.Shape("row:N", scale=shape_scale(material.looks), legend=None),
        ),
        base.mark_text(align="left", baseline="middle", color=LIGHT["ink"]).encode(
            x=alt.value(width + 8), color=alt.value(LIGHT["ink"]), text="shown:N"
        ),
    ).properties(width=width, height=_ROW_PX * len(records))

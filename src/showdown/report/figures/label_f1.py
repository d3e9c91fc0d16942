"""F1 of every label for every arm."""

from statistics import fmean
from typing import Any

import altair as alt

from showdown.report.figures.design import LIGHT, MOST_OF_A_NAME, extent, labelled, plain, ramp, rows_of, spelt
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.pool import label_scores

MOST_LABELS = 40
MOST_ROWS = 20
_CELL_PX = (36, 19)
_LABELS_PX = 200
_MOST_OF_A_LABEL = 26


def label_f1(material: Material) -> Figure | None:
    """Draw the heat map, the easiest label on top; None without labels or a run that completed."""
    names = material.highest(MOST_ROWS)
    table = label_scores({name: material.done[name] for name in names})
    if not table:
        return None
    ordered = sorted(table, key=lambda one: -fmean(one.f1.values()))
    shown = ordered[-MOST_LABELS:]
    called = labelled([one.label for one in shown], _MOST_OF_A_LABEL)
    labels = {one.label: f"{name} ({one.rows})" for one, name in zip(shown, called, strict=True)}
    records: list[dict[str, Any]] = []
    for one in shown:
        for name in names:
            fill, ink = ramp(one.f1[name])
            records.append(
                {
                    "label": labels[one.label],
                    "row": name,
                    "f1": one.f1[name],
                    "shown": f"{one.f1[name]:.2f}",
                    "fill": fill,
                    "ink": ink,
                }
            )
    hardest, easiest = ordered[-1], ordered[0]
    some = f"The {MOST_LABELS} hardest of {len(ordered)} labels. " if len(ordered) > MOST_LABELS else ""
    if len(names) < len(material.done):
        some += f"The {MOST_ROWS} rows of {len(material.done)} with the highest accuracy. "
    return Figure(
        name="label-f1",
        title="F1 by label",
        alt=f"{some}F1 of each label and row. On the mean over rows {plain(easiest.label)} is easiest "
        f"({fmean(easiest.f1.values()):.2f}) and {plain(hardest.label)} hardest ({fmean(hardest.f1.values()):.2f}).",
        caption=f"{some}In brackets the test rows of a label. The easiest label is on top, by the mean over rows."
        + material.own_rows_sentence,
        panels=(_panel(records, names, list(labels.values())),),
        columns=1,
        legend={},
    )


def _panel(records: list[dict[str, Any]], names: list[str], labels: list[str]) -> Any:
    base = alt.Chart(rows_of(records)).encode(
        x=alt.X(
            "row:N",
            sort=names,
            title=None,
            axis=alt.Axis(
                orient="top",
                labelAngle=-40,
                labelAlign="left",
                domain=False,
                ticks=False,
                labelPadding=4,
                labelExpr=spelt(names, MOST_OF_A_NAME),
            ),
        ),
        y=alt.Y(
            "label:N",
            sort=labels,
            title=None,
            axis=alt.Axis(
                domain=False,
                ticks=False,
                labelLimit=_LABELS_PX,
                labelColor=LIGHT["ink"],
                minExtent=extent(labels, _LABELS_PX),
            ),
        ),
    )
    return alt.layer(
        base.mark_rect(stroke=LIGHT["page"], strokeWidth=1).encode(color=alt.Color("fill:N", scale=None)),
        base.mark_text(fontSize=10).encode(text="shown:N", color=alt.Color("ink:N", scale=None)),
    ).properties(width=_CELL_PX[0] * len(names), height=_CELL_PX[1] * len(labels))

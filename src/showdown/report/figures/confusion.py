"""Confusion matrices: what each row answers instead, over all its runs."""

from typing import Any

import altair as alt
import numpy as np

from showdown.report.figures.design import LIGHT, SMALL_TEXT_PX, extent, labelled, plain, ramp, rows_of, text_px
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.pool import confusions

MOST_LABELS = 30
_PLOT_PX = 290
_LARGEST_CELL_PX = 44
_LABELS_PX = 120
_MOST_WIDE_LABELS = 8


def confusion(material: Material) -> Figure | None:
    """Draw a matrix for each row; None where no run completed."""
    if not material.done:
        return None
    labels = next(iter(material.done.values()))[0].labels
    matrices = {name: np.asarray(confusions(runs)) for name, runs in material.done.items()}
    kept = _most_confused(sum(matrices.values()))
    some = f"The {MOST_LABELS} most confused of {len(labels)} labels. " if len(kept) < len(labels) else ""
    said = "; ".join(f"{name}: {_worst(matrix, labels)}" for name, matrix in matrices.items())
    return Figure(
        name="confusion",
        title="Confusion matrices",
        alt=f"{some}Answers by true label, a matrix for each row of the table. Most frequent confusion: {said}.",
        caption=f"{some}True labels down, answers across; counts over all runs of a row. The stronger a colour, the "
        "larger the share of the true label." + material.own_rows_said,
        panels=tuple(_panel(material.titles[name], matrix, labels, kept) for name, matrix in matrices.items()),
        columns=2,
        legend={},
    )


def _most_confused(total: Any) -> list[int]:
    """Return the labels to show, in their own order: all, or those with the most wrong answers to or from them."""
    wrong = total.sum(axis=0) + total.sum(axis=1) - 2 * total.diagonal()
    return sorted(sorted(range(len(wrong)), key=lambda place: -wrong[place])[:MOST_LABELS])


def _worst(matrix: Any, labels: list[str]) -> str:
    wrong = matrix - np.diag(matrix.diagonal())
    if not wrong.any():
        return "none"
    true, said = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return f"{plain(labels[int(true)])} answered as {plain(labels[int(said)])}, {wrong.max()} times"


def _panel(name: str, matrix: Any, labels: list[str], kept: list[int]) -> Any:
    cell = min(_LARGEST_CELL_PX, max(11, _PLOT_PX // len(kept)))
    label_px = min(SMALL_TEXT_PX, cell - 2)
    most = int(_LABELS_PX / text_px("x") * SMALL_TEXT_PX / label_px)
    short = dict(zip(kept, labelled([labels[place] for place in kept], most), strict=True))
    records: list[dict[str, Any]] = []
    for true in kept:
        there = max(1, int(matrix[true].sum()))
        for said in kept:
            rows = int(matrix[true, said])
            if not rows:
                continue
            fill, ink = ramp(rows / there)
            records.append(
                {
                    "row": name,
                    "true": short[true],
                    "predicted": short[said],
                    "rows": rows,
                    "shown": str(rows),
                    "fill": fill,
                    "ink": ink,
                }
            )
    font = 11 if cell > 20 else 8
    look: dict[str, Any] = {
        "domain": False,
        "ticks": False,
        "labelFontSize": label_px,
        "labelOverlap": False,
        "labelLimit": _LABELS_PX,
        "minExtent": extent(list(short.values()), _LABELS_PX, label_px),
    }
    across = alt.Scale(domain=list(short.values()))
    base = alt.Chart(rows_of(records), title=name).encode(
        x=alt.X(
            "predicted:N",
            scale=across,
            axis=alt.Axis(title="Answer", labelAngle=-90, **look),
        ),
        y=alt.Y("true:N", scale=across, axis=alt.Axis(title="True label", **look)),
    )
    stroke = 1 if len(kept) <= _MOST_WIDE_LABELS else 0.5
    return alt.layer(
        base.mark_rect(stroke=LIGHT["page"], strokeWidth=stroke).encode(color=alt.Color("fill:N", scale=None)),
        base.mark_text(fontSize=font).encode(text="shown:N", color=alt.Color("ink:N", scale=None)),
    ).properties(width=cell * len(kept), height=cell * len(kept), view=alt.ViewConfig(fill=LIGHT["ramp-0"]))

"""Confusion matrices of each arm, over all its runs."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt

from showdown.report.figures.design import (
    LIGHT,
    PANEL_PX,
    SMALL_TEXT_PX,
    extent,
    labelled,
    ramp,
    rows_of,
    text_px,
)
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.pool import confusions

Counts = npt.NDArray[np.int64]
MOST_LABELS = 30
"""With more labels no matrix can be read: the most frequent confusions take its place."""
MOST_CONFUSIONS = 10
MOST_PANELS = 12
"""Arms that are drawn; all are in `results.json`."""
_MOST_OF_A_LABEL = 24
_PAIRS_PX = 250
_COUNT_PX = 36
_BAR_PX = 15
_PAGE_COLUMNS = ((8, 4), (15, 3))
"""Matrices side by side on a page, for up to so many labels; of more labels two."""
_PLOT_PX = 290
_LARGEST_CELL_PX = 44
_LABELS_PX = 120
_MOST_WIDE_LABELS = 8


def confusion(material: Material) -> Figure | None:
    """Draw a matrix for each arm, or its most frequent confusions where labels are many; None without labels or a run
    that completed.

    Of many rows those with the highest accuracy are drawn.
    """
    labels = next(iter(material.done.values()))[0].labels if material.done else []
    if not labels:
        return None
    names = material.highest(MOST_PANELS)
    matrices = {name: confusions(material.done[name]) for name in names}
    some = (
        f"The {MOST_PANELS} rows of {len(material.done)} with the highest accuracy. "
        if names != [*material.done]
        else ""
    )
    text = "; ".join(f"{name}: {_worst(matrix, labels)}" for name, matrix in matrices.items())
    most = f"Most frequent confusion: {text}."
    if len(labels) > MOST_LABELS:
        each = f"The {MOST_CONFUSIONS} most frequent confusions of each row, of {len(labels)} labels."
        return Figure(
            name="confusion",
            title="Most frequent confusions",
            alt=f"{some}{each} {most}",
            caption=f"{some}{each} True label, arrow, answer; bars count rows over all runs of an arm."
            + material.own_rows_sentence,
            panels=tuple(_bars(material.titles[name], matrix, labels) for name, matrix in matrices.items()),
            columns=2,
            legend={},
        )
    return Figure(
        name="confusion",
        title="Confusion matrices",
        alt=f"{some}Answers by true label, a matrix for each arm. {most}",
        caption=f"{some}True labels down, answers across; counts over all runs of a row. The stronger a colour, the "
        "larger the share of the true label." + material.own_rows_sentence,
        panels=tuple(_panel(material.titles[name], matrix, labels) for name, matrix in matrices.items()),
        columns=2,
        page_columns=next((columns for most, columns in _PAGE_COLUMNS if len(labels) <= most), 2),
        legend={},
    )


def _confused(matrix: Counts) -> list[tuple[int, int, int]]:
    """Return true label, answer and rows of the most frequent confusions, the most frequent first."""
    wrong = matrix - np.diag(matrix.diagonal())
    places = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    found = [(int(place) // len(wrong), int(place) % len(wrong)) for place in places]
    return [(true, text, int(wrong[true, text])) for true, text in found if wrong[true, text]]


def _worst(matrix: Counts, labels: Sequence[str]) -> str:
    worst = _confused(matrix)[:1]
    if not worst:
        return "none"
    true, text, rows = worst[0]
    first, second = labelled([labels[true], labels[text]], _MOST_OF_A_LABEL)
    return f"{first} answered as {second}, {rows} times"


def _bars(name: str, matrix: Counts, labels: Sequence[str]) -> Any:
    """Draw the most frequent confusions of an arm as bars with their counts."""
    worst = _confused(matrix)
    met = sorted({place for true, text, _ in worst for place in (true, text)})
    short = dict(zip(met, labelled([labels[place] for place in met], _MOST_OF_A_LABEL), strict=True))
    records = [
        {"row": name, "confusion": f"{short[true]} \u2192 {short[text]}", "rows": rows, "shown": f"{rows:,}"}
        for true, text, rows in worst
    ]
    look: dict[str, Any] = {
        "domain": False,
        "ticks": False,
        "labelLimit": _PAIRS_PX,
        "labelFontSize": SMALL_TEXT_PX - 2,
    }
    base = alt.Chart(rows_of(records), title=name).encode(
        y=alt.Y("confusion:N", sort=None, axis=alt.Axis(title=None, minExtent=_PAIRS_PX, **look)),
        x=alt.X("rows:Q", axis=None, scale=alt.Scale(domain=[0, max([1, *(rows for _, _, rows in worst)])])),
    )
    width = PANEL_PX - _PAIRS_PX - _COUNT_PX
    return alt.layer(
        base.mark_bar(color=LIGHT["ramp-6"]),
        base.mark_text(align="left", dx=4, fontSize=SMALL_TEXT_PX - 2).encode(text="shown:N"),
    ).properties(width=width, height=_BAR_PX * max(1, len(records)))


def _panel(name: str, matrix: Counts, labels: Sequence[str]) -> Any:
    kept = range(len(labels))
    cell = min(_LARGEST_CELL_PX, max(11, _PLOT_PX // len(kept)))
    label_px = min(SMALL_TEXT_PX, cell - 2)
    most = int(_LABELS_PX / text_px("x") * SMALL_TEXT_PX / label_px)
    short = dict(zip(kept, labelled([labels[place] for place in kept], most), strict=True))
    records: list[dict[str, Any]] = []
    for true in kept:
        there = max(1, int(matrix[true].sum()))
        for text in kept:
            rows = int(matrix[true, text])
            if not rows:
                continue
            fill, ink = ramp(rows / there)
            records.append(
                {
                    "row": name,
                    "true": short[true],
                    "predicted": short[text],
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

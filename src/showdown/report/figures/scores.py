"""The metric of the verdict, and of labels accuracy and macro F1, of every arm, with 95 % intervals."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.report.figures.design import (
    LIGHT,
    MOST_OF_A_NAME,
    PANEL_PX,
    Style,
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
from showdown.verdict.model import ArmVerdict, Score

_ROW_PX = 24
_NAMES_PX = 138.0
_VALUE_PX = 44


def scores(material: Material) -> Figure | None:
    """Draw the scores; None where no arm has any."""
    if not material.scored:
        return None
    rows = {row.name: row for row in material.scored}
    if material.metric.is_of_writing:
        return _of_writing(material, rows)
    accuracy, f1_macro = records_of_scores(rows)
    own: Records = []
    metric = material.metric
    if metric not in {ACCURACY, METRICS["f1_macro"]}:
        own = records_by(rows, metric)
    first = f"{metric.capital}, accuracy" if own else "Accuracy"
    each = "; ".join(f"{one['row']} {one['shown']}" for one in own)
    words = f"{metric.capital}: {each}. " if own else ""
    return Figure(
        name="scores",
        title=f"{first} and macro F1",
        alt=f"Points with 95 % intervals. {words}Accuracy: {scores_in_words(accuracy, f1_macro)}.",
        caption="Bars are 95 % intervals. Overlapping bars do not settle whether two rows differ: the paired tests do."
        + material.cut_short_sentence,
        panels=(
            *([panel_of_score(material.looks, own, metric)] if own else []),
            *panels_of_scores(material.looks, accuracy, f1_macro),
        ),
        columns=2,
        legend={},
    )


def _of_writing(material: Material, rows: Mapping[str, ArmVerdict]) -> Figure:
    metric = material.metric
    records = records_by(rows, metric)
    return Figure(
        name="scores",
        title=metric.capital,
        alt=f"Points with 95 % intervals. {metric.capital}: {score_in_words(records, metric)}.",
        caption="Bars are 95 % intervals. Overlapping bars do not settle whether two rows differ: the paired tests do."
        + material.cut_short_sentence,
        panels=(panel_of_score(material.looks, records, metric),),
        columns=1,
        legend={},
    )


Records = list[dict[str, Any]]


def score_in_words(records: Records, metric: Metric) -> str:
    """Return the scores by one metric in words."""
    return "; ".join(
        f"{one['row']} {one['shown']}"
        + (
            f" ({metric.cell(one['low'] / metric.units)} to {metric.cell(one['high'] / metric.units)})"
            if one["low"] < one["high"]
            else ""
        )
        for one in records
    )


def records_of_scores(rows: Mapping[str, ArmVerdict]) -> tuple[Records, Records]:
    """Return accuracy in percent and macro F1 with their intervals, by the name of each arm."""
    accuracy = [
        _record(name, 100 * found.value, 100 * found.low, 100 * found.high, "{:.1f}")
        for name, row in rows.items()
        if (found := row.accuracy)
    ]
    f1_macro = [
        _record(name, score.value, *ends_of(score), "{:.3f}") for name, row in rows.items() if (score := row.f1_macro)
    ]
    return accuracy, f1_macro


def records_by(rows: Mapping[str, ArmVerdict], metric: Metric) -> Records:
    """Return the score of the verdict of each arm, with its interval."""
    found: Records = []
    form = "{:.1f}" if metric.percent else "{:.3f}"
    for name, row in rows.items():
        if row.score:
            value, low, high = (metric.units * at for at in (row.score.value, *ends_of(row.score)))
            found.append(_record(name, value, low, high, form))
    return found


def ends_of(score: Score) -> tuple[float, float]:
    """Return the ends of a score's interval; where it has none the score itself, which draws no bar."""
    if score.low is None or score.high is None:
        return score.value, score.value
    return score.low, score.high


def scores_in_words(accuracy: Records, f1_macro: Records) -> str:
    """Return both scores in words."""
    return "; ".join(
        f"{one['row']} {one['shown']} % ({one['low']:.1f} to {one['high']:.1f}), macro F1 {other['shown']} "
        + (f"({other['low']:.2f} to {other['high']:.2f})" if other["low"] < other["high"] else "(no interval)")
        for one, other in zip(accuracy, f1_macro, strict=True)
    )


def panels_of_scores(looks: Mapping[str, Style], accuracy: Records, f1_macro: Records) -> tuple[Any, Any]:
    """Draw a panel for each score."""
    return panel_of_score(looks, accuracy, ACCURACY), panel_of_score(looks, f1_macro, METRICS["f1_macro"])


def _record(name: str, value: float, low: float, high: float, form: str) -> dict[str, Any]:
    return {"row": name, "value": value, "low": low, "high": high, "shown": form.format(value)}


def panel_of_score(looks: Mapping[str, Style], records: Records, metric: Metric) -> Any:
    """Draw the scores by one metric."""
    title, least, most = metric.axis, metric.units * metric.lowest, metric.units * metric.highest
    axis = score_axis([one["low"] for one in records], [one["high"] for one in records], most, least=least)
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
        color=alt.Color("row:N", scale=colour_scale(looks), legend=None),
    )
    x = alt.X("low:Q", scale=axis.scale, axis=axis.drawn(title))
    return alt.layer(
        base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q"),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=alt.X("value:Q", title=title),
            shape=alt.Shape("row:N", scale=shape_scale(looks), legend=None),
        ),
        base.mark_text(align="left", baseline="middle", color=LIGHT["ink"]).encode(
            x=alt.value(width + 8), color=alt.value(LIGHT["ink"]), text="shown:N"
        ),
    ).properties(width=width, height=_ROW_PX * len(records))

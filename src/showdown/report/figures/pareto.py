"""Pareto fronts: the verdict's score against each cost on its own; arms that another one beats in both are grey."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from showdown.report.figures.design import Style
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.points import (
    COST,
    LATENCY,
    MEMORY,
    SECONDS,
    SIZE,
    Amount,
    Point,
    amounts_of,
    fronts,
    named_sentence,
    panel,
    points_for,
)


def pareto_fronts(material: Material) -> Figure | None:
    """Draw a front for each cost that was measured; None where none was measured of two arms."""
    panels, lines = [], []
    for amount in amounts_of(material.scored, MEMORY, SECONDS, COST, SIZE, LATENCY):
        points = points_for(material.scored, amount, material.metric)
        if len(points) < 2 or not any(point.amount for point in points):
            continue
        front = fronts(points)
        panels.append(_panel(points, front, amount, material.looks))
        lines.append(f"{amount.title}: {', '.join(front)}")
    if not panels:
        return None
    return Figure(
        name="pareto",
        title="Pareto fronts",
        alt=f"{material.metric.capital} against one cost in each panel. On the front: {'; '.join(lines)}.",
        caption="A row is grey where another is at least as good in both measures of the panel and better in one. "
        "Measured values alone: intervals are not weighed here." + named_sentence(material.scored),
        panels=tuple(panels),
        columns=3,
        legend={},
    )


def _panel(points: Sequence[Point], front: Sequence[str], amount: Amount, looks: Mapping[str, Style]) -> Any:
    drawn = [replace(point, greyed=point.row.name not in front) for point in points]
    on_front = sorted((point for point in drawn if not point.greyed), key=lambda point: point.amount)
    return panel(drawn, amount, looks, whiskers=False, front=on_front)

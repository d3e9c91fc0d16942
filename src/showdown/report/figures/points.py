"""A score against an amount, each arm a named point: shared by the trade-off and the Pareto charts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import altair as alt

from showdown.core.metric import Metric
from showdown.core.prices import EXAMPLE_CURRENCY
from showdown.report.figures.design import LIGHT, MOST_OF_A_NAME, Style, rows_of, shape_scale, spelling
from showdown.report.figures.placing import Box, Label, Spot, place
from showdown.report.figures.scales import Axis, amount_axis, change_axis, score_axis
from showdown.verdict.model import ArmVerdict
from showdown.verdict.pareto import pareto

PLOT_PX = 286
HEIGHT_PX = 210
MOST_NAMED = 20
"""Of more points in a panel those on its front alone have their names beside them: all would hide each other."""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A cost of an arm."""

    key: str
    """Name of the column in a figure's data."""
    title: str
    """With its unit."""
    value: Callable[[ArmVerdict], float | None]
    axis: Callable[[Sequence[float]], Axis] = amount_axis


MEMORY = Amount(key="memory_gb", title="Peak memory of the whole run, GB", value=lambda row: row.memory_gb)
SECONDS = Amount(key="train_seconds", title="Training time, s", value=lambda row: row.train_seconds)
COST = Amount(key="cost", title="Cost of one model", value=lambda row: row.cost.model if row.cost else None)
SIZE = Amount(key="model_size_mb", title="Saved model, MB", value=lambda row: row.model_size_mb)
LATENCY = Amount(key="latency_ms", title="Latency (95th percentile), ms", value=lambda row: row.latency_ms)
RISE = Amount(
    key="general_loss_rise",
    title="Rise of the loss on general text, nats a token",
    value=lambda row: row.general_loss_rise,
    axis=change_axis,
)
DIVERGENCE = Amount(
    key="prompt_kl",
    title="Divergence from the base on the prompts, nats a token",
    value=lambda row: row.forgetting.prompt_kl if row.forgetting else None,
    axis=change_axis,
)


def amounts_of(rows: Sequence[ArmVerdict], *amounts: Amount) -> list[Amount]:
    """Return amounts with the currency of the cost, where that is known."""
    known = has_known_currency(rows)
    return [replace(one, title=f"{one.title}, {EXAMPLE_CURRENCY}") if one is COST and known else one for one in amounts]


def has_known_currency(rows: Sequence[ArmVerdict]) -> bool:
    """Return whether all costs are at example prices, whose currency is known."""
    prices = [row.cost.price for row in rows if row.cost]
    return bool(prices) and all(price.example for price in prices)


@dataclass(frozen=True, kw_only=True)
class Point:
    """An arm with a score and an amount."""

    row: ArmVerdict
    amount: float
    metric: Metric
    greyed: bool = False

    @property
    def score(self) -> tuple[float, float, float]:
        """Value, low and high as they are drawn; without an interval the value alone, which draws no bar."""
        found = self.row.score
        assert found is not None
        ends = (found.low, found.high)
        value, low, high = (self.metric.units * (found.value if at is None else at) for at in (found.value, *ends))
        return value, low, high


def points_for(rows: Sequence[ArmVerdict], amount: Amount, metric: Metric) -> list[Point]:
    """Return the arms that have a score and this amount; none where they measured different kinds of memory."""
    known = [
        Point(row=row, amount=value, metric=metric)
        for row in rows
        if row.score and (value := amount.value(row)) is not None
    ]
    if amount.key == MEMORY.key and len({point.row.memory_kind for point in known}) > 1:
        return []
    return known


def fronts(points: Sequence[Point]) -> list[str]:
    """Return the names on the front of the score against one amount, by the rule of the verdict."""
    return pareto(
        [(point.row.name, {"score": point.metric.sign * point.score[0], "cost": point.amount}) for point in points]
    ).front


def named_sentence(rows: Sequence[ArmVerdict]) -> str:
    """Return the sentence behind a caption on which of many points have names; empty where all have."""
    if len(rows) <= MOST_NAMED:
        return ""
    return f" Of the {len(rows)} rows those that no other beats in both measures of a panel have their names in it."


def across(axis: Axis, amount: Amount, key: str) -> alt.X:
    """Return the horizontal channel of a layer; all layers share one axis, which is drawn once."""
    return alt.X(f"{key}:Q", scale=axis.scale, axis=axis.thinned(PLOT_PX).drawn(amount.title, grid=False))


def upwards(axis: Axis, key: str, metric: Metric) -> alt.Y:
    """Return the vertical channel of a layer."""
    return alt.Y(f"{key}:Q", scale=axis.scale, axis=axis.drawn(metric.axis, domain=False, ticks=False))


def panel(
    points: Sequence[Point],
    amount: Amount,
    looks: Mapping[str, Style],
    *,
    whiskers: bool,
    front: Sequence[Point] = (),
) -> Any:
    """Draw points with their names.

    Args:
        points: at least one.
        amount: what lies on the horizontal axis.
        looks: of all rows.
        whiskers: draw the 95 % intervals.
        front: points to join by a stepped line, in the order of the amount.

    """
    x = amount.axis([point.amount for point in points])
    bounds, metric = [point.score for point in points], points[0].metric
    y = score_axis(
        [low if whiskers else value for value, low, _ in bounds],
        [high if whiskers else value for value, _, high in bounds],
        metric.units * metric.highest,
        least=metric.units * metric.lowest,
        headroom=not whiskers,
    )
    steps = _steps(front, x)
    records = _records(points, amount, looks, (x, y), whiskers=whiskers, steps=steps)
    base = alt.Chart(rows_of(records)).encode(
        x=across(x, amount, amount.key),
        y=upwards(y, "score", metric),
    )
    colour = alt.Color("colour:N", scale=None)
    layers: list[Any] = []
    if steps:
        line = [{amount.key: at, "score": height} for at, height in steps]
        layers.append(
            alt.Chart(rows_of(line))
            .mark_line(interpolate="step-after", color=LIGHT["axis"], strokeWidth=1.5)
            .encode(x=across(x, amount, amount.key), y=upwards(y, "score", metric))
        )
    if whiskers:
        layers.append(
            base.mark_rule(strokeWidth=1.5, opacity=0.55).encode(y=upwards(y, "low", metric), y2="high:Q", color=colour)
        )
    layers.append(
        base.transform_filter("datum.far")
        .mark_rule(color=LIGHT["axis"])
        .encode(x=across(x, amount, "label_x"), y=upwards(y, "label_y", metric), x2=f"{amount.key}:Q", y2="score:Q")
    )
    shape = alt.Shape("row:N", scale=shape_scale(looks), legend=None)
    layers.append(base.mark_point(filled=True, size=75, opacity=1).encode(color=colour, shape=shape))
    for align in ("left", "right", "center"):
        layers.append(
            base.transform_filter(f"datum.align == '{align}'")
            .mark_text(align=align, baseline="middle")
            .encode(
                x=across(x, amount, "label_x"),
                y=upwards(y, "label_y", metric),
                text="called:N",
                color=alt.Color("label_colour:N", scale=None),
            )
        )
    return alt.layer(*layers).properties(width=PLOT_PX, height=HEIGHT_PX)


def _steps(front: Sequence[Point], x: Axis) -> list[tuple[float, float]]:
    """Return the corners of a front, amount and score; it goes on to the end of the axis."""
    if not front:
        return []
    corners = [(point.amount, point.score[0]) for point in front]
    return [*corners, (x.high, corners[-1][1])]


def _lines(steps: Sequence[tuple[float, float]], x: Axis, y: Axis) -> list[Box]:
    """Return the pixels that a front covers."""
    found = []
    for (left, here), (right, there) in pairwise(steps):
        start, end = PLOT_PX * x.share(left), PLOT_PX * x.share(right)
        first, last = HEIGHT_PX * (1 - y.share(here)), HEIGHT_PX * (1 - y.share(there))
        found.append((start, first - 1, end, first + 1))
        found.append((end - 1, min(first, last), end + 1, max(first, last)))
    return found


def _records(
    points: Sequence[Point],
    amount: Amount,
    looks: Mapping[str, Style],
    axes: tuple[Axis, Axis],
    *,
    whiskers: bool,
    steps: Sequence[tuple[float, float]],
) -> list[dict[str, Any]]:
    x, y = axes
    called = spelling(list(looks), MOST_OF_A_NAME)
    named = set(fronts(points)) if len(points) > MOST_NAMED else {point.row.name for point in points}
    spots = {}
    for point in points:
        value, low, high = (HEIGHT_PX * (1 - y.share(at)) for at in point.score)
        top, bottom = (high, low) if whiskers else (value, value)
        name = point.row.name
        spots[name] = Spot(name=called[name], x=PLOT_PX * x.share(point.amount), y=value, top=top, bottom=bottom)
    with_names = [spot for name, spot in spots.items() if name in named]
    nameless = [spot for name, spot in spots.items() if name not in named]
    labels = {label.name: label for label in place(with_names, PLOT_PX, HEIGHT_PX, _lines(steps, x, y), nameless)}
    return [
        {
            "row": point.row.name,
            "called": called[point.row.name] if point.row.name in named else "",
            amount.key: point.amount,
            "score": point.score[0],
            "low": point.score[1],
            "high": point.score[2],
            "greyed": point.greyed,
            "colour": LIGHT["passed-over"] if point.greyed else looks[point.row.name].colour,
            "label_colour": LIGHT["muted"] if point.greyed else LIGHT["ink"],
            **_label_of(labels.get(called[point.row.name]), spots[point.row.name], (x, y)),
        }
        for point in points
    ]


def _label_of(label: Label | None, spot: Spot, axes: tuple[Axis, Axis]) -> dict[str, Any]:
    """Return where the name of a point goes; for one without a name the point itself."""
    x, y = axes
    at = label or Label(name="", x=spot.x, y=spot.y, align="center")
    return {
        "label_x": x.at(at.x / PLOT_PX),
        "label_y": y.at(1 - at.y / HEIGHT_PX),
        "align": at.align,
        "far": at.is_far_from(spot),
    }

"""The verdict's score, with its interval, against an arm's cost in memory, time and money."""

from showdown.core.prices import EXAMPLE_CURRENCY, three_digits
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.points import (
    COST,
    MEMORY,
    SECONDS,
    amounts_of,
    has_known_currency,
    named_sentence,
    panel,
    points_for,
)


def trade_off(material: Material) -> Figure | None:
    """Draw the trade-off chart; None where no arm has scores."""
    found = [
        (points_for(material.scored, amount, material.metric), amount)
        for amount in amounts_of(material.scored, MEMORY, SECONDS, COST)
    ]
    panels = [
        panel(points, amount, material.looks, whiskers=True)
        for points, amount in found
        if any(point.amount for point in points)
    ]
    if not panels:
        return None
    metric = material.metric
    best = metric.best(material.scored, lambda row: row.score.value if row.score else None)
    assert best is not None
    side = "Up" if metric.direction == "higher" else "Down"
    return Figure(
        name="trade-off",
        title=f"{metric.capital} against memory, time and cost",
        alt=f"Points with 95 % intervals, one for each arm, against memory, training time and cost. "
        f"{side} and left is better. {best.name} is {metric.best_word}.",
        caption=f"{side} and left is better. Bars are 95 % intervals. {_prices(material)}".strip()
        + named_sentence(material.scored)
        + material.cut_short_sentence,
        panels=tuple(panels),
        columns=3,
        legend={},
    )


def _prices(material: Material) -> str:
    """Return the sentence on the prices behind the costs."""
    found = {row.cost.price.source: row.cost.price.per_hour for row in material.scored if row.cost}
    currency = f" {EXAMPLE_CURRENCY}" if has_known_currency(material.scored) else ""
    prices = "; ".join(f"{three_digits(per_hour)}{currency} an hour ({source})" for source, per_hour in found.items())
    return f"Cost is of training and tuning one model, at {prices}." if found else ""

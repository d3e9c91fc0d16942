"""The Pareto front: an arm is dominated where another one is at least as good in everything measured."""

from collections.abc import Mapping, Sequence

from showdown.core.strict import Strict

MEASURES: dict[str, int] = {
    "score": 1,
    "accuracy": 1,
    "f1_macro": 1,
    "memory_gb": -1,
    "train_seconds": -1,
    "cost": -1,
    "model_size_mb": -1,
    "latency_ms": -1,
    "first_token_ms": -1,
    "tokens_per_second": 1,
    "general_loss_rise": -1,
}
"""What counts, and whether more (1) or less (-1) of it is better. `score`, by the metric of the verdict, stands in the
place of accuracy where that is another."""


class Dominated(Strict):
    """An arm that another one beats or equals in everything measured of both."""

    name: str
    by: list[str]


class Pareto(Strict):
    """The arms that no other one dominates, in the order of the table, and the dominated ones."""

    measures: list[str]
    front: list[str]
    dominated: list[Dominated]


def dominates(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> bool:
    """Return whether the first arm is at least as good in every measure that both have, and better in one."""
    signs = [
        (sign * one, sign * other)
        for key, sign in MEASURES.items()
        if (one := first.get(key)) is not None and (other := second.get(key)) is not None
    ]
    return all(one >= other for one, other in signs) and any(one > other for one, other in signs)


def pareto(rows: Sequence[tuple[str, Mapping[str, float | None]]]) -> Pareto:
    """Find the Pareto front of arms, each a name and its measures (see `MEASURES`); a missing measure is passed over.

    It holds for the measured values alone: on other test rows another arm may be dominated.
    """
    beaten = {
        name: [other for other, theirs in rows if other != name and dominates(theirs, ours)] for name, ours in rows
    }
    return Pareto(
        measures=[key for key in MEASURES if any(row.get(key) is not None for _, row in rows)],
        front=[name for name, by in beaten.items() if not by],
        dominated=[Dominated(name=name, by=by) for name, by in beaten.items() if by],
    )

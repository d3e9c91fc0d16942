"""Which of two values is better: by the quantity's direction, and nowhere else."""

import pytest

from showdown.core.metric import METRICS, Quantity

HIGHER = Quantity(key="score", title="score")
LOWER = Quantity(key="loss", title="loss", direction="lower")
VALUES = {"a": 0.2, "b": 0.9, "c": None, "d": 0.9, "e": 0.2}


@pytest.mark.parametrize(("quantity", "best"), [(HIGHER, "b"), (LOWER, "a")])
def test_the_best_is_the_first_of_equals_and_what_has_no_value_is_passed_over(quantity: Quantity, best: str) -> None:
    assert quantity.best(VALUES, VALUES.get) == best
    assert quantity.best(["c"], VALUES.get) is None
    assert quantity.best([], VALUES.get) is None


def test_an_equal_value_is_not_better() -> None:
    assert HIGHER.is_better(0.3, 0.2)
    assert LOWER.is_better(0.2, 0.3)
    for quantity in (HIGHER, LOWER):
        assert not quantity.is_better(0.2, 0.2)
        assert quantity.is_better(0.3, 0.2) != quantity.is_better(0.2, 0.3)


def test_every_metric_has_bounds_that_its_direction_fits() -> None:
    assert all(metric.lowest < metric.highest for metric in METRICS.values())
    assert {key for key, metric in METRICS.items() if metric.mean_over_rows and not metric.is_of_writing} == {
        "accuracy"
    }

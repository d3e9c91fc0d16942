"""A small part of `benchmarks/statistics/calibration.py`: seconds in place of minutes, with room for chance."""

import pytest

from benchmarks.statistics import calibration
from showdown.verdict.spread import STEADY


def run(part, comparisons, **settings):
    """Simulate the line of a part that has these settings."""
    found = [
        cell
        for cell in calibration.cells_of(part, comparisons)
        if all(cell.get(k, None) == v for k, v in settings.items())
    ]
    assert len(found) == 1, f"{len(found)} lines of {part} have {settings}"
    return calibration.work(found[0])


@pytest.mark.parametrize(
    ("part", "settings", "least", "most"),
    [
        ("equal", {"folds": 5, "seeds": 3, "rows": 425, "spread": 0.03}, 0.0, 0.12),
        ("equal", {"collapsing": 0.05, "seeds": 3, "accuracy": 0.85, "folds": None}, 0.0, 0.12),
        ("equal", {"accuracy": 0.98, "seeds": 3}, 0.0, 0.12),
        ("accuracy", {"accuracy": 0.97, "rows": 50, "spread": 0.0}, 0.9, 1.0),
        ("accuracy", {"accuracy": 0.8, "rows": 3000, "seeds": 2, "spread": 0.02}, 0.88, 1.0),
        ("accuracy", {"accuracy": 0.8, "rows": 3000, "seeds": 1, "spread": 0.02}, 0.88, 1.0),
        ("macro-f1", {"labels": 77, "rarity": 0.0, "accuracy": 0.8, "rows": 1000}, 0.88, 1.0),
        ("power", {"gap": 0.1, "rows": 425, "folds": 5, "seeds": 3, "spread": 0.03, "others": None}, 0.85, 1.0),
        ("power", {"accuracy": 0.98, "rows": 3000, "spread": 0.002, "seeds": 5}, 0.8, 1.0),
        ("non-inferior", {"accuracy": 0.95, "loss": 0.0, "spread": 0.003}, 0.5, 1.0),
        ("non-inferior", {"accuracy": 0.9, "loss": 0.01, "spread": 0.003, "rows": 3000, "seeds": 5}, 0.0, 0.13),
        ("failed-fold", {"gap": 0.0, "rows": 425, "seeds": 3}, 0.0, 0.12),
        ("metric", {"asks": "equal", "metric": "f1_macro", "rows": 1000, "seeds": 3, "spread": 0.03}, 0.0, 0.12),
        ("metric", {"asks": "equal", "metric": "average_precision:1", "seeds": 1}, 0.0, 0.12),
        ("metric", {"asks": "power", "metric": "f1_macro", "rows": 1000, "seeds": 1, "spread": 0.0}, 0.9, 1.0),
    ],
)
def test_it_is_calibrated_in_miniature(part, settings, least, most):
    assert least <= run(part, 80, **settings)["share"] <= most


def test_printed_leads_hold_the_truth_and_plain_ones_do_not():
    found = run("leads", 500, accuracies=[0.82, 0.8], rows=500)
    assert found["of"] >= 20
    assert found["share"] >= 0.85
    assert found["true_points"] < found["shown_points"] < found["measured_points"]


def test_a_method_that_lacks_the_hardest_fold_no_longer_leads_by_it():
    found = run("failed-fold", 120, gap=0.0, rows=425, seeds=3)
    assert found["leads_by_raw_score"] > 0.6
    assert 0.35 < found["leads_on_common_rows"] < 0.6


def test_a_verdict_that_forgets_the_reruns_is_found_out(monkeypatch):
    monkeypatch.setattr("benchmarks.statistics.calibration_parts.cell.reruns_of", lambda row, among: STEADY)
    found = run("equal", 60, accuracy=0.8, rows=2000, methods=2, seeds=1)
    assert found["share"] > 0.2
    assert found["meets_target"] is False


def test_every_part_has_lines_that_run():
    for part in calibration.PARTS:
        cells = calibration.cells_of(part, 1)
        assert cells
        if part != "real":
            assert {"share", "meets_target"} <= calibration.work(cells[0]).keys()

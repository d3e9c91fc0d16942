"""A small part of the calibration of written answers: truths that are known, in seconds, with room for chance."""

from typing import Any

import numpy as np
import pytest

from benchmarks.statistics import calibration
from showdown.core.metric import METRICS
from showdown.verdict.generation.simulation import METRIC_OF, Kind, WrittenWorld, draw_arms
from showdown.verdict.influence import row_values
from showdown.verdict.pairs import judge_pairs

KINDS: list[Kind] = ["right", "fields", "overlap", "losses"]


def line(times: int, **settings: Any) -> dict[str, Any]:
    """Simulate the line of the part `written` that has these settings."""
    found = [
        cell
        for cell in calibration.cells_of("written", times)
        if all(cell.get(key, False) == value for key, value in settings.items())
    ]
    assert len(found) == 1
    return calibration.work(found[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_mean_is_what_was_asked_for(kind: Kind) -> None:
    """Over many rows; of losses that a token, of which long answers have more."""
    mean = 1.3 if kind == "losses" else 0.7
    (arm,) = draw_arms(np.random.default_rng(1), WrittenWorld(kind=kind), means=np.array([mean]), rows=40_000, seeds=1)
    assert row_values(METRIC_OF[kind], arm.parts[0]).value == pytest.approx(mean, abs=0.02)
    if kind == "losses":
        losses, tokens = arm.parts[0].loss_sums()  # type: ignore[attr-defined]
        assert float((losses / tokens).mean()) > 1.05 * mean, "rows and tokens do not weigh alike"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_methods_are_rarely_told_apart(kind: str, seeds: int) -> None:
    found = line(100, asks="equal", kind=kind, rows=150, copies=3, seeds=seeds, spreads=True, perplexity=False)
    assert found["share"] <= 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_intervals_over_copies_hold_the_truth(kind: str, seeds: int) -> None:
    found = line(100, asks="interval", kind=kind, rows=150, copies=3, seeds=seeds, spreads=True, perplexity=False)
    assert found["share"] >= 0.85


@pytest.mark.parametrize("kind", KINDS)
def test_planted_differences_are_found(kind: str) -> None:
    assert line(25, asks="power", kind=kind, perplexity=False)["share"] >= 0.9


def test_copies_taken_for_rows_of_their_own_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation can tell a verdict that is wrong."""
    from showdown.verdict.generation import simulation

    def forget(*arguments: Any, **keywords: Any) -> Any:
        part = original(*arguments, **keywords)
        object.__setattr__(part, "clusters", np.arange(len(part.clusters)))
        return part

    original = simulation.Writings
    monkeypatch.setattr(simulation, "Writings", forget)
    found = line(100, asks="interval", kind="overlap", rows=150, copies=3, seeds=3, spreads=False, perplexity=False)
    assert found["share"] < 0.85


def test_perplexity_is_judged_as_the_loss_is() -> None:
    arms = draw_arms(
        np.random.default_rng(5), WrittenWorld(kind="losses"), means=np.array([0.8, 1.0]), rows=400, seeds=3
    )
    found = [judge_pairs([(arms[0], arms[1])], arms, METRICS[key])[0] for key in ("token_loss", "perplexity")]
    assert all(pair.different and pair.score.value > 0 for pair in found), "less is better"
    assert found[0].score.low < 0.2 < found[0].score.high
    assert found[1].score.low < np.exp(1.0) - np.exp(0.8) < found[1].score.high


@pytest.mark.parametrize("kind", ["fields", "overlap"])
def test_graded_scores_have_the_chance_of_rows_and_not_of_right_and_wrong(kind: Kind) -> None:
    """An overlap spreads less between rows than right and wrong do, and its interval is narrower by as much."""
    rng, mean = np.random.default_rng(3), np.array([0.6, 0.6])
    graded = draw_arms(rng, WrittenWorld(kind=kind), means=mean, rows=300, seeds=3)
    right = draw_arms(rng, WrittenWorld(kind="right"), means=mean, rows=300, seeds=3)
    widths = [
        pair.score.high - pair.score.low
        for arms, one in ((graded, kind), (right, "right"))
        for pair in judge_pairs([(arms[0], arms[1])], arms, METRIC_OF[one])
    ]
    deviations = [float(arms[0].parts[0].values.std()) for arms in (graded, right)]
    assert widths[0] / widths[1] == pytest.approx(deviations[0] / deviations[1], rel=0.25)
    assert deviations[0] < 0.9 * deviations[1]


def test_graded_scores_that_are_all_alike_are_not_certain_to_be() -> None:
    arms = draw_arms(np.random.default_rng(3), WrittenWorld(kind="overlap"), means=np.array([0.6]), rows=50, seeds=2)
    (pair,) = judge_pairs([(arms[0], arms[0])], arms, METRIC_OF["overlap"])
    assert not pair.different
    assert pair.score.low < -0.01 < 0.01 < pair.score.high

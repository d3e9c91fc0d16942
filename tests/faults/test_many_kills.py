"""Kills at named points, at random moments and again during the resume: the results are those of one left alone.

A comparison of LoRA and another method with a checkpoint at every step, every day with labels and by `make faults` with
written answers too, in the process of `runner/kill_lab.py`. What is
compared are the scores, the predictions, the curve and the weights, by their SHA-256.
"""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.volume import of_all
from runner.kill_cases import Outcome, comparison_of
from runner.test_kills import TASKS, Lab, finished_runs

AT_POINTS = 500
AT_MOMENTS = 200
DURING_RESUME = 50
PARTS = 10


@pytest.fixture(scope="module", params=TASKS[: of_all(len(TASKS))])
def lab(request: pytest.FixtureRequest, pretrained: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(comparison_of(pretrained, tmp_path_factory.mktemp("rows"), request.param))
    yield made
    made.close()


class Alone:
    """What a comparison yields that nobody disturbs, in how many points and seconds."""

    def __init__(self, lab: Lab, output: Path) -> None:
        began = time.monotonic()
        answer = lab.run(output)
        self.seconds = time.monotonic() - began
        self.points: int = answer["points"]
        assert answer["message"] is None
        self.outcome = Outcome.of(output)


@pytest.fixture(scope="module")
def alone(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    return Alone(lab, tmp_path_factory.mktemp("alone") / "out")


def finish(lab: Lab, output: Path, alone: Alone) -> None:
    """Run a killed comparison again: it finishes, nothing finished is lost or repeated, and it is equal to the bit."""
    done = finished_runs(output)
    again = lab.run(output)
    assert again["message"] is None
    assert not set(again["started"]) & set(done), "a finished run was done again"
    assert all(finished_runs(output)[name] == record for name, record in done.items())
    assert Outcome.of(output) == alone.outcome
    assert not list(output.rglob("*.partial"))
    shutil.rmtree(output)


def share(whole: int, part: int, every_day: int) -> range:
    """Return the kills of a part: a tenth of all, or a few every day."""
    return range(part, whole, PARTS) if of_all(2) == 2 else range(every_day)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(of_all(PARTS)))
def test_killed_at_a_point(lab: Lab, alone: Alone, tmp_path: Path, part: int) -> None:
    """Every point is met in turn; later kills at a point follow one that cut the run elsewhere."""
    draw = random.Random(part)
    for kill in share(AT_POINTS, part, 4):
        output = tmp_path / f"{kill}"
        point = kill % alone.points + 1
        if kill >= alone.points:
            assert lab.run(output, kill_at=draw.randrange(1, alone.points))["killed"]
        lab.run(output, kill_at=point)  # may finish before: there is less to write than at first
        finish(lab, output, alone)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(of_all(PARTS)))
def test_killed_at_a_moment(lab: Lab, alone: Alone, tmp_path: Path, part: int) -> None:
    draw = random.Random(100 + part)
    killed = 0
    for kill in share(AT_MOMENTS, part, 3):
        output = tmp_path / f"{kill}"
        killed += lab.run(output, kill_after_seconds=draw.uniform(0.02, alone.seconds))["killed"]
        finish(lab, output, alone)
    assert killed


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(of_all(PARTS)))
def test_killed_again_and_again(lab: Lab, alone: Alone, tmp_path: Path, part: int) -> None:
    draw = random.Random(200 + part)
    for kill in share(DURING_RESUME, part, 1):
        output = tmp_path / f"{kill}"
        assert lab.run(output, kill_at=draw.randrange(1, alone.points))["killed"]
        for _ in range(3):
            lab.run(output, kill_after_seconds=draw.uniform(0.02, alone.seconds / 2))
        finish(lab, output, alone)

"""The plan of a comparison that is partly done: what is counted, and what it says of the rest."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import showdown
from forecasts import arm
from runner.immediate import ImmediateExecutor, use
from showdown.config.read import check
from showdown.display.display import Silent
from showdown.forecast import fixes
from showdown.models.source import pin
from showdown.planning.planned import Planned
from showdown.runner import foresee
from showdown.runner.chosen import keep_chosen
from showdown.runner.execute import execute
from showdown.runner.executor import Stage
from showdown.runner.store import Store, read_results
from showdown.stages.results import StageError
from tiny_pretrained import separable_rows, write_csv

METHODS = ("majority", "tfidf", "lora")
PLACE = Path("showdown-out") / "mine"


class Ending(ImmediateExecutor):
    """Ends the runs of LoRA so that they are tried again, and the others for good."""

    def run(self, stage: Stage, folder: Path) -> StageError:
        del stage
        return StageError(status="failed" if folder.name.startswith("lora") else "diverged", error="by the test")


@pytest.fixture(scope="module")
def done(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A comparison, and its folder after a run."""
    folder = tmp_path_factory.mktemp("rest")
    asked = {
        "name": "mine",
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(36))), "near_duplicate_jaccard": 0.99},
        "model": {"id": str(pretrained("bert"))},
        "methods": {name: {} for name in METHODS},
        "seeds": [0, 1],
        "protocol": {"split": {"kind": "single"}, "tuning": None},
    }
    with pytest.MonkeyPatch.context() as patch:
        use(patch, Ending)
        execute(check(asked, "the test"), folder / "out", Silent())
    return asked, folder / "out"


@pytest.fixture
def asked(done: tuple[dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The comparison, where its folder lies in the default place. What is forecast of its arms is made up."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(done[1], PLACE)
    arms = [arm(name, runs=2, seconds={"training": 100.0}) for name in METHODS]
    monkeypatch.setattr(foresee, "forecast_arms", lambda workload, profile, devices: arms)
    monkeypatch.setattr(fixes, "peaks", lambda workload, profile: {})
    return done[0]


def counted(plan: Planned) -> list[int]:
    return [one.runs for one in plan.forecast.arms]


def test_finished_runs_are_said_and_not_counted(asked: dict[str, Any]) -> None:
    before = {path: path.stat().st_mtime_ns for path in PLACE.rglob("*")}
    rest = showdown.plan(asked)
    assert (rest.runs, rest.done, rest.done_in, counted(rest)) == (6, 4, str(PLACE), [0, 0, 2])
    assert rest.forecast.seconds.expected == foresee.PREPARATION_SECONDS.expected + 2 * 100.0
    assert rest.about[-1] == f"4 of 6 runs are done in {PLACE}; counted below: the other 2"
    assert "What is left: " in str(rest)
    assert showdown.plan(PLACE).done == 4
    assert showdown.plan({**asked, "seeds": [1, 2]}).done == 2, "runs of other settings are not done"
    assert {path: path.stat().st_mtime_ns for path in PLACE.rglob("*")} == before, "nothing is written"


def test_all_runs_are_counted_elsewhere_for_another_device_and_in_a_budget(asked: dict[str, Any]) -> None:
    whole = showdown.plan(asked, output="elsewhere", price_per_hour=1.0)
    assert (whole.done, whole.done_in, counted(whole)) == (0, None, [2, 2, 2])
    assert "The whole comparison: " in str(whole)
    rest = showdown.plan(asked, price_per_hour=1.0, budget=100.0)
    assert rest.done == 4
    assert rest.budget is not None
    assert rest.budget.asked.cost == whole.forecast.cost
    assert showdown.plan(asked, gpu="h100").done == 0
    assert showdown.plan(asked, gpu="h100", output=PLACE).done == 4


def test_nothing_is_left_of_a_comparison_that_is_over(asked: dict[str, Any]) -> None:
    PLACE.rename("kept")
    assert showdown.plan(asked).done == 0
    for path in Path("kept/runs").glob("*/result.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "status": "diverged"}))
    plan = showdown.Comparison(asked, output="kept").plan()
    assert (plan.done, counted(plan)) == (6, [0, 0, 0])
    assert plan.about[-1] == "6 of 6 runs are done in kept; nothing is left to run"
    assert "What is left: " not in str(plan)


def test_what_auto_stood_for_in_the_folder_stays(asked: dict[str, Any]) -> None:
    requested, settled = (check({**asked, "seeds": seeds}, "the test") for seeds in ("auto", [0, 1, 2, 3]))
    keep_chosen(requested, settled, read_results(PLACE).data["fingerprint"], pin(requested.model), Store(PLACE))
    plan = showdown.plan(requested)
    assert (plan.seeds, plan.runs, plan.done) == ([0, 1, 2, 3], 12, 4)
    assert "seeds: 4, as before in this folder" in plan.about

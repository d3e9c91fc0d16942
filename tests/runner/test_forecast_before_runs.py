"""What `showdown run` does with the forecast: shown and kept before the first run, a dry run, a refusal."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from forecasts import arm
from runner.immediate import ImmediateExecutor, use
from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.forecast import ArmForecast, Forecast
from showdown.core.spec import Comparison
from showdown.display.display import Silent
from showdown.runner import execute, foresee
from showdown.runner.executor import Stage
from showdown.stages.results import StageError
from tiny_pretrained import separable_rows, write_csv


class Failing(ImmediateExecutor):
    def run(self, stage: Stage, folder: Path) -> StageError:
        del stage, folder
        return StageError(status="diverged", error="by the test")  # which is final: a failed run is tried again


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def data(self, notices: Any) -> None:
        self.lines += notices

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(autouse=True)
def asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHOWDOWN_FORECAST")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    use(monkeypatch, Failing)


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> list[ArmForecast]:
    """What is forecast, which a test may change."""
    found = [arm("majority", seconds={"training": 2.0}), arm("tfidf", seconds={"training": 3.0, "prediction": 1.0})]
    monkeypatch.setattr(foresee, "forecast_arms", lambda workload, profile, devices: found)
    monkeypatch.setattr(foresee, "with_fixes", lambda arms, workload, profile: arms)
    return found


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    source = write_csv(tmp_path / "rows.csv", separable_rows(24))
    return check(
        {
            "data": {"source": str(source), "near_duplicate_jaccard": 0.99},
            "methods": {"majority": {}, "tfidf": {}},
            "seeds": [0],
            "protocol": {"split": {"kind": "single"}, "tuning": None},
        },
        "the test",
    )


def test_the_forecast_is_shown_and_kept_before_the_first_run(
    comparison: Comparison, arms: list[ArmForecast], tmp_path: Path
) -> None:
    display = Lines()
    execute.execute(comparison, tmp_path / "out", display)
    (headline,) = [line for line in display.lines if line.startswith("forecast, ")]
    place = display.lines.index(headline)
    assert display.lines[place + 1].split() == ["majority", "2", "s", "(1", "to", "4)"]
    assert display.lines[place + 2].split()[0] == "tfidf"
    kept = Forecast.model_validate_json((tmp_path / "out" / "forecast.json").read_bytes())
    assert [one.name for one in kept.arms] == ["majority", "tfidf"]
    assert kept.seconds.expected == foresee.PREPARATION_SECONDS.expected + 6.0
    assert kept.cost is not None
    again = Lines()
    execute.execute(comparison, tmp_path / "out", again)
    assert not any("forecast" in line for line in again.lines), "nothing is left to run"


def test_a_comparison_that_was_begun_is_forecast_without_the_runs_that_are_over(
    comparison: Comparison, arms: list[ArmForecast], tmp_path: Path
) -> None:
    execute.execute(comparison, tmp_path / "out", Lines())
    (gone,) = (tmp_path / "out" / "runs").glob("tfidf-*")
    shutil.rmtree(gone)
    display = Lines()
    found = execute.rehearse(comparison, tmp_path / "out", display)
    assert found is not None
    assert [(one.name, one.runs) for one in found.arms] == [("majority", 0), ("tfidf", 1)]
    assert found.seconds.expected < foresee.PREPARATION_SECONDS.expected + 6.0
    assert "majority nothing to run" in [" ".join(line.split()) for line in display.lines]


def test_a_dry_run_writes_nothing(comparison: Comparison, arms: list[ArmForecast], tmp_path: Path) -> None:
    found = execute.rehearse(comparison, tmp_path / "out", Lines())
    assert found is not None
    assert [one.name for one in found.arms] == ["majority", "tfidf"]
    assert not (tmp_path / "out").exists()


def test_what_cannot_fit_is_refused_before_any_run_begins(
    comparison: Comparison, arms: list[ArmForecast], tmp_path: Path
) -> None:
    arms[1] = arm("tfidf", peak_gb=1e6, fits=False, fixes=["`memory: lean`: 3 GB"])
    for what, written in ((execute.rehearse, False), (execute.execute, True)):
        with pytest.raises(UserError, match=r"`methods.tfidf` cannot fit.*`memory: lean`: 3 GB fits"):
            what(comparison, tmp_path / "out", Lines())
        assert (tmp_path / "out").exists() == written
        assert not (tmp_path / "out" / "runs").exists()


@pytest.mark.parametrize("error", [UserError("no rates of this device"), KeyError("rate"), ZeroDivisionError("x")])
def test_a_forecast_that_fails_keeps_nothing_from_running(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(foresee, "forecast_arms", failing)
    display = Lines()
    if isinstance(error, KeyError):
        execute.execute(comparison, tmp_path / "out", display)
        assert json.loads((tmp_path / "out" / "results.json").read_bytes())["runs"]
        assert not (tmp_path / "out" / "forecast.json").exists()
    else:
        assert execute.rehearse(comparison, tmp_path / "out", display) is None
    (line,) = [line for line in display.lines if line.startswith("no forecast: ")]
    assert str(error) in line


def test_the_longest_runs_go_first_where_there_are_several_slots(
    comparison: Comparison, arms: list[ArmForecast], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    order: list[str] = []

    class Noting(Failing):
        slots = 2

        def run(self, stage: Stage, folder: Path) -> StageError:
            order.append(folder.name.split("-")[0])
            return super().run(stage, folder)

    use(monkeypatch, Noting)
    execute.execute(comparison, tmp_path / "out", Lines())
    assert order == ["tfidf", "majority"]

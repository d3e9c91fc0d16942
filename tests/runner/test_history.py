"""Errors of past forecasts: what is kept, what is passed over, and that a run never fails for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from forecasts import arm, device, forecast
from report.written_comparison import write_comparison
from showdown.core.record import Load, RunRecord
from showdown.planning.history import past_errors
from showdown.runner.history import history_file, past_gaps, remember


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def runs(tmp_path: Path) -> list[RunRecord]:
    return [run for run in write_comparison(tmp_path / "out", gpu="NVIDIA H100 80GB HBM3").runs if run.method == "lora"]


def seconds_of(runs: list[RunRecord], factor: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for phase in runs[0].phases:
        found[phase.name] = found.get(phase.name, 0.0) + factor * phase.seconds
    return found


def foreseen(runs: list[RunRecord], factor: float, **more: Any) -> Any:
    return forecast(arm(runs[0].name, peak_gb=1.0, seconds=seconds_of(runs, factor)), **more)


def test_what_was_measured_stands_beside_what_was_forecast(cache: Path, runs: list[RunRecord]) -> None:
    remember(foreseen(runs[:1], 1.0), runs[:1])
    remember(foreseen(runs[:1], 4.0), runs[:1])
    kept = past_gaps()
    whole = [gap for gap in kept if gap.quantity == "whole"]
    assert [gap.within for gap in whole] == [True, False]
    assert [round(gap.error, 6) for gap in whole] == [0.0, -3.0], "four times as much was expected"
    (summary,) = [one for one in past_errors(kept) if one.quantity == "whole"]
    assert (summary.forecasts, summary.median_error, summary.within) == (2, pytest.approx(1.5), 0.5)
    assert (summary.device, summary.method) == ("NVIDIA H100 80GB HBM3", "lora")
    peak = runs[0].peak_memory_allocated_gb
    assert peak is not None
    assert {gap.measured for gap in kept if gap.quantity == "memory"} == {peak.training}


def test_nothing_is_kept_of_busy_seconds_and_of_other_devices(cache: Path, runs: list[RunRecord]) -> None:
    busy = Load(training_others_share=0.5, speed_others_share=None, average=None, gpu_others_share=None)
    remember(foreseen(runs, 1.0), [run.model_copy(update={"load": busy}) for run in runs])
    assert {gap.quantity for gap in past_gaps()} == {"memory"}
    remember(foreseen(runs, 1.0, on=device(kind="cpu")), runs)
    remember(foreseen(runs, 1.0), [])
    assert {gap.quantity for gap in past_gaps()} == {"memory"}


def test_lines_that_cannot_be_read_are_passed_over(cache: Path, runs: list[RunRecord]) -> None:
    remember(foreseen(runs, 1.0), runs)
    with history_file().open("a") as file:
        file.write('{"device": \nnot JSON\n' + json.dumps({"day": "2026-01-01"}) + "\n")
    assert past_gaps()
    assert not past_errors([])


@pytest.mark.parametrize("place", ["file", "folder", "link"])
def test_a_cache_that_cannot_be_written_fails_no_run(cache: Path, runs: list[RunRecord], place: str) -> None:
    """A file where the folder should be, a folder where the file should be, and a link, which is not followed."""
    if place == "file":
        cache.write_text("a file")
    else:
        history_file().parent.mkdir(parents=True)
    if place == "folder":
        history_file().mkdir()
    if place == "link":
        (cache / "elsewhere").write_text("kept")
        history_file().symlink_to(cache / "elsewhere")
    remember(foreseen(runs, 1.0), runs)
    if place == "link":
        assert (cache / "elsewhere").read_text() == "kept"
    else:
        assert past_gaps() == []

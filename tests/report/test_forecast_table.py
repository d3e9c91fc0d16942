"""The forecast beside what was measured, in the reports and at the terminal."""

from pathlib import Path

import pytest
from written_comparison import write_comparison

from forecasts import about, arm, device, forecast
from showdown import judge
from showdown.core.record import Load, Results
from showdown.report.forecast import FILE, forecast_table
from showdown.report.markdown import write_markdown
from showdown.report.page.write import page

GPU = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return write_comparison(tmp_path, gpu=GPU)


def measured(results: Results, name: str) -> dict[str, float]:
    run = next(run for run in results.runs if run.name == name and run.status == "completed")
    return {phase.name: phase.seconds for phase in run.phases}


def write_forecast(results: Results, folder: Path, *, factor: float = 1.0) -> None:
    """Write a forecast of `full` and `lora` that is right times a factor, and of an arm that is not there."""
    arms = [
        arm(name, peak_gb=3.0, seconds={phase: factor * value for phase, value in measured(results, name).items()})
        for name in ("full", "lora")
    ]
    found = forecast(*arms, arm("<b>elsewhere</b>"), on=device(name='<img src="x">'))
    (folder / FILE).write_text(found.model_dump_json(), encoding="utf-8")


def test_rows_have_what_was_measured_and_its_range(results: Results, tmp_path: Path) -> None:
    write_forecast(results, tmp_path)
    table = forecast_table(results, tmp_path)
    assert table is not None
    assert table.headings[:2] == ["Method", "Memory GB"]
    assert table.headings[-1] == "Whole s"
    assert [row[0] for row in table.rows] == ["full", "lora"]
    whole = sum(measured(results, "full").values())
    found = about(whole)
    cell = table.rows[0][-1]
    assert cell.split(" (")[0] in (f"{whole:.0f}", f"{whole:.2g}")
    assert f"{found.high:.0f}" in cell or f"{found.high:.2g}" in cell
    assert "seconds of a run within its range for 2 of 2 rows" in table.sentence


def test_a_forecast_that_was_off_says_by_how_much(results: Results, tmp_path: Path) -> None:
    write_forecast(results, tmp_path, factor=4.0)
    table = forecast_table(results, tmp_path)
    assert table is not None
    assert "seconds of a run within its range for 0 of 2 rows, off by" in table.sentence
    assert "busy" not in table.sentence


def test_busy_runs_are_named(results: Results, tmp_path: Path) -> None:
    write_forecast(results, tmp_path)
    busy = Load(training_others_share=0.5, speed_others_share=None, average=None, gpu_others_share=None)
    runs = [run.model_copy(update={"load": busy}) for run in results.runs]
    table = forecast_table(results.model_copy(update={"runs": runs}), tmp_path)
    assert table is not None
    assert "may be too high" in table.sentence


@pytest.mark.parametrize("content", [None, "{", "[]", '{"device": 1}'])
def test_without_a_whole_forecast_there_is_no_table(results: Results, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    assert forecast_table(results, tmp_path) is None
    assert "## Forecast" not in write_markdown(results, judge(tmp_path), tmp_path).read_text(encoding="utf-8")


@pytest.mark.usefixtures("without_figures")
def test_the_reports_have_the_table(results: Results, tmp_path: Path) -> None:
    write_forecast(results, tmp_path)
    verdict = judge(tmp_path)
    text = write_markdown(results, verdict, tmp_path).read_text(encoding="utf-8")
    table = forecast_table(results, tmp_path)
    assert table is not None
    assert text.index("## Forecast") < text.index("## Data")
    assert table.rows[0][-1] in text
    html = page(results, verdict, tmp_path)
    assert '<section id="forecast"' in html
    assert '<a href="#forecast">Forecast</a>' in html
    assert table.rows[1][-1] in html
    assert "<b>elsewhere" not in html
    assert '<img src="x">' not in html

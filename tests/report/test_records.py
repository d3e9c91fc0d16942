"""CSV and Parquet are read back and compared with the records, value by value."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from written_comparison import METHODS, write_comparison

from showdown.core.record import Results
from showdown.report.formats import write_report
from showdown.report.records.flat import flat_columns
from showdown.verdict.summary import judge

FORMULA = "=1+1,\"two\"\nlines \U0001f600 'x'"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("records")
    methods = {**METHODS, "odd": ("lora", FORMULA, 0.5)}
    results = write_comparison(folder, methods=methods, failed={"qlora": "-needs 99 GB"}, seeds=(0, 7))
    return results, folder


def written_as(form: str, written: tuple[Results, Path]) -> list[dict[str, Any]]:
    results, folder = written
    path = write_report(form, results, judge(results, folder), folder)
    if form == "parquet":
        return list(parquet.read_table(path).to_pylist())
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def expected(results: Results) -> list[dict[str, Any]]:
    """What must be in the table, spelt out from the records by hand."""
    rows = []
    for run in results.runs:
        row: dict[str, Any] = {
            **run.model_dump(include={"run_id", "name", "title", "seed", "status", "error", "accuracy", "f1_macro"}),
            **run.model_dump(include={"train_rows", "train_seconds", "trainable_parameters", "model_size_mb"}),
            "comparison": "small",
            "notes": json.dumps(run.notes),
            "setting_targets": run.spec.settings.get("targets"),
            "protocol_epochs": run.spec.protocol.epochs,
            "protocol_split_kind": "single",
            "model_id": "tiny/model",
        }
        if run.status == "completed":
            assert run.peak_memory_device_gb
            assert run.environment
            row |= {
                "peak_memory_device_training_gb": run.peak_memory_device_gb.training,
                "peak_memory_device_run_gb": run.peak_memory_device_gb.run,
                "phase_start_of_scoring_seconds": run.phases[5].seconds,
                "phase_training_peak_allocated_gb": run.phases[2].peak_allocated_gb,
                "one_text_latency_p95_ms": run.prediction_speeds[0].latency_p95_ms,
                "best_batch_batch_rows": 16,
                "version_torch": run.environment.versions["torch"],
                "environment_memory_gb": run.environment.memory_gb,
            }
        else:
            row |= {"peak_memory_device_run_gb": None, "phase_training_seconds": None, "version_torch": None}
        rows.append(row)
    return rows


def test_parquet_holds_every_value_exactly(written: tuple[Results, Path]) -> None:
    rows = written_as("parquet", written)
    assert len(rows) == 12
    for row, wanted in zip(rows, expected(written[0]), strict=True):
        assert {key: row[key] for key in wanted} == wanted
    assert not {"confusion_matrix", "per_class", "phases", "peak_memory_device_gb", "environment"} & rows[0].keys()


def test_csv_holds_the_same_as_parquet_and_quotes_formulas(written: tuple[Results, Path]) -> None:
    exact = written_as("parquet", written)
    for row, wanted in zip(written_as("csv", written), exact, strict=True):
        assert list(row) == list(wanted)
        for key, value in wanted.items():
            if isinstance(value, bool):
                assert row[key] == str(value).lower()
            elif isinstance(value, (int, float)):
                assert float(row[key]) == value, key
            elif value and value[0] in "=+-@\t\r":
                assert row[key] == f"'{value}", key
            else:
                assert row[key] == (value or ""), key
    assert any(row["title"] == f"'{FORMULA}" for row in written_as("csv", written))
    assert any(row["error"] == "'-needs 99 GB" for row in written_as("csv", written))


def test_columns_with_a_unit_end_with_it(written: tuple[Results, Path]) -> None:
    names = written_as("parquet", written)[0]
    assert not [name for name in names for unit in ("_gb_", "_ms_", "_mb_", "_seconds_", "_kwh_") if unit in name]


def test_a_number_that_no_column_can_hold_is_text(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out", methods={name: METHODS[name] for name in ("majority", "lora")})
    runs = [
        run.model_copy(update={"chosen": {**run.chosen, "micro_batch_rows": 10**400 if number else 0.5}})
        for number, run in enumerate(results.runs)
    ]
    results = results.model_copy(update={"runs": runs})
    found = flat_columns(results)["chosen_micro_batch_rows"]
    assert found == ["0.5", *[f"1{'0' * 400}"] * (len(runs) - 1)]
    write_report("parquet", results, judge(results, tmp_path / "out"), tmp_path / "out")

"""What a tracker may see: numbers and names from an allow-list."""

import json
from pathlib import Path

from showdown.core.files import write_json
from showdown.core.record import Results
from showdown.trackers.entry import MOST_POINTS, entry_of
from showdown.trackers.tracker import Entry
from trackers.conftest import SECRET, STEPS


def records(output: Path) -> Results:
    return Results.model_validate_json((output / "results.json").read_bytes())


def test_words_of_the_data_are_in_the_record_and_in_no_entry(output: Path, entries: list[Entry]) -> None:
    told = (output / "results.json").read_text(encoding="utf-8")
    assert told.count(SECRET) > 20
    for entry in entries:
        assert SECRET not in entry.model_dump_json()
        assert "/home" not in entry.model_dump_json()
        assert "baker" not in entry.model_dump_json()


def test_an_entry_holds_settings_curves_samples_and_scores(output: Path, entries: list[Entry]) -> None:
    lora = next(run for run in records(output).runs if run.name == "lora")
    entry = next(entry for entry in entries if entry.key == lora.run_id)
    assert entry.config["method"] == "lora"
    assert entry.config["settings.learning_rate"] == 2e-4
    assert entry.config["settings.targets"] == "all-linear"
    assert entry.config["protocol.epochs"] == 50
    assert entry.config["model.id"] == "tiny-bert"
    assert "settings.template" not in entry.config
    assert entry.config["labels"] == 3
    assert entry.scores["accuracy"] == lora.accuracy
    assert entry.scores["f1_macro"] == lora.f1_macro
    assert entry.scores["phase_start_of_scoring_seconds"] == lora.phases[5].seconds
    assert lora.peak_memory_device_gb is not None
    assert entry.scores["peak_memory_device_training_gb"] == lora.peak_memory_device_gb.training
    training, validation, system = entry.series
    assert (training.name, training.axis, len(training.rows)) == ("training", "step", STEPS)
    assert "gradient_norm" not in training.rows[0]
    assert training.rows[1]["gradient_norm"] == 0.5
    assert validation.rows == [{"epoch": 1, "step": STEPS, "f1_macro": 0.75, "loss": 0.25}]
    assert (system.axis, system.rows[2]) == ("seconds", {"seconds": 1.0, "cpu_percent": 97.5, "ram_gb": 2.5})


def test_a_failed_run_has_its_status_and_no_scores(entries: list[Entry]) -> None:
    (failed,) = [entry for entry in entries if entry.config.get("row") == "qlora"]
    assert failed.status == "out-of-memory"
    assert failed.scores == {}


def test_the_summary_is_the_table(entries: list[Entry], output: Path) -> None:
    table = entries[-1].table
    assert table is not None
    assert [row[0] for row in table.rows] == ["majority", "tfidf", "full", "lora", "qlora"]
    accuracy = {row[0]: row[table.columns.index("accuracy")] for row in table.rows}
    assert accuracy["qlora"] is None
    assert accuracy["lora"] == next(run.accuracy for run in records(output).runs if run.name == "lora")
    assert entries[-1].scores["lora/accuracy"] == accuracy["lora"]
    assert entries[-1].status == "incomplete"


def test_long_curves_are_thinned_and_keep_their_ends(output: Path, tmp_path: Path) -> None:
    run = next(run for run in records(output).runs if run.name == "lora")
    steps = list(range(1, 12_346))
    curve = {"training": {"step": steps, "loss": [1 / step for step in steps]}, "validation": []}
    write_json(tmp_path / str(run.curve_file), curve)
    (training,) = entry_of(run, tmp_path).series
    assert len(training.rows) == MOST_POINTS
    assert (training.rows[0]["step"], training.rows[-1]["step"]) == (1, 12_345)
    told = [row["step"] for row in training.rows]
    assert told == sorted(set(told))


def test_a_damaged_curve_costs_the_curve_alone(output: Path, tmp_path: Path) -> None:
    run = next(run for run in records(output).runs if run.name == "lora")
    path = tmp_path / str(run.curve_file)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"training": {}})[:-3])
    entry = entry_of(run, tmp_path)
    assert entry.series == []
    assert entry.scores["accuracy"] == run.accuracy

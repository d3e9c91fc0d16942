"""Trackers get the numbers of written answers: no prompt, no answer, no instruction, in no byte that they write."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest

import generation_results
from generation_results import made_rows, write_generation
from processed_prompts import write_processed
from showdown.core.files import write_json
from showdown.core.record import OwnScore, Results
from showdown.trackers.entry import entry_of, summary_of
from showdown.trackers.mirror import Mirror
from showdown.trackers.table import TRACKERS
from showdown.trackers.tracker import Entry
from showdown.verdict.summary import judge

CANARY = "sesquipedalian"
"""Is in every prompt, wanted answer, written answer, instruction, template and note."""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison whose every text could leak."""
    folder = tmp_path_factory.mktemp("written") / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(generation_results, "_TOWNS", (f"{CANARY}town",))
        patched.setattr(generation_results, "_NAMES", (f"{CANARY}name",))
        results = write_generation(
            folder,
            failed={"qlora": f"ValueError: no such text: {CANARY}"},
            own=lambda right, text: float(right == text),
            own_score=OwnScore(title=f"{CANARY} score"),
            comparison={"data": {"source": f"{CANARY}.csv", "system": CANARY}},
            model=f"/home/{CANARY}/models/tiny-writer",
        )
        write_processed(folder, made_rows(60), system=f"{CANARY} system")
    runs = []
    for run in results.runs:
        settings = {**run.spec.settings, "instructions": [CANARY, "b"], "template": CANARY}
        model = run.spec.model.model_copy(update={"chat_template": CANARY})
        protocol = run.spec.protocol.model_copy(update={"scorer": CANARY})
        spec = run.spec.model_copy(update={"settings": settings, "model": model, "protocol": protocol})
        update: dict[str, Any] = {"spec": spec, "notes": [f"the prompt {CANARY} was cut"]}
        if run.elsewhere:
            training = {"step": [1, 2, 3], "loss": [math.exp(-step) for step in (1, 2, 3)]}
            epoch = {"epoch": 1, "step": 3, "token_probability": 0.5, "token_accuracy": 0.75, "loss": 0.25}
            write_json(folder / "runs" / f"{run.run_id}.json", {"training": training, "validation": [epoch]})
            update["curve_file"] = f"runs/{run.run_id}.json"
        runs.append(run.model_copy(update=update))
    write_json(folder / "results.json", results.model_copy(update={"runs": runs}).model_dump(mode="json"))
    return folder


def records(output: Path) -> Results:
    return Results.model_validate_json((output / "results.json").read_bytes())


@pytest.fixture(scope="module")
def entries(output: Path) -> list[Entry]:
    results = records(output)
    return [
        *(entry_of(run, output) for run in results.runs),
        summary_of(judge(results, output), results.runs, output),
    ]


def test_the_numbers_are_there(output: Path, entries: list[Entry]) -> None:
    run = next(run for run in records(output).runs if run.name == "lora")
    entry = next(entry for entry in entries if entry.key == run.run_id)
    assert run.writing and run.elsewhere
    for key, value in run.scores.items():
        assert entry.scores[key] == value
    assert entry.scores["validation_json_fields"] == run.validation_scores["json_fields"]
    assert entry.scores["tokens_per_second"] == run.writing.tokens_per_second
    assert entry.scores["first_token_p95_ms"] == run.writing.first_token_p95_ms
    assert entry.scores["cut_answers"] == run.writing.cut_answers
    assert entry.scores["prompt_kl"] == run.elsewhere.prompt_kl
    assert entry.scores["general_loss_rise"] == run.elsewhere.general_loss_rise
    assert entry.scores["train_seconds"] == run.train_seconds
    assert "accuracy" not in entry.scores
    assert entry.series[1].rows == [
        {"epoch": 1.0, "step": 3.0, "token_probability": 0.5, "token_accuracy": 0.75, "loss": 0.25}
    ]
    assert entry.config["settings.learning_rate"] == 2e-4
    assert entry.config["protocol.max_new_tokens"] == 48


def test_the_summary_has_the_metric_of_the_verdict_and_what_was_lost_elsewhere(entries: list[Entry]) -> None:
    table = entries[-1].table
    assert table is not None
    assert table.columns[:5] == ["row", "method", "json_fields", "json_fields_low", "json_fields_high"]
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["zero_shot"]["general_loss_rise"] is None
    assert isinstance(rows["full"]["general_loss_rise"], float)
    assert rows["qlora"]["json_fields"] is None
    assert rows["lora"]["json_fields"] == entries[-1].scores["lora/json_fields"]
    assert "accuracy" not in table.columns


def test_the_texts_are_in_the_folder_and_in_no_entry(output: Path, entries: list[Entry]) -> None:
    for file in output.glob("runs/lora-*.csv"):
        with file.open(encoding="utf-8", newline="") as opened:
            assert sum(CANARY in line["answer"] for line in csv.DictReader(opened)) > 20
    for path in (output / "data" / "processed" / "test.jsonl", output / "results.json"):
        assert path.read_text(encoding="utf-8").count(CANARY) > 20
    for entry in entries:
        assert CANARY not in entry.model_dump_json()


@pytest.mark.parametrize("name", list(TRACKERS))
def test_no_prompt_and_no_answer_is_in_any_byte_that_a_tracker_writes(
    output: Path, entries: list[Entry], tmp_path: Path, name: str
) -> None:
    said: list[str] = []
    Mirror(name, tmp_path, "small", said.append).write(entries)
    assert said == []
    files = [path for path in (tmp_path / "trackers" / name).rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(b"json_fields" in path.read_bytes() for path in files), "the numbers are there"
    for path in files:
        assert CANARY.encode() not in path.name.encode() + path.read_bytes(), path
    written = {path.read_bytes() for path in output.glob("runs/*.csv")}
    assert not [path for path in files if path.read_bytes() in written], "a predictions file left"

"""The watch page of a comparison with written answers has their scores, and none of their words."""

import json
from pathlib import Path

from generation_results import made_rows, write_generation
from showdown.core.files import write_json
from showdown.watch.state import Watched


def test_the_state_has_the_scores_that_fit_the_answers(tmp_path: Path) -> None:
    output = tmp_path / "out"
    results = write_generation(output, seeds=(0,), failed={"full": "CUDA out of memory"})
    lora = next(run for run in results.runs if run.name == "lora")
    training = {"step": [1, 2], "loss": [2.0, 1.0]}
    epoch = {"epoch": 1, "step": 2, "token_probability": 0.5, "token_accuracy": 0.75, "loss": 1.0}
    write_json(output / "runs" / "curve.json", {"training": training, "validation": [epoch]})
    runs = [
        run.model_copy(update={"curve_file": "runs/curve.json"}) if run.name == "lora" else run for run in results.runs
    ]
    write_json(output / "results.json", results.model_copy(update={"runs": runs}).model_dump(mode="json"))
    state = Watched(output).state()
    assert state["headings"] == ["JSON field F1", "Exact match %"]
    found = {run["name"]: run for run in state["runs"]}
    assert found["lora"]["scores"] == [
        f"{lora.scores['json_fields']:.3f}",
        f"{100 * lora.scores['exact_match']:.1f}",
    ]
    assert found["lora"]["loss_curve"] == [[1, 2.0], [2, 1.0]]
    assert found["full"]["scores"] == ["", ""]
    text = json.dumps(state)
    assert not [row for row in made_rows(60) if row.prompt in text or json.loads(row.answer)["town"] in text]

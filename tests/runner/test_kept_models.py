"""Which saved models stay on the disk: never fewer than an interrupted or failed run needs to go on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from showdown.runner.retention import prune_models

RUNS = {
    "lora-s0": ("lora", "completed", 0.7),
    "lora-s1": ("lora", "completed", 0.9),
    "full-s0": ("full", "failed", None),
    "full-s1": ("full", "waiting", None),
}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("all", set(RUNS)),
        ("best", {"lora-s1", "full-s0", "full-s1"}),
        ("none", {"full-s0", "full-s1"}),
    ],
)
def test_a_model_that_is_still_to_be_scored_stays(tmp_path: Path, keep: Any, left: set[str]) -> None:
    for run_id in RUNS:
        (tmp_path / run_id / "artifact").mkdir(parents=True)
    store: Any = SimpleNamespace(run_folder=lambda run_id: tmp_path / run_id)
    records: Any = [
        SimpleNamespace(
            run_id=run_id, name=name, status=status, validation_f1_macro=score, spec=SimpleNamespace(train_fraction=1.0)
        )
        for run_id, (name, status, score) in RUNS.items()
    ]
    prune_models(store, records, keep)
    assert {folder.parent.name for folder in tmp_path.glob("*/artifact")} == left

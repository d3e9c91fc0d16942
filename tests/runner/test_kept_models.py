"""Which saved models stay on the disk: never fewer than an interrupted or failed run needs to go on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from showdown.runner.retention import KeptModels, best_of_each_arm

RUNS = {
    "lora-s0": ("lora", "completed", 0.7),
    "lora-s1": ("lora", "completed", 0.9),
    "lora-s2": ("lora", "completed", 0.9),
    "full-s0": ("full", "failed", None),
    "full-s1": ("full", "waiting", None),
}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("all", set(RUNS)),
        ("best", {"lora-s1", "full-s0", "full-s1"}),
        ("none", {"full-s0", "full-s1"}),
    ],
)
def test_a_model_that_is_still_to_be_scored_stays(tmp_path: Path, keep: Any, left: set[str], backwards: bool) -> None:
    """In whatever order runs end, the first in the table of those that are equally good is the best."""
    for run_id in RUNS:
        (tmp_path / run_id / "artifact").mkdir(parents=True)
    store: Any = SimpleNamespace(run_folder=lambda run_id: tmp_path / run_id)
    records: Any = [
        SimpleNamespace(
            run_id=run_id,
            name=name,
            status=status,
            validation_f1_macro=score,
            validation_scores={},
            spec=SimpleNamespace(train_fraction=1.0),
        )
        for run_id, (name, status, score) in RUNS.items()
    ]
    models = KeptModels(store, keep, {run_id: number for number, run_id in enumerate(RUNS)})
    for record in reversed(records) if backwards else records:
        models.add(record)
    assert {folder.parent.name for folder in tmp_path.glob("*/artifact")} == left


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([{"exact_match": 0.5, "rouge_l": 0.6}, {"exact_match": 0.4, "rouge_l": 0.7}], 1),
        ([{"exact_match": 0.5, "json_fields": 0.9}, {"exact_match": 0.6, "json_fields": 0.8}], 0),
        ([{"exact_match": 0.5}, {"exact_match": 0.6}], 1),
    ],
)
def test_the_best_writer_is_that_with_the_best_score_on_validation_rows(
    scores: list[dict[str, float]], best: int
) -> None:
    records: Any = [
        SimpleNamespace(
            name="lora", validation_f1_macro=None, validation_scores=one, spec=SimpleNamespace(train_fraction=1.0)
        )
        for one in scores
    ]
    assert best_of_each_arm(records) == [records[best]]

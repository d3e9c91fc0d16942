"""Runs that share a pretrained network in one process: equal numbers, by the product's own processes."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import check
from showdown.core.events import Event, Step, WorkerStarted
from showdown.core.record import Results, RunRecord
from showdown.display.display import Silent
from showdown.runner import execute
from showdown.stages.base_cache import NOTE, SCORING_NOTE
from tiny_pretrained import separable_rows, write_csv

METHODS = {"lora": {"learning_rate": 5e-3}, "full": {}, "dora": {"learning_rate": 5e-3}}


class Noting(Silent):
    """Remembers the process of each stage, and may do something when one begins."""

    def __init__(self, when: Callable[[str, int], None] = lambda stage, pid: None) -> None:
        self.stages: list[tuple[str, int]] = []
        self.when = when

    def event(self, event: Event) -> None:
        if isinstance(event, WorkerStarted):
            self.stages.append((event.stage, event.pid))
        if isinstance(event, Step) and self.stages[-1][0] == "train":
            self.when(*self.stages[-1])


def carried_out(folder: Path, model: Path, display: Noting, **keys: Any) -> Results:
    folder.mkdir(exist_ok=True)
    asked = {
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(24))), "near_duplicate_jaccard": 0.99},
        "model": {"id": str(model)},
        "methods": METHODS,
        "seeds": [0, 1],
        "sampling_seconds": 0,
        "protocol": {
            "split": {"kind": "single", "train": 0.5, "validation": 0.25, "test": 0.25},
            "epochs": 1,
            "tuning": None,
            "effective_batch_rows": 6,
        },
        **keys,
    }
    return execute.execute(check(asked, "the test"), folder / "out", display)


def numbers(run: RunRecord, folder: Path) -> tuple[Any, ...]:
    curve = json.loads((folder / "out" / str(run.curve_file)).read_text())["training"]["loss"]
    answers = (folder / "out" / str(run.predictions_file)).read_text()
    return run.run_id, run.status, curve, answers, run.trainable_parameters, run.total_parameters


@pytest.mark.long
def test_seeds_and_variants_that_share_a_network_score_as_they_do_alone(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    apart, together = Noting(), Noting()
    alone = carried_out(tmp_path / "alone", pretrained("mistral"), apart)
    shared = carried_out(tmp_path / "shared", pretrained("mistral"), together, share_base=True)
    for one, other in zip(alone.runs, shared.runs, strict=True):
        assert numbers(one, tmp_path / "alone") == numbers(other, tmp_path / "shared")
    assert len({pid for _, pid in apart.stages}) == len(apart.stages) == 12
    trained = [pid for stage, pid in together.stages if stage == "train"]
    assert (len(trained), len(set(trained))) == (6, 3), "four LoRA and DoRA runs share a process, full ones do not"
    scored = [pid for stage, pid in together.stages if stage == "score"]
    assert (len(set(scored)), len(set(scored) - set(trained))) == (3, 2), "and are scored there, the full ones alone"
    found = [run.name for run in shared.runs if run.chosen.get("network") == "kept from the run before"]
    assert found == ["lora", "dora", "dora"]
    assert [NOTE in run.notes for run in shared.runs] == [False, True, False, False, True, True]
    assert [SCORING_NOTE in run.notes for run in shared.runs] == [True, True, False, False, True, True]


@pytest.mark.long
def test_a_shared_process_that_dies_fails_one_run_and_the_next_begins_anew(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_the_first(stage: str, pid: int) -> None:
        if not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    only = {"lora": METHODS["lora"]}
    first = carried_out(
        tmp_path, pretrained("bert"), Noting(kill_the_first), share_base=True, methods=only, seeds=[0, 1, 2]
    )
    assert [run.status for run in first.runs] == ["failed", "completed", "completed"]
    assert "SIGKILL" in str(first.runs[0].error)
    again = Noting()
    second = carried_out(tmp_path, pretrained("bert"), again, share_base=True, methods=only, seeds=[0, 1, 2])
    assert [run.status for run in second.runs] == ["completed"] * 3
    assert [stage for stage, _ in again.stages] == ["train", "score"], "what was finished is not done again"
    untouched = carried_out(tmp_path / "alone", pretrained("bert"), Noting(), methods=only, seeds=[0, 1, 2])
    for one, other in zip(untouched.runs, second.runs, strict=True):
        assert numbers(one, tmp_path / "alone") == numbers(other, tmp_path)

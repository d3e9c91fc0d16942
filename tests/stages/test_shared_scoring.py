"""Runs that are trained and scored in one process, on one pretrained network, score as they do apart."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import showdown.evaluation.speed
from showdown.core.events import EventWriter
from showdown.core.spec import DataSpec, ModelSpec, RunSpec
from showdown.core.split import SingleSplit
from showdown.data.prepare import prepare, write_prepared
from showdown.methods.peft import PeftMethod
from showdown.methods.table import build
from showdown.stages.base_cache import SCORING_NOTE, BaseCache
from showdown.stages.results import ScoreStage
from showdown.stages.score import score_run
from showdown.stages.train import train_run
from showdown.testing.material import MATERIALS
from showdown.testing.tiny import job_for, make_pretrained

Rows = Callable[[str], Path]
Scored = list[tuple[str, ScoreStage]]


@pytest.fixture(autouse=True)
def few_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showdown.evaluation.speed, "_SINGLE_CALLS", 1)
    monkeypatch.setattr(showdown.evaluation.speed, "_BATCHES", ())


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("rows")

    def processed(task: str) -> Path:
        data: DataSpec = MATERIALS[task].source(folder, 30).model_copy(update={"near_duplicate_jaccard": 0.99})
        write_prepared(prepare(data, SingleSplit(), task), folder / task)
        return folder / task

    return processed


def scored(
    folder: Path,
    rows: Path,
    model: Path,
    methods: dict[str, Any],
    kept: BaseCache | None,
    task: str = "classification",
    seeds: tuple[int, ...] = (0, 1),
) -> Scored:
    """Train and score each method with each seed; return answers and scores."""
    found = []
    for name, settings in methods.items():
        for seed in seeds:
            spec = RunSpec(
                name=name,
                method=name,
                settings=build(name, settings).settings.model_dump(),
                model=ModelSpec(id=str(model)),
                protocol=job_for(model, task, epochs=1, effective_batch_rows=6, max_new_tokens=4).protocol,
                seed=seed,
                data_fingerprint="none",
                task=task,
            )
            run = folder / "runs" / spec.run_id
            run.mkdir(parents=True)
            (run / "spec.json").write_text(spec.model_dump_json())
            for stage in (train_run, score_run):
                stage(spec, run, rows, EventWriter(io.StringIO()), kept)
                if kept:
                    kept.tidy()
            stage_file = ScoreStage.model_validate_json((run / "score.json").read_text())
            found.append(((run / "predictions.csv").read_text(), stage_file))
    return found


def same(one: Scored, other: Scored) -> None:
    apart = {"phases", "notes", "prediction_speeds", "speed_others_share", "writing"}
    for (answers, scores), (others, other_scores) in zip(one, other, strict=True):
        assert answers == others
        assert scores.model_dump(exclude=apart) == other_scores.model_dump(exclude=apart)


METHODS = {"lora": {"learning_rate": 5e-3}, "bitfit": {"learning_rate": 5e-3}}


@pytest.mark.long
def test_numbers_are_those_of_stages_apart(rows: Rows, pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    data, kept = rows("classification"), BaseCache()
    alone = scored(tmp_path / "alone", data, pretrained("bert"), METHODS, None)
    shared = scored(tmp_path / "shared", data, pretrained("bert"), METHODS, kept)
    same(alone, shared)
    assert kept.holds
    assert not any(SCORING_NOTE in stage.notes for _, stage in alone)
    assert all(SCORING_NOTE in stage.notes for _, stage in shared)


@pytest.mark.long
@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_written_answers_and_what_became_of_the_base(rows: Rows, tmp_path: Path, method: str) -> None:
    """The network is compared with its base, which in four bits is another one and loaded apart."""
    data, model, methods = rows("generation"), tmp_path / "model", {method: {"learning_rate": 5e-3}}
    model.mkdir()
    make_pretrained("llama", model, chat=True)
    alone = scored(tmp_path / "alone", data, model, methods, None, "generation")
    shared = scored(tmp_path / "shared", data, model, methods, BaseCache(), "generation")
    same(alone, shared)
    assert all(stage.elsewhere is not None for _, stage in shared)


def test_a_network_that_comes_back_changed_is_loaded_again(
    rows: Rows, pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, methods = rows("classification"), {"lora": METHODS["lora"]}
    alone = scored(tmp_path / "alone", data, pretrained("bert"), methods, None, seeds=(0,))
    undo = PeftMethod.strip

    def leaves_a_trace(self: PeftMethod, module: torch.nn.Module) -> Any:
        stripped: Any = undo(self, module)
        next(stripped.parameters()).data[0, 0] += 1.0
        return stripped

    monkeypatch.setattr(PeftMethod, "strip", leaves_a_trace)
    kept = BaseCache()
    shared = scored(tmp_path / "shared", data, pretrained("bert"), methods, kept, seeds=(0,))
    same(alone, shared)
    assert not kept.holds
    assert not any(SCORING_NOTE in stage.notes for _, stage in shared)

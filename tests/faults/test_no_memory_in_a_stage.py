"""A GPU that has no memory left, faked, in each stage of a run: its row says `out-of-memory`, the others go on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import showdown.evaluation.speed
import showdown.models.network
import showdown.stages.score
import showdown.stages.setup
from runner.immediate import use_here
from showdown.config.read import check
from showdown.core.record import Results, RunRecord
from showdown.display.display import Silent
from showdown.engine.accumulate import EagerAccumulator
from showdown.runner import execute, resume
from showdown.tasks.classification.network import NetworkClassifier
from showdown.tasks.classification.task import Classification
from showdown.tasks.generation.network import NetworkWriter
from showdown.tasks.generation.prompted import PromptedWriter
from showdown.tasks.generation.task import Generation
from showdown.testing.material import MATERIALS
from showdown.testing.tiny import make_pretrained
from tiny_pretrained import separable_rows, write_csv

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB"


def no_memory(*_: Any, **__: Any) -> Any:
    raise torch.OutOfMemoryError(f"{SAID}\nSee documentation for Memory Management")


STAGES: dict[str, tuple[Any, str]] = {
    "loading": (showdown.models.network, "load_network"),
    "training": (EagerAccumulator, "accumulate"),
    "validation": (Classification, "validate"),
    "scoring": (NetworkClassifier, "scores"),
}
STAGES_OF_WRITING: dict[str, tuple[Any, str]] = {
    "training": (EagerAccumulator, "accumulate"),
    "validation": (Generation, "validate"),
    "writing": (NetworkWriter, "write"),
    "comparison with the base": (showdown.stages.score, "open_base"),
}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    use_here(monkeypatch)
    monkeypatch.setattr(showdown.evaluation.speed, "_SINGLE_CALLS", 1)
    monkeypatch.setattr(showdown.evaluation.speed, "_BATCHES", ())
    yield


@pytest.mark.parametrize("stage", [*STAGES, "tuning"])
def test_the_row_says_so_and_the_next_run_is_done(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    asked = {
        "data": {"source": str(write_csv(tmp_path / "rows.csv", separable_rows(24))), "near_duplicate_jaccard": 0.99},
        "model": {"id": str(pretrained("bert"))},
        "methods": {"full": {}, "majority": {}},
        "seeds": [0],
        "sampling_seconds": 0,
        "protocol": {
            "split": {"kind": "single", "train": 0.5, "validation": 0.25, "test": 0.25},
            "epochs": 1,
            "tuning": {"trials": 3} if stage == "tuning" else None,
            "effective_batch_rows": 6,
        },
    }
    monkeypatch.setattr(*STAGES.get(stage, STAGES["training"]), no_memory)
    results = execute.execute(check(asked, "the test"), tmp_path / "out", Silent())
    full, majority = results.runs
    assert (full.status, full.error) == ("out-of-memory", SAID)
    assert majority.status == "completed"
    written = Results.model_validate(json.loads((tmp_path / "out" / "results.json").read_text()))
    assert [run.status for run in written.runs] == ["out-of-memory", "completed"]


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    make_pretrained("llama", folder, chat=True)
    return folder


def of_writing(folder: Path, model: Path, methods: dict[str, Any], **protocol: Any) -> list[RunRecord]:
    """Carry out a comparison of written answers."""
    data = MATERIALS["generation"].source(folder, 18)
    asked = {
        "task": "generation",
        "data": {"source": data.source, "near_duplicate_jaccard": 0.99},
        "model": {"id": str(model)},
        "methods": methods,
        "seeds": [0],
        "sampling_seconds": 0,
        "protocol": {
            "split": {"kind": "single", "train": 0.5, "validation": 0.25, "test": 0.25},
            "epochs": 1,
            "tuning": None,
            "effective_batch_rows": 6,
            "max_new_tokens": 4,
            **protocol,
        },
    }
    return execute.execute(check(asked, "the test"), folder / "out", Silent()).runs


@pytest.mark.parametrize("stage", [*STAGES_OF_WRITING, "tuning"])
def test_a_row_of_written_answers_says_so_too(
    chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(*STAGES_OF_WRITING.get(stage, STAGES_OF_WRITING["training"]), no_memory)
    tuning = {"trials": 3} if stage == "tuning" else None
    lora, common = of_writing(tmp_path, chat_model, {"lora": {}, "most-common": {}}, tuning=tuning)
    assert (lora.status, lora.error) == ("out-of-memory", SAID)
    assert common.status == "completed"


def test_a_search_for_a_prompt_says_so_too_and_goes_on_with_more_memory(
    chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = PromptedWriter.losses_by_token, []

    def third_is_too_much(*given: Any) -> Any:
        calls.append(given)
        return no_memory() if len(calls) == 3 else original(*given)

    methods = {"prompt-search": {"trials": 3, "validation_rows": 4}}
    monkeypatch.setattr(PromptedWriter, "losses_by_token", third_is_too_much)
    (run,) = of_writing(tmp_path, chat_model, methods)
    assert (run.status, run.error) == ("out-of-memory", SAID)
    monkeypatch.setattr(resume, "why_try_again", lambda *_: "with less memory")
    (run,) = of_writing(tmp_path, chat_model, methods)
    assert run.status == "completed"
    assert "search continued after 2 steps" in run.notes

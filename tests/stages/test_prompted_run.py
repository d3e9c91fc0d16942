"""A run of a prompt method from the rows to its record."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from showdown.core.events import EventWriter
from showdown.core.record import TRAINING_PHASE
from showdown.core.spec import DataSpec, ModelSpec, RunSpec
from showdown.core.split import SingleSplit
from showdown.data.prepare import load_side, prepare, write_prepared
from showdown.methods.table import build
from showdown.runner.record import run_record
from showdown.runner.store import Store
from showdown.stages.score import score_run
from showdown.stages.train import train_run
from showdown.testing.material import MATERIALS
from showdown.testing.tiny import job_for, make_pretrained


def test_examples_that_were_left_out_are_in_the_record(tmp_path: Path) -> None:
    """Those of the test and the validation prompts, not of the rounds that measure speed."""
    model, processed = tmp_path / "model", tmp_path / "processed"
    model.mkdir()
    make_pretrained("llama", model, chat=True)
    data: DataSpec = MATERIALS["generation"].source(tmp_path, 60).model_copy(update={"near_duplicate_jaccard": 0.99})
    write_prepared(prepare(data, SingleSplit(), "generation"), processed)
    spec = RunSpec(
        name="few-shot",
        method="few-shot",
        settings=build("few-shot", {"examples": 24}).settings.model_dump(),
        model=ModelSpec(id=str(model)),
        protocol=job_for(model, "generation", max_new_tokens=4).protocol,
        seed=0,
        data_fingerprint="none",
        task="generation",
        needs="network",
    )
    store = Store(tmp_path / "out")
    folder = store.run_folder(spec.run_id)
    folder.mkdir(parents=True)
    events = EventWriter(io.StringIO())
    train_run(spec, folder, processed, events)
    score_run(spec, folder, processed, events)
    ready: Any = SimpleNamespace(labels=[], comparison=SimpleNamespace(data=data))
    record = run_record(spec, store, ready, None)
    asked = len({text for side in ("test", "validation") for text in load_side(processed, side).texts})
    first, second = record.notes[:2]
    assert first == "24 training rows in every prompt, drawn at random"
    assert second.startswith(f"{asked} of {asked} different prompts were shown fewer examples, ")
    assert record.scores["token_loss"] > 0
    assert record.train_seconds is not None
    assert TRAINING_PHASE in {phase.name for phase in record.phases}
    assert record.trainable_parameters == 0

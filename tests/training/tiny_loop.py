"""A network that trains in milliseconds, and a run of the loop around it."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from showdown.core.events import EventWriter
from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, ForwardPath, Validation
from showdown.engine.optim.settings import OptimizerSettings
from showdown.measure.memory import CpuMemory
from showdown.measure.phases import PhaseClock
from showdown.tasks.classification.task import Classification
from showdown.training.checkpoint import Checkpoints
from showdown.training.run import TrainingRun

ROWS = EncodedExamples(
    ids=[[1 + (row * 7 + place) % 18 for place in range(2 + row % 5)] for row in range(20)],
    targets=[(row % 3,) for row in range(20)],
)


class TinyClassifier(nn.Module):
    """Mean of embeddings, dropout, one linear layer: small enough to train in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 8)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(8, 3)


class TinyForward(ForwardPath):
    """Its forward path; may run out of memory at chosen calls."""

    name = "tiny"

    def __init__(self, module: TinyClassifier, *, fails_at: Sequence[int] = (), room: int = 10_000) -> None:
        self.module, self.fails_at, self.room, self.calls = module, fails_at, room, 0

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        self.calls += 1
        if self.calls in self.fails_at or len(sequences) > self.room:
            raise torch.OutOfMemoryError("no room")
        pooled = torch.stack([self.module.embedding(ids).mean(dim=0) for ids in sequences])
        logits: torch.Tensor = self.module.head(self.module.dropout(pooled))
        return logits


class Stop(Exception):
    """Ends a training where a kill would."""


class Watcher(EventWriter):
    """Stops after a step."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        super().__init__(io.StringIO())
        self.stop_after = stop_after
        self.steps: list[int] = []

    def step(self, *, step: int, **_: Any) -> None:
        self.steps.append(step)
        if step == self.stop_after:
            raise Stop


def run_of(
    module: TinyClassifier, folder: Path | None = None, *, micro_batch_rows: int = 4, **protocol: Any
) -> TrainingRun:
    watcher = Watcher()
    scores = iter([0.5, 0.4, 0.9, 0.2, 0.1, 0.0])
    settings = {
        "epochs": 3, "patience_epochs": None, "effective_batch_rows": 8, "checkpoint_every_steps": 1, **protocol
    }  # fmt: skip
    return TrainingRun(
        task=Classification(),
        module=module,
        forward=TinyForward(module),
        train=ROWS,
        validation_targets=[(0,), (1,), (2,)],
        validate=lambda: scored(next(scores)),
        protocol=SharedProtocol(**settings),
        micro_batch_rows=micro_batch_rows,
        step=OptimizerSettings(weight_decay=0.01),
        learning_rate=1e-2,
        seed=3,
        device="cpu",
        clock=PhaseClock(CpuMemory()),
        checkpoints=Checkpoints(folder, watcher.say) if folder else None,
        watcher=watcher,
    )


def scored(score: float, loss: float = 1.0) -> Validation:
    """What an epoch scores, every measure alike."""
    values = {"f1_macro": score, "loss": loss, "accuracy": score, "true_label_probability": score}
    return Validation(score=score, loss=loss, values=values)

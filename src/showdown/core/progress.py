"""How far a run is, while it goes: lines in the run's `progress.jsonl`, one JSON object each."""

import json
from pathlib import Path
from typing import Any

from showdown.core.spec import Strict

PROGRESS_FILE = "progress.jsonl"


class ProgressPoint(Strict):
    """A run at one moment. What is not known, or not yet, is None."""

    stage: str
    """`tune`, `train` or `score`."""
    phase: str | None
    """What the worker said it does."""
    step: int | None = None
    """Optimiser steps of this training."""
    steps: int | None = None
    epoch: int | None = None
    loss: float | None = None
    train_seconds: float | None = None
    """Training time of the steps so far."""

    @property
    def steps_per_second(self) -> float | None:
        """Rate since the training began."""
        return self.step / self.train_seconds if self.step and self.train_seconds else None

    @property
    def left_seconds(self) -> float | None:
        """Training time that is left at this rate."""
        rate = self.steps_per_second
        return None if rate is None or self.steps is None else (self.steps - (self.step or 0)) / rate


def read_progress(path: Path) -> list[ProgressPoint]:
    """Read a run's moments in order; empty where there are none. A line that a kill cut short is passed over."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in content.splitlines():
        try:
            found.append(ProgressPoint.model_validate(json.loads(line)))
        except ValueError:
            continue
    return found


def progress_after(before: ProgressPoint | None, event: dict[str, Any]) -> ProgressPoint | None:
    """Return a run's moment after an event of its worker; the same one where the event changes nothing."""
    if event["kind"] == "worker":
        return ProgressPoint(stage=event["stage"], phase=None)
    if before is None:
        return None
    if event["kind"] == "phase":
        return ProgressPoint(stage=before.stage, phase=event["phase"])
    if event["kind"] == "step":
        return ProgressPoint(
            stage=before.stage,
            phase=before.phase,
            step=event["step"],
            steps=event["steps"],
            epoch=event["epoch"],
            loss=event["loss"],
            train_seconds=event["seconds"],
        )
    return before

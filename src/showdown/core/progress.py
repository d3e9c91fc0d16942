"""How far a run is while it goes: lines in the run's `progress.jsonl`, one JSON object each."""

import json
from pathlib import Path

from showdown.core.events import Event, PhaseStarted, Step, WorkerStarted
from showdown.core.strict import Strict

PROGRESS_FILE = "progress.jsonl"


class ProgressPoint(Strict):
    """How far a run was at one time. None is what is not known, or not yet."""

    stage: str
    """`tune`, `train` or `score`."""
    phase: str | None
    """The phase that the worker reported last."""
    step: int | None = None
    """Optimizer steps of this training."""
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
    """Read a run's progress in order; empty where there is none. A line that a kill cut short is skipped."""
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


def progress_after(before: ProgressPoint | None, event: Event) -> ProgressPoint | None:
    """Return a run's progress after an event of its worker; the same one where the event changes nothing."""
    if isinstance(event, WorkerStarted):
        return ProgressPoint(stage=event.stage, phase=None)
    if before is None:
        return None
    if isinstance(event, PhaseStarted):
        return ProgressPoint(stage=before.stage, phase=event.phase)
    if isinstance(event, Step):
        return ProgressPoint(
            stage=before.stage,
            phase=before.phase,
            step=event.step,
            steps=event.steps,
            epoch=event.epoch,
            loss=event.loss,
            train_seconds=event.train_seconds,
        )
    return before

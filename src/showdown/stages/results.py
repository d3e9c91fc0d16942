"""The files that the stages of a run write: a tuned rate, a trained artifact, and its scores from a fresh process."""

from typing import Any, Literal

from pydantic import Field

from showdown.core.bounds import Sha256
from showdown.core.record import (
    SCHEMA_VERSION,
    Convergence,
    Environment,
    MemorySplit,
    Phase,
    PredictionSpeed,
)
from showdown.core.strict import Strict
from showdown.core.task import MeasuredScores
from showdown.training.search import Trial


class StageFile(Strict):
    """A file that a stage writes."""

    schema_version: Literal[1] = SCHEMA_VERSION


class TuneProgress(StageFile):
    """The finished trials of a tuning that is not over, and what they took."""

    trials: list[Trial]
    phases: list[Phase]
    notes: list[str]


class FitProgress(StageFile):
    """The finished steps of a fit that is not over, such as prompts that were judged, and what they took."""

    steps: list[dict[str, float]]
    phases: list[Phase]
    notes: list[str]


class TuneStage(StageFile):
    """What tuning yielded."""

    learning_rate: float
    low: float
    high: float
    """The method's range; trials of origin `widened` lie beyond it."""
    epochs: int
    trials: list[Trial]
    seconds: float
    phases: list[Phase]
    """One phase, `tuning`: everything from the start of the process, over all trials."""
    notes: list[str]


class TrainStage(StageFile):
    """What training yielded; committed after the artifact."""

    title: str
    phases: list[Phase]
    trained: bool
    """False for a method that has no training."""
    train_rows: int
    """Rows that were trained on."""
    trainable_parameters: int
    total_parameters: int
    model_size_mb: float
    chosen: dict[str, Any]
    notes: list[str]
    memory_kind: Literal["gpu", "process resident set"]
    memory_split: MemorySplit | None = None
    convergence: Convergence | None = None
    environment: Environment


class ScoreStage(MeasuredScores, StageFile):
    """What the reloaded artifact scored."""

    phases: list[Phase]
    notes: list[str] = Field(default_factory=list)
    """What a reader must know of the answers."""
    predictions_sha256: Sha256 | None = None
    predictions_rows: int | None = None
    prediction_speeds: list[PredictionSpeed]
    speed_others_share: float | None
    """Share of the processors that other processes used while speed was measured."""


class StageError(Strict):
    """Why a stage did not finish."""

    status: Literal["diverged", "out-of-memory", "unavailable", "failed"]
    error: str

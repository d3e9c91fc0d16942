"""What the stages of a run hand on: tuning a rate, training an artefact, which scoring reads in a fresh process."""

from typing import Any, Literal

from showdown.core.bounds import Sha256
from showdown.core.record import (
    Confidence,
    Convergence,
    Environment,
    MemorySplit,
    Phase,
    PredictionSpeed,
    ScoreKind,
    Scores,
)
from showdown.core.spec import Strict
from showdown.training.search import Trial

StageName = Literal["tune", "train", "score"]


class TuneProgress(Strict):
    """The finished trials of a tuning that is not over, and what they took."""

    trials: list[Trial]
    phases: list[Phase]
    notes: list[str]


class TuneStage(Strict):
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


class TrainStage(Strict):
    """What training yielded; committed after the artefact."""

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


class ScoreStage(Strict):
    """What the reloaded artefact scored."""

    phases: list[Phase]
    scores: Scores
    validation_f1_macro: float
    score_kind: ScoreKind
    confidence: Confidence | None
    predictions_sha256: Sha256 | None = None
    predictions_rows: int | None = None
    prediction_speeds: list[PredictionSpeed]
    speed_others_share: float | None
    """Share of the processors that other processes used while speed was measured."""


class StageError(Strict):
    """Why a stage did not finish."""

    status: Literal["diverged", "out-of-memory", "unavailable", "failed"]
    error: str

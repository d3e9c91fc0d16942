"""What the two stages of a run hand on: training yields an artefact, scoring reads it back in a fresh process."""

from typing import Any, Literal

from showdown.core.record import Environment, Phase, PredictionSpeed, ScoreKind, Scores
from showdown.core.spec import Strict

StageName = Literal["train", "score"]


class TrainStage(Strict):
    """What training yielded; committed after the artefact."""

    title: str
    phases: list[Phase]
    trained: bool
    """False for a method that has no training."""
    trainable_parameters: int
    total_parameters: int
    model_size_mb: float
    chosen: dict[str, Any]
    notes: list[str]
    memory_kind: Literal["gpu", "process resident set"]
    environment: Environment


class ScoreStage(Strict):
    """What the reloaded artefact scored."""

    phases: list[Phase]
    scores: Scores
    validation_f1_macro: float
    score_kind: ScoreKind
    prediction_speeds: list[PredictionSpeed]


class StageError(Strict):
    """Why a stage did not finish."""

    status: Literal["out-of-memory", "unavailable", "failed"]
    error: str

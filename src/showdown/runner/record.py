"""From the files of a run's stages to its record; what a stage has not yielded stays empty."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from showdown.core.confusion import ConfusionMatrix
from showdown.core.load import load_of, used_by_others
from showdown.core.record import (
    TRAINING_PHASE,
    ClassScore,
    Confidence,
    Convergence,
    Elsewhere,
    Environment,
    Load,
    MemorySplit,
    PeakMemory,
    Phase,
    PredictionSpeed,
    RunRecord,
    ScoreKind,
    Scores,
    Status,
    Writing,
)
from showdown.core.samples import energy_of, read_samples
from showdown.core.spec import RunSpec
from showdown.methods.table import method_class
from showdown.runner.prepared import Ready
from showdown.runner.sampler import SYSTEM_FILE
from showdown.runner.store import SCORE_FILE, TRAIN_FILE, TUNE_FILE, Store, read_stage
from showdown.stages.results import ScoreStage, StageError, TrainStage, TuneStage

NOT_RUN_YET = "not run yet"


class _Costs(TypedDict, total=False):
    total_seconds: float
    phases: list[Phase]
    peak_memory_allocated_gb: PeakMemory
    peak_memory_reserved_gb: PeakMemory
    peak_memory_device_gb: PeakMemory


class _Training(TypedDict, total=False):
    train_rows: int
    train_seconds: float
    memory_kind: Literal["gpu", "process resident set"]
    memory_split: MemorySplit | None
    convergence: Convergence | None
    trainable_parameters: int
    total_parameters: int
    model_size_mb: float
    chosen: dict[str, Any]
    environment: Environment


class _Scores(TypedDict, total=False):
    accuracy: float
    f1_macro: float
    f1_weighted: float
    precision_weighted: float
    recall_weighted: float
    validation_f1_macro: float | None
    validation_scores: dict[str, float]
    writing: Writing | None
    elsewhere: Elsewhere | None
    scores: dict[str, float]
    per_class: list[ClassScore]
    confusion_matrix: ConfusionMatrix
    predictions_file: str
    predictions_sha256: str | None
    predictions_rows: int | None
    score_kind: ScoreKind | None
    confidence: Confidence | None
    rows_per_second: float
    latency_p50_ms: float
    latency_p95_ms: float
    prediction_speeds: list[PredictionSpeed]
    curve_file: str | None


def waiting_record(spec: RunSpec, store: Store, ready: Ready) -> RunRecord:
    """Return the record of a run that is not over: it waits, or was interrupted."""
    return run_record(spec, store, ready, StageError(status="failed", error=NOT_RUN_YET), status="waiting")


def run_record(
    spec: RunSpec, store: Store, ready: Ready, error: StageError | None, *, status: Status | None = None
) -> RunRecord:
    """Return the record of a run.

    Args:
        spec: the run.
        store: the comparison's folder.
        ready: the comparison, for its labels.
        error: why the run is not complete; None for a complete one.
        status: by default that of the error, or `completed`.

    """
    folder = store.run_folder(spec.run_id)
    tuned, trained = read_stage(TuneStage, folder / TUNE_FILE), read_stage(TrainStage, folder / TRAIN_FILE)
    scored = None if error else read_stage(ScoreStage, folder / SCORE_FILE)
    samples = read_samples(folder / SYSTEM_FILE)
    load = load_of(samples, scored.speed_others_share if scored else None)
    return RunRecord(
        run_id=spec.run_id,
        name=spec.name,
        method=spec.method,
        title=method_class(spec.method).title,
        traits=method_class(spec.method).traits,
        seed=spec.seed,
        partition=spec.partition,
        status=status or (error.status if error else "completed"),
        error=error.error if error else None,
        labels=ready.labels,
        spec=spec,
        allow_leakage=ready.comparison.data.allow_leakage,
        tuning_seconds=tuned.seconds if tuned else None,
        tuning_file=_relative(store, folder / TUNE_FILE),
        system_file=_relative(store, folder / SYSTEM_FILE),
        energy_kwh=energy_of(samples),
        load=load,
        notes=[*(note for stage in (tuned, trained, scored) if stage for note in stage.notes), *_load_notes(load)],
        **_costs([stage for stage in (tuned, trained, scored) if stage]),
        **(_training(trained) if trained else {}),
        **(_scores(store, folder, scored) if scored else {}),
    )


def _costs(stages: Sequence[TuneStage | TrainStage | ScoreStage]) -> _Costs:
    """Return what the finished stages took, whether or not the run was finished."""
    phases = [phase for stage in stages for phase in _phases(stage)]
    if not phases:
        return {}
    trained = [stage for stage in stages if isinstance(stage, TrainStage)]
    training = next((phase for stage in trained for phase in stage.phases if phase.name == TRAINING_PHASE), None)
    return {
        "total_seconds": round(sum(phase.seconds for phase in phases), 4),
        "phases": phases,
        "peak_memory_allocated_gb": PeakMemory(
            training=training.peak_allocated_gb if training else None,
            run=max(phase.peak_allocated_gb for phase in phases),
        ),
        "peak_memory_reserved_gb": PeakMemory(
            training=training.peak_reserved_gb if training else None,
            run=max(phase.peak_reserved_gb for phase in phases),
        ),
        "peak_memory_device_gb": PeakMemory(
            training=training.peak_device_gb if training else None,
            run=max(phase.peak_device_gb for phase in phases),
        ),
    }


def _phases(stage: TuneStage | TrainStage | ScoreStage) -> list[Phase]:
    """Return a stage's phases; the start of the process that scores has a name of its own."""
    if not isinstance(stage, ScoreStage):
        return stage.phases
    return [
        phase.model_copy(update={"name": "start of scoring"}) if phase.name == "start" else phase
        for phase in stage.phases
    ]


def _training(trained: TrainStage) -> _Training:
    training = next((phase for phase in trained.phases if phase.name == TRAINING_PHASE), None)
    return {
        "train_rows": trained.train_rows,
        "train_seconds": training.seconds if training else 0.0,
        "memory_kind": trained.memory_kind,
        "memory_split": trained.memory_split,
        "convergence": trained.convergence,
        "trainable_parameters": trained.trainable_parameters,
        "total_parameters": trained.total_parameters,
        "model_size_mb": trained.model_size_mb,
        "chosen": trained.chosen,
        "environment": trained.environment,
    }


def _scores(store: Store, folder: Path, scored: ScoreStage) -> _Scores:
    single, best = scored.prediction_speeds
    return {
        **(_of_labels(scored.scores) if scored.scores else {"scores": scored.written_scores}),
        "validation_f1_macro": scored.validation_f1_macro,
        "validation_scores": scored.validation_scores,
        "writing": scored.writing,
        "elsewhere": scored.elsewhere,
        "predictions_file": str((folder / "predictions.csv").relative_to(store.root)),
        "predictions_sha256": scored.predictions_sha256,
        "predictions_rows": scored.predictions_rows,
        "score_kind": scored.score_kind,
        "confidence": scored.confidence,
        "rows_per_second": best.rows_per_second,
        "latency_p50_ms": single.latency_p50_ms,
        "latency_p95_ms": single.latency_p95_ms,
        "prediction_speeds": scored.prediction_speeds,
        "curve_file": _relative(store, folder / "curve.json"),
    }


def _of_labels(scores: Scores) -> _Scores:
    return {
        "accuracy": scores.accuracy,
        "f1_macro": scores.f1_macro,
        "f1_weighted": scores.f1_weighted,
        "precision_weighted": scores.precision_weighted,
        "recall_weighted": scores.recall_weighted,
        "scores": scores.scores,
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion_matrix,
    }


def _relative(store: Store, path: Path) -> str | None:
    return str(path.relative_to(store.root)) if path.exists() else None


def _load_notes(load: Load | None) -> list[str]:
    used = used_by_others([load] if load else [])
    return [f"other processes used up to {used}: its seconds and latencies may be too high"] if used else []

"""Carrying out a comparison, run by run; what is finished is not done again."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showdown.core.files import write_json
from showdown.core.load import load_of, used_by_others
from showdown.core.manifest import damage
from showdown.core.predictions import torn_predictions
from showdown.core.record import Load, PeakMemory, Phase, Results, RunRecord, Status
from showdown.core.samples import energy_of, read_samples
from showdown.core.spec import Comparison, RunSpec
from showdown.data.inspection import DeepAudit, deep_lines
from showdown.data.prepare import partition_folder
from showdown.display.plain import Display
from showdown.measure.limits import memory_room
from showdown.methods.table import is_tuned, method_class, protocol_of
from showdown.models.source import pin
from showdown.runner.earlier_runs import earlier_line, earlier_runs, stand_in
from showdown.runner.executor import Listener, LocalExecutor
from showdown.runner.groups import in_groups
from showdown.runner.memory_check import short_of_memory
from showdown.runner.plan import plan
from showdown.runner.preparation import preparation
from showdown.runner.preparation_process import PreparationProcess
from showdown.runner.prepared import Ready
from showdown.runner.progress import ProgressLog
from showdown.runner.sampler import SYSTEM_FILE, Sampler
from showdown.runner.stage_trace import ended_for_memory, more_memory_now
from showdown.runner.store import Store, read_record
from showdown.stages.memory_plan import refuse_budget_on_cpu
from showdown.stages.results import ScoreStage, StageError, StageName, TrainStage, TuneStage

_STAGES: tuple[StageName, ...] = ("tune", "train", "score")
_STAGES_APART: tuple[tuple[StageName, ...], ...] = (("tune",), ("train",), ("score",))
"""Of runs that share a pretrained network: all are trained, in one process, before any is scored in one of its own."""
_KEPT_STATUSES: tuple[Status, ...] = ("completed", "diverged", "out-of-memory")
"""What is not tried again, for it would come out the same. The others may go better the next time."""


@dataclass(frozen=True, kw_only=True)
class _Execution:
    store: Store
    ready: Ready
    inspection: DeepAudit
    workers: LocalExecutor
    display: Display


def execute(comparison: Comparison, output: Path, display: Display) -> Results:
    """Run what is left of a comparison and return all its results.

    Args:
        comparison: what to compare.
        output: the comparison's folder; made where it is missing.
        display: is told what happens.

    Raises:
        UserError: for bad data, a model that cannot be had, a budget of memory without a GPU, a folder in use, a full
            disk.

    """
    for written in comparison.methods.values():
        refuse_budget_on_cpu(protocol_of(comparison.protocol, written))
    store = Store(output)
    model = pin(comparison.model)
    short = short_of_memory(comparison, model, memory_room())
    if short:
        display.say(short)
    with PreparationProcess(preparation(comparison, model, store)) as steps:
        ready = steps.result(Ready)
        store.refuse_another(ready.comparison, ready.fingerprint)
        display.data([*ready.notices, *ready.said])
        with store.lock() as lock:
            write_json(store.comparison_file, ready.comparison.model_dump(mode="json"))
            inspection = steps.result(DeepAudit)
            steps.end()
            display.data(deep_lines(inspection))
            with LocalExecutor(lock) as workers:
                execution = _Execution(
                    store=store, ready=ready, inspection=inspection, workers=workers, display=display
                )
                return _run_all(execution, plan(ready, model))


def _run_all(execution: _Execution, specs: Sequence[RunSpec]) -> Results:
    records = {spec.run_id: _finished(execution, spec) for spec in specs}
    earlier = earlier_runs(execution.store, specs)
    if earlier:
        execution.display.say(earlier_line(earlier, specs, execution.store.runs_folder))
    execution.display.plan(
        [(_said(execution, spec), spec.seed) for spec in specs], [records[spec.run_id] for spec in specs]
    )
    try:
        _write_results(execution, specs, records)
        waiting = [spec for spec in specs if records[spec.run_id] is None]
        for base, group in in_groups(waiting, share=execution.ready.comparison.share_base):
            for stages in _STAGES_APART if base else (_STAGES,):
                for spec in group:
                    due = [stage for stage in stages if _is_due(execution, spec, stage)]
                    if due and records[spec.run_id] is None:
                        execution.display.start(specs.index(spec) + 1, _said(execution, spec), spec.seed)
                        records[spec.run_id] = _run_one(execution, spec, due, base)
                        _prune_models(execution, [record for record in records.values() if record])
                        _write_results(execution, specs, records)
                        execution.display.finish(records[spec.run_id])
    finally:
        # A run that was not reached shows what is there of other settings, rather than nothing.
        shown = {spec.run_id: records[spec.run_id] or stand_in(spec, earlier) for spec in specs}
        results = _write_results(execution, specs, shown)
    return results


def _said(execution: _Execution, spec: RunSpec) -> str:
    """Name a run for the display: its row, its fold or repeat where there are several, and its part of the rows."""
    count = execution.ready.partitions
    part = "fold" if execution.ready.split.kind == "kfold" else "repeat"
    said = spec.name if count == 1 else f"{spec.name}, {part} {spec.partition + 1} of {count}"
    return said if spec.train_fraction == 1.0 else f"{said}, {100 * spec.train_fraction:g} % of the rows"


def _write_results(execution: _Execution, specs: Sequence[RunSpec], records: dict[str, RunRecord | None]) -> Results:
    results = Results(
        name=execution.ready.comparison.name,
        comparison=execution.ready.comparison.model_dump(mode="json"),
        data={
            "fingerprint": execution.ready.fingerprint,
            "labels": execution.ready.labels,
            "allow_leakage": execution.ready.comparison.data.allow_leakage,
            "split": execution.ready.split.model_dump(mode="json"),
            "partitions": execution.ready.partitions,
            "audit": execution.ready.audit.model_dump(mode="json"),
            "inspection": execution.inspection.model_dump(mode="json"),
            "notices": [*execution.ready.notices, *deep_lines(execution.inspection)],
        },
        runs=[
            records[spec.run_id]
            or _record(execution, spec, StageError(status="failed", error="not run yet"), "cancelled")
            for spec in specs
        ],
    )
    write_json(execution.store.results_file, results.model_dump(mode="json"))
    return results


def _finished(execution: _Execution, spec: RunSpec) -> RunRecord | None:
    path = execution.store.run_folder(spec.run_id) / "result.json"
    record = read_record(path)
    if record is None and path.exists():
        execution.display.say(f"{path} is cut short; the run is done again")
    if record and (torn := torn_predictions(execution.store.root, record)):
        execution.display.say(torn)
        return None
    folder = path.parent
    if record and record.status == "out-of-memory" and more_memory_now(folder):
        execution.display.say(
            f"{spec.name}, seed {spec.seed}: out of memory before, and there is more now; it is done again"
        )
        return None
    why = ended_for_memory(folder) if record is None else None
    if why:
        return _killed_before(execution, spec, why)
    # What has no part in a run's identity may have changed since.
    return record.model_copy(update={"spec": spec}) if record and record.status in _KEPT_STATUSES else None


def _killed_before(execution: _Execution, spec: RunSpec, why: str) -> RunRecord:
    """Record a run that the whole comparison was killed with, rather than begin what would end so again."""
    folder = execution.store.run_folder(spec.run_id)
    error = f"the comparison before this one was {why}; with more memory it is tried again, or remove {folder}"
    record = _record(execution, spec, StageError(status="out-of-memory", error=error))
    execution.display.say(f"{spec.name}, seed {spec.seed}: out-of-memory: {error}")
    write_json(folder / "result.json", record.model_dump(mode="json"))
    return record


def _is_due(execution: _Execution, spec: RunSpec, stage: StageName) -> bool:
    """Is this stage still to be done?"""
    folder = execution.store.run_folder(spec.run_id)
    if stage == "tune":
        return is_tuned(spec) and _read_stage(TuneStage, folder / "tune.json") is None
    return stage == "score" or not _trained(execution, folder)


def _run_one(execution: _Execution, spec: RunSpec, stages: Sequence[StageName], base: str | None) -> RunRecord | None:
    """Carry out stages of a run; return its record where it is over, by its last stage or by an error."""
    folder = execution.store.run_folder(spec.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "spec.json", spec.model_dump(mode="json"))
    progress = ProgressLog(folder, execution.display.event)
    with Sampler(folder, execution.ready.comparison.sampling_seconds, progress.receive) as sampler:
        error = _run_stages(execution, spec, stages, sampler.receive, base)
    if error is None and stages[-1] != _STAGES[-1]:
        return None
    record = _record(execution, spec, error)
    write_json(folder / "result.json", record.model_dump(mode="json"))
    return record


def _run_stages(
    execution: _Execution, spec: RunSpec, stages: Sequence[StageName], listen: Listener, base: str | None
) -> StageError | None:
    """Carry out stages in their order, until one goes wrong."""
    folder = execution.store.run_folder(spec.run_id)
    processed = partition_folder(execution.store.processed_folder, spec.partition, execution.ready.partitions)
    for stage in stages:
        error = execution.workers.run_stage(stage, folder, processed, listen, base if stage == "train" else None)
        if error:
            return error
    return None


def _trained(execution: _Execution, folder: Path) -> bool:
    """Is the training stage of an interrupted run whole?"""
    stage = folder / "train.json"
    if _read_stage(TrainStage, stage) is None:
        if stage.exists():
            execution.display.say(f"{stage} is cut short; the run is done again")
        return False
    fault = damage(folder / "artifact")
    if fault:
        execution.display.say(f"damaged model passed over: {fault} is cut short or missing; the run is done again")
    return fault is None


def _read_stage(kind: Any, path: Path) -> Any:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _record(execution: _Execution, spec: RunSpec, error: StageError | None, status: Status | None = None) -> RunRecord:
    """Put a run's record together from what its stages yielded; what is missing stays empty."""
    folder = execution.store.run_folder(spec.run_id)
    tuned: TuneStage | None = _read_stage(TuneStage, folder / "tune.json")
    trained: TrainStage | None = _read_stage(TrainStage, folder / "train.json")
    scored: ScoreStage | None = None if error else _read_stage(ScoreStage, folder / "score.json")
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
        labels=execution.ready.labels,
        spec=spec,
        allow_leakage=execution.ready.comparison.data.allow_leakage,
        tuning_seconds=tuned.seconds if tuned else None,
        tuning_file=_relative(execution, folder / "tune.json"),
        system_file=_relative(execution, folder / SYSTEM_FILE),
        energy_kwh=energy_of(samples),
        load=load,
        notes=[*(tuned.notes if tuned else []), *(trained.notes if trained else []), *_load_notes(load)],
        **_costs([stage for stage in (tuned, trained, scored) if stage]),
        **(_training(trained) if trained else {}),
        **(_scores(execution, folder, scored) if scored else {}),
    )


def _scores(execution: _Execution, folder: Path, scored: ScoreStage) -> dict[str, Any]:
    single, best = scored.prediction_speeds
    return {
        **dict(scored.scores),
        "validation_f1_macro": scored.validation_f1_macro,
        "predictions_file": str((folder / "predictions.csv").relative_to(execution.store.root)),
        "predictions_sha256": scored.predictions_sha256,
        "predictions_rows": scored.predictions_rows,
        "score_kind": scored.score_kind,
        "confidence": scored.confidence,
        "rows_per_second": best.rows_per_second,
        "latency_p50_ms": single.latency_p50_ms,
        "latency_p95_ms": single.latency_p95_ms,
        "prediction_speeds": scored.prediction_speeds,
        "curve_file": _relative(execution, folder / "curve.json"),
    }


def _relative(execution: _Execution, path: Path) -> str | None:
    return str(path.relative_to(execution.store.root)) if path.exists() else None


def _costs(stages: Sequence[TuneStage | TrainStage | ScoreStage]) -> dict[str, Any]:
    """Return what the stages took that were finished, whether or not the run was."""
    phases = [
        phase
        for stage in stages
        for phase in (_renamed(stage.phases) if isinstance(stage, ScoreStage) else stage.phases)
    ]
    if not phases:
        return {}
    trained = [stage for stage in stages if isinstance(stage, TrainStage)]
    training = next((phase for stage in trained for phase in stage.phases if phase.name == "training"), None)
    return {
        "total_seconds": round(sum(phase.seconds for phase in phases), 4),
        "phases": phases,
        **{
            f"peak_memory_{kind}_gb": PeakMemory(
                training=getattr(training, f"peak_{kind}_gb") if training else None,
                run=max(getattr(phase, f"peak_{kind}_gb") for phase in phases),
            )
            for kind in ("allocated", "reserved", "device")
        },
    }


def _load_notes(load: Load | None) -> list[str]:
    used = used_by_others([load] if load else [])
    return [f"other processes used up to {used}: its seconds and latencies may be too high"] if used else []


def _training(trained: TrainStage) -> dict[str, Any]:
    training = next((phase for phase in trained.phases if phase.name == "training"), None)
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


def _renamed(phases: list[Phase]) -> list[Phase]:
    """Tell the second process's start from the first one's."""
    return [
        phase.model_copy(update={"name": "start of scoring"}) if phase.name == "start" else phase for phase in phases
    ]


def _prune_models(execution: _Execution, records: list[RunRecord]) -> None:
    """Remove the saved models that the comparison does not keep; one that is still to be scored stays."""
    keep = execution.ready.comparison.keep_models
    if keep == "all":
        return
    completed = [record for record in records if record.status == "completed"]
    best: dict[str, RunRecord] = {}
    for record in completed:
        if record.spec.train_fraction == 1.0:
            rival = best.get(record.name)
            if rival is None or (record.validation_f1_macro or 0.0) > (rival.validation_f1_macro or 0.0):
                best[record.name] = record
    for record in completed:
        if keep == "none" or best.get(record.name) is not record:
            shutil.rmtree(execution.store.run_folder(record.run_id) / "artifact", ignore_errors=True)

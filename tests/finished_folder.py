"""A comparison's folder as `showdown run` leaves it, made without running anything."""

import json
from collections.abc import Mapping
from pathlib import Path

from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison, ModelSpec, RunSpec, SharedProtocol
from showdown.methods.table import method_class

MODEL_BYTES = 1_000
LABELS = ["a", "b"]


def finished_folder(folder: Path, scores: Mapping[str, float | None], name: str = "comparison") -> Path:
    """Write a folder with a run of each method.

    Args:
        folder: made where it is missing.
        scores: accuracy by method, in tenths; None for a run that is still to be done.
        name: of the comparison.

    """
    comparison = Comparison.model_validate({"name": name, "methods": {row: {} for row in scores}, "seeds": [0]})
    runs = [_record(row, score) for row, score in scores.items()]
    results = Results(
        name=name,
        comparison=comparison.model_dump(mode="json"),
        data={"labels": LABELS, "audit": {"rows_used": 60}},
        runs=runs,
    )
    _write(folder / "comparison.json", comparison.model_dump(mode="json"))
    _write(folder / "results.json", results.model_dump(mode="json"))
    for run in runs:
        if run.status == "completed":
            _write(folder / "runs" / run.run_id / "result.json", run.model_dump(mode="json"))
            (folder / "runs" / run.run_id / "predictions.csv").write_text("row,label\n", encoding="utf-8")
        artifact = folder / "runs" / run.run_id / "artifact"
        artifact.mkdir(parents=True, exist_ok=True)
        (artifact / "model.safetensors").write_bytes(b"x" * MODEL_BYTES)
    for inner in (
        "data/processed/train.csv",
        "data/findings.csv",
        "data/inspection.json",
        "log.txt",
        "report/page.txt",
    ):
        (folder / inner).parent.mkdir(parents=True, exist_ok=True)
        (folder / inner).write_text("text\n", encoding="utf-8")
    return folder


def _record(row: str, score: float | None) -> RunRecord:
    spec = RunSpec(
        name=row,
        method=row,
        settings={},
        model=ModelSpec(),
        protocol=SharedProtocol.model_validate({"split": {"kind": "single"}, "tuning": None}),
        seed=0,
        data_fingerprint="f",
        needs=method_class(row).needs(),
    )
    done = score is not None
    return RunRecord(
        run_id=spec.run_id,
        name=row,
        method=row,
        title=method_class(row).title,
        traits=method_class(row).traits,
        seed=0,
        partition=0,
        status="completed" if done else "waiting",
        error=None if done else "not run yet",
        accuracy=score,
        f1_macro=score,
        validation_f1_macro=score,
        labels=LABELS,
        confusion_matrix=_matrix(score) if score is not None else [],
        spec=spec,
    )


def _matrix(accuracy: float) -> list[list[int]]:
    """Return ten test rows of each label, equally many of which are right."""
    right = round(10 * accuracy)
    return [[right, 10 - right], [10 - right, right]]


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")

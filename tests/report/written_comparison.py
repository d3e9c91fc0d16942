"""A finished comparison on the disk with every field filled in, written in milliseconds and the same each time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from showdown.core.csv_writer import csv_writer
from showdown.core.record import ClassScore, Environment, PeakMemory, Phase, PredictionSpeed, Results, RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.table import method_class

HOSTILE = (
    r"\input{/etc/passwd} \def\x{}",
    "100 % of $5 & #1_a^b~c",
    "<script>alert('1')</script> | `x` [b] *c* -- \"q\"",
    "\u202eright to left\u202c \u0646\u0635 \u2066x\u2069",
    "emoji \U0001f600 caf\u00e9 \u4e2d\u6587 \u2028 {}",
    "[5em]",
    "*",
    "=cmd|' /C calc'!A0",
)
"""Labels that would be markup, code or a formula where somebody forgot to escape them."""
METHODS = {
    "majority": ("majority", "Majority label", 0.2),
    "tfidf": ("tfidf", "TF-IDF + SVM", 0.7),
    "full": ("full", "Full fine-tuning", 0.9),
    "lora": ("lora", "LoRA", 0.85),
    "qlora": ("qlora", "QLoRA", 0.8),
}
"""By row of the table: method, title, and how often it is right."""
_PHASES = ("start", "loading", "training", "validation", "saving", "start of scoring", "reloading", "prediction")


def write_comparison(
    folder: Path,
    *,
    name: str = "small",
    labels: Sequence[str] = ("baker", "night nurse", "pilot"),
    methods: Mapping[str, tuple[str, str, float]] = METHODS,
    failed: Mapping[str, str] | None = None,
    seeds: Sequence[int] = (0,),
    rows: int = 60,
    model: str = "tiny/model",
    fingerprint: str = "f" * 64,
    protocol: dict[str, Any] | None = None,
    gpu: str | None = None,
    allow_leakage: bool = False,
) -> Results:
    """Write `results.json` and predictions into a folder; ``failed`` gives rows without scores and their error."""
    (folder / "runs").mkdir(parents=True)
    shared = SharedProtocol.model_validate({"split": {"kind": "single"}, **(protocol or {})})
    runs = []
    for place, (row, (method, title, skill)) in enumerate(methods.items()):
        for seed in seeds:
            spec = RunSpec(
                name=row,
                method=method,
                settings={"learning_rate": 2e-4, "targets": "all-linear"} if "lora" in method else {},
                model=ModelSpec(id=model, revision="0123abc"),
                protocol=shared,
                seed=seed,
                data_fingerprint=fingerprint,
            )
            base = {"run_id": spec.run_id, "name": row, "method": method, "title": title, "seed": seed, "partition": 0}
            base |= {"traits": method_class(method).traits, "spec": spec, "allow_leakage": allow_leakage}
            if row in (failed or {}):
                runs.append(RunRecord.model_validate({**base, "status": "out-of-memory", "error": failed[row]}))
                continue
            true, said = _answers(rows, len(labels), skill, chance=100 * place + seed)
            file = f"runs/{row}-{seed}.csv"
            _write_predictions(folder / file, true, said, labels)
            scores = _scores(true, said, labels)
            runs.append(RunRecord.model_validate({**base, **scores, **_measured(place, gpu), "predictions_file": file}))
    results = Results(
        name=name,
        comparison={"name": name, "data": {"source": f"{name}.csv"}, "seeds": list(seeds)},
        data={
            "fingerprint": fingerprint,
            "labels": list(labels),
            "allow_leakage": allow_leakage,
            "split": shared.split.model_dump(mode="json"),
            "partitions": 1,
            "audit": {
                "rows_in": 5 * rows,
                "rows_used": 5 * rows,
                "exact_copies": 2,
                "near_copies": 1,
                "clusters": rows,
            },
        },
        runs=runs,
    )
    (folder / "results.json").write_text(results.model_dump_json(), encoding="utf-8")
    return results


def _answers(rows: int, labels: int, skill: float, *, chance: int) -> tuple[list[int], list[int]]:
    draw = np.random.default_rng(chance)
    true = [row % labels for row in range(rows)]
    return true, [label if draw.random() < skill else int(draw.integers(labels)) for label in true]


def _write_predictions(path: Path, true: Sequence[int], said: Sequence[int], labels: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(["row", "cluster", "label", "predicted", *labels])
        for row, (truth, answer) in enumerate(zip(true, said, strict=True), start=1):
            writer.writerow(
                [row, row, labels[truth], labels[answer], *(float(i == answer) for i in range(len(labels)))]
            )


def _scores(true: Sequence[int], said: Sequence[int], labels: Sequence[str]) -> dict[str, Any]:
    matrix = np.zeros((len(labels), len(labels)), dtype=int)
    for truth, answer in zip(true, said, strict=True):
        matrix[truth, answer] += 1
    right, there, answered = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    f1 = 2 * right / np.maximum(1, there + answered)
    return {
        "status": "completed",
        "accuracy": float(right.sum() / matrix.sum()),
        "f1_macro": float(f1.mean()),
        "f1_weighted": float((f1 * there).sum() / there.sum()),
        "precision_weighted": float((right / np.maximum(1, answered) * there).sum() / there.sum()),
        "recall_weighted": float(right.sum() / there.sum()),
        "validation_f1_macro": float(f1.mean()) / 2,
        "labels": list(labels),
        "confusion_matrix": matrix.tolist(),
        "per_class": [
            ClassScore(
                label=label,
                precision=float(right[i] / max(1, answered[i])),
                recall=float(right[i] / max(1, there[i])),
                f1=float(f1[i]),
                rows=int(there[i]),
            )
            for i, label in enumerate(labels)
        ],
    }


def _measured(place: int, gpu: str | None) -> dict[str, Any]:
    """Costs that rise with the place in the table, so that no two rows are alike."""
    more = 1 + place
    peak = PeakMemory(training=0.125 * more, run=0.25 * more)
    return {
        "score_kind": "probability",
        "train_rows": 240,
        "train_seconds": 3.25 * more,
        "total_seconds": 7.5 * more,
        "phases": [
            Phase(
                name=phase,
                seconds=0.1 * more + turn,
                peak_allocated_gb=0.1 * more,
                peak_reserved_gb=0.2,
                peak_device_gb=0.3,
            )
            for turn, phase in enumerate(_PHASES)
        ],
        "peak_memory_allocated_gb": peak,
        "peak_memory_reserved_gb": peak,
        "peak_memory_device_gb": peak,
        "memory_kind": "gpu" if gpu else "process resident set",
        "trainable_parameters": 341_401 * place,
        "total_parameters": 23_054_617,
        "model_size_mb": 1.382 * more,
        "rows_per_second": 100.0 / more,
        "latency_p50_ms": 5.5 * more,
        "latency_p95_ms": 6.5 * more,
        "prediction_speeds": [
            PredictionSpeed(batch_rows=1, rows_per_second=17.637, latency_p50_ms=5.5 * more, latency_p95_ms=6.5 * more),
            PredictionSpeed(batch_rows=16, rows_per_second=100.0 / more, latency_p50_ms=50.0, latency_p95_ms=60.0),
        ],
        "notes": ["an example's note: 100 % & more"] if place == 2 else [],
        "chosen": {"device": "cuda" if gpu else "cpu", "micro_batch_rows": 4, "epoch": 3},
        "environment": Environment(
            versions={"python": "3.11.7", "torch": "2.13.0"},
            commit="6e594be9388c77b1570f713cbbd0ec11fb994088",
            platform="Linux",
            cpu="An example's processor",
            cpu_threads=2,
            memory_gb=8.0,
            gpu=gpu,
            gpu_memory_gb=80.0 if gpu else None,
            driver="580.1" if gpu else None,
        ),
    }

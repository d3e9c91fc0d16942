"""A small comparison on disk, written as a finished one is."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from showdown.core.record import Environment, PeakMemory, Phase, Results, RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.table import method_class

LABELS = ["a", "b", "c"]


class Built:
    """Adds runs to a comparison's folder and gives its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: list[RunRecord] = []

    def run(
        self,
        name: str,
        predicted: Sequence[int],
        true: Sequence[int],
        *,
        method: str = "lora",
        seed: int = 0,
        partition: int = 0,
        rows: Sequence[int] | None = None,
        clusters: Sequence[int] | None = None,
        protocol: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        scores: Sequence[Sequence[float]] | None = None,
        **record: Any,
    ) -> None:
        """Write a completed run."""
        rows = list(rows or range(1, len(true) + 1))
        file = f"runs/{name}-{seed}-{partition}.csv"
        (self.folder / "runs").mkdir(exist_ok=True)
        with (self.folder / file).open("w", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["row", "cluster", "label", "predicted", *LABELS])
            every = scores or [[0.0] * len(LABELS)] * len(rows)
            for row, cluster, truth, said, score in zip(rows, clusters or rows, true, predicted, every, strict=True):
                writer.writerow([row, cluster, LABELS[truth], LABELS[said], *score])
        given: dict[str, Any] = {
            "train_seconds": 10.0,
            "phases": [_phase("loading", 8.0), _phase("training", 10.0), _phase("prediction", 5.0)],
            "peak_memory_device_gb": PeakMemory(training=1.0, run=2.0),
            "memory_kind": "gpu",
            "model_size_mb": 5.0,
            "rows_per_second": 100.0,
            "latency_p95_ms": 20.0,
            "environment": _environment("NVIDIA H100 80GB HBM3"),
        }
        self.runs.append(
            RunRecord(
                **self._identity(name, method, seed, partition, protocol, settings),
                status="completed",
                accuracy=float(np.mean(np.asarray(predicted) == np.asarray(true))),
                labels=LABELS,
                predictions_file=file,
                **{**given, **record},
            )
        )

    def failed(self, name: str, status: str, error: str, *, method: str = "full", seed: int = 0) -> None:
        """Add a run that did not complete."""
        self.runs.append(
            RunRecord.model_validate(
                {**self._identity(name, method, seed, 0, None, None), "status": status, "error": error}
            )
        )

    def _identity(self, name: str, method: str, seed: int, partition: int, protocol: Any, settings: Any) -> Any:
        spec = RunSpec(
            name=name,
            method=method,
            settings=settings or {},
            model=ModelSpec(),
            protocol=SharedProtocol(**{"tuning": None, **(protocol or {})}),
            seed=seed,
            partition=partition,
            data_fingerprint="f",
        )
        return {
            "run_id": spec.run_id,
            "name": name,
            "method": method,
            "title": name.upper(),
            "traits": method_class(method).traits,
            "seed": seed,
            "partition": partition,
            "spec": spec,
        }

    @property
    def results(self) -> Results:
        """The comparison so far."""
        return Results(name="small", comparison={}, data={"labels": LABELS}, runs=self.runs)


def _phase(name: str, seconds: float) -> Phase:
    return Phase(name=name, seconds=seconds, peak_allocated_gb=1.0, peak_reserved_gb=1.0, peak_device_gb=1.0)


def _environment(gpu: str | None) -> Environment:
    return Environment(
        versions={"torch": "2.13.0"},
        commit=None,
        platform="Linux",
        cpu="x",
        cpu_threads=2,
        memory_gb=8.0,
        gpu=gpu,
        gpu_memory_gb=80.0 if gpu else None,
        driver=None,
    )


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path)


@pytest.fixture
def answers() -> Callable[..., tuple[list[int], list[int]]]:
    """Give (predicted, true) of ``rows`` rows of which the first ``wrong`` are wrong."""

    def make(rows: int, wrong: int, *, start: int = 0) -> tuple[list[int], list[int]]:
        true = [index % 3 for index in range(rows)]
        predicted = [(label + 1) % 3 if start <= index < start + wrong else label for index, label in enumerate(true)]
        return predicted, true

    return make


@pytest.fixture
def environment() -> Callable[[str | None], Environment]:
    return _environment

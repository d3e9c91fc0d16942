"""The memory plan goes before all runs, through a worker; its error ends the runs that train, and no other."""

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from runner.immediate import ImmediateExecutor, use
from showdown.config.read import check
from showdown.core.memory import MemorySettings
from showdown.core.method import Job
from showdown.core.record import RunRecord
from showdown.core.spec import RunSpec
from showdown.display.display import Silent
from showdown.runner import execute
from showdown.runner.executor import Stage
from showdown.runner.worker import entry
from showdown.runner.worker.task import WorkerTask
from showdown.stages import memory_plan
from showdown.stages.results import StageError
from tiny_pretrained import separable_rows, write_csv

PLANNED = MemorySettings(micro_batch_rows=3, recompute=True)


class Planning(ImmediateExecutor):
    """Makes the plan in this process, and fails every other stage."""

    seen: ClassVar[list[tuple[str, str, RunSpec]]] = []
    """Stage, name of the folder of its rows, spec."""
    plan_error: ClassVar[StageError | None] = None

    def run(self, stage: Stage, folder: Path) -> StageError | None:
        self.seen.append(
            (stage.name, stage.data.name, RunSpec.model_validate_json((folder / "spec.json").read_bytes()))
        )
        if stage.name != "plan":
            return StageError(status="failed", error="no workers here")
        if self.plan_error is None:
            assert not entry.work(WorkerTask(stage="plan", folder=folder, data=stage.data), io.StringIO())
        return self.plan_error


@pytest.fixture(autouse=True)
def _a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Planning)
    monkeypatch.setattr(Planning, "seen", [])
    monkeypatch.setattr(entry, "watch_over", lambda _: None)
    monkeypatch.setattr("showdown.runner.memory.has_gpu", lambda: True)
    monkeypatch.setattr(memory_plan, "current_gpu", lambda: memory_plan.Gpu(name="G", total_gb=9.0, free_gb=9.0))
    monkeypatch.setattr(memory_plan, "_on_a_gpu", lambda planned_for, arms, job, free_gb: plan_of(planned_for, arms))
    job_of = memory_plan.job_of
    monkeypatch.setattr(memory_plan, "job_of", lambda *given: _on_gpu(job_of(*given)))


def plan_of(planned_for: memory_plan.PlannedFor, arms: Iterable[str]) -> memory_plan.MemoryPlan:
    return memory_plan.MemoryPlan(planned_for=planned_for, settings=dict.fromkeys(arms, PLANNED))


def _on_gpu(job: Job) -> Job:
    return replace(job, placement=replace(job.placement, device="cuda"))


def records_of(folder: Path, model: Path) -> dict[str, RunRecord]:
    written = {
        "model": {"id": str(model)},
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(36))), "near_duplicate_jaccard": 0.99},
        "methods": {"tfidf": {}, "full": {}},
        "seeds": [0],
        "protocol": {"split": {"kind": "kfold", "folds": 2}, "tuning": None},
    }
    results = execute.execute(check(written, "the test"), folder / "out", Silent())
    return {run.name: run for run in results.runs}


def test_the_plan_is_made_first_over_all_rows_and_reaches_every_run(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    records_of(tmp_path, pretrained("bert"))
    assert [name for name, _, _ in Planning.seen].count("plan") == 1
    assert Planning.seen[0][:2] == ("plan", "processed")
    training = [spec for name, _, spec in Planning.seen if name == "train" and spec.name == "full"]
    assert {spec.partition for spec in training} == {0, 1}
    assert [spec.memory for spec in training] == [PLANNED, PLANNED]
    assert {spec.memory for name, _, spec in Planning.seen if name == "train" and spec.name == "tfidf"} == {None}
    plan = memory_plan.read_plan(tmp_path / "out")
    assert plan is not None
    assert (plan.planned_for.partitions, set(plan.planned_for.arms)) == (2, {"full"})


def test_an_error_of_the_plan_ends_the_runs_that_train_alone(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Planning, "plan_error", StageError(status="failed", error="the GPU is gone"))
    records = records_of(tmp_path, pretrained("bert"))
    assert (records["full"].status, records["full"].error) == ("failed", "the GPU is gone")
    assert records["tfidf"].error == "no workers here"
    assert {spec.name for name, _, spec in Planning.seen if name == "train"} == {"tfidf"}

"""A run that memory ended is told from one that a person killed, at once and by the next call."""

import json
import signal
from pathlib import Path
from typing import ClassVar

import pytest

from runner.immediate import ImmediateExecutor, use
from showdown.config.read import check
from showdown.core.record import Results
from showdown.core.samples import Sample
from showdown.display.display import Silent
from showdown.measure.limits import MemoryRoom
from showdown.runner import execute, stage_trace
from showdown.runner.executor import Stage
from showdown.runner.stage_trace import ended_for_memory, leave_trace
from showdown.runner.worker.results import stage_outcome
from showdown.stages.results import StageError
from tiny_pretrained import separable_rows, write_csv


class System:
    """Stands in for what the kernel says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.kills: int | None = 3
        self.limit = int(1e9)
        self.boot = "one"
        patch.setattr(stage_trace, "memory_kills", lambda: self.kills)
        patch.setattr(
            stage_trace, "memory_room", lambda: MemoryRoom(limit_bytes=self.limit, free_bytes=self.limit, of_group=True)
        )
        patch.setattr(stage_trace, "_boot", lambda: self.boot)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def held(folder: Path, gb: float) -> None:
    sample = {**dict.fromkeys(Sample.model_fields), "seconds": 1.0, "ram_gb": gb}
    (folder / "system.jsonl").write_text(json.dumps(sample) + "\n")


def test_a_worker_killed_while_the_kernel_counted_is_out_of_memory(system: System, tmp_path: Path) -> None:
    begun = leave_trace(tmp_path)
    held(tmp_path, 0.9)
    found = stage_outcome(-signal.SIGKILL, tmp_path, begun)
    assert found is not None
    assert found.status == "failed"  # the counter says that it was a person, however much it held
    system.kills = 4
    found = stage_outcome(-signal.SIGKILL, tmp_path, begun)
    assert found is not None
    assert found.status == "out-of-memory"
    assert found.error == "the process was killed by the kernel, which had no more memory: the limit is 1 GB"
    other = stage_outcome(-signal.SIGSEGV, tmp_path, begun)
    assert other is not None
    assert other.status == "failed"


@pytest.mark.parametrize(("gb", "status"), [(0.8, "out-of-memory"), (0.5, "failed")])
def test_where_nothing_is_counted_the_memory_held_decides(
    system: System, tmp_path: Path, gb: float, status: str
) -> None:
    system.kills = None
    begun = leave_trace(tmp_path)
    held(tmp_path, gb)
    found = stage_outcome(-signal.SIGKILL, tmp_path, begun)
    assert found is not None
    assert found.status == status
    assert ("most likely" in found.error) == (status == "out-of-memory")


def test_the_next_call_reads_how_the_one_before_ended(system: System, tmp_path: Path) -> None:
    assert ended_for_memory(tmp_path) is None  # nothing was begun
    leave_trace(tmp_path)
    assert ended_for_memory(tmp_path) is None  # killed by a person: done again
    system.kills = 4
    assert "killed by the kernel" in str(ended_for_memory(tmp_path))
    system.boot = "two"
    assert ended_for_memory(tmp_path) is None  # the machine was started anew: its counters say nothing
    system.boot, system.kills = "one", 0
    held(tmp_path, 0.9)
    assert "most likely" in str(ended_for_memory(tmp_path))  # another container, which counts from 0
    (tmp_path / "started.json").write_text('{"boot": ')
    assert ended_for_memory(tmp_path) is None


class NoWorkers(ImmediateExecutor):
    """Notes which stages are submitted, and fails them."""

    asked: ClassVar[list[str]] = []

    def run(self, stage: Stage, folder: Path) -> StageError:
        self.asked.append(folder.name.split("-")[0])
        return StageError(status="failed", error="no workers here")


class Noting(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def test_a_run_that_the_comparison_was_killed_with_is_not_begun_again(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, NoWorkers)
    monkeypatch.setattr(NoWorkers, "asked", [])
    asked = {
        "data": {"source": str(write_csv(tmp_path / "rows.csv", separable_rows(24))), "near_duplicate_jaccard": 0.99},
        "methods": {"majority": {}, "tfidf": {}},
        "seeds": [0],
        "protocol": {"split": {"kind": "single"}, "tuning": None},
    }

    def run() -> tuple[dict[str, str], list[str], list[str]]:
        NoWorkers.asked.clear()
        display = Noting()
        results: Results = execute.execute(check(asked, "the test"), tmp_path / "out", display)
        return {run.name: run.status for run in results.runs}, list(NoWorkers.asked), display.said

    assert run()[:2] == ({"majority": "failed", "tfidf": "failed"}, ["majority", "tfidf"])
    for path in (tmp_path / "out" / "runs").glob("*/result.json"):
        path.unlink()  # as a kill leaves it
    (folder,) = (tmp_path / "out" / "runs").glob("tfidf-*")
    leave_trace(folder)
    system.kills = 4
    states, begun, said = run()
    assert (states, begun) == ({"majority": "failed", "tfidf": "out-of-memory"}, ["majority"])
    assert any(
        "tfidf, seed 0: out-of-memory: the comparison before this one was killed by the kernel" in x for x in said
    )
    assert run()[1] == ["majority"]  # and it stays so
    system.limit = int(2e9)
    states, begun, said = run()
    assert (states, begun) == ({"majority": "failed", "tfidf": "failed"}, ["majority", "tfidf"])
    assert any("with 1 GB of memory, and there is more now (2 GB); it is done again" in line for line in said)

"""A run that ran out of memory is tried again where there is more now, also one that an older version recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from report.written_comparison import METHODS, write_comparison
from showdown.core.record import Environment, RunRecord
from showdown.measure.limits import MemoryRoom
from showdown.runner import memory_retry, stage_trace
from showdown.runner.memory_retry import why_try_again
from showdown.runner.stage_trace import leave_trace

ON_GPU = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.02 GiB is free."
)
"""79.11 GiB are 84.9 GB."""
KILLED = "the process was killed by the kernel, which had no more memory: the limit is 8 GB"
UNKNOWN = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"


class Meter:
    def __init__(self, gb: float | None) -> None:
        self.gb = gb

    def total_gb(self) -> float | None:
        return self.gb


def machine(patch: pytest.MonkeyPatch, *, limit: float, gpus: tuple[float, ...] = ()) -> None:
    """Let this machine have so much memory now, in GB."""
    room = MemoryRoom(limit_bytes=int(limit * 1e9), free_bytes=int(limit * 1e9), of_group=False)
    patch.setattr(stage_trace, "memory_room", lambda: room)
    patch.setattr(memory_retry, "visible_devices", lambda: [str(number) for number in range(len(gpus))])
    patch.setattr(memory_retry, "gpu_meter", lambda device: Meter(gpus[int(device)]))


def ran_on(limit: float, gpu: float | None) -> Environment:
    return Environment(
        versions={},
        commit=None,
        platform="",
        cpu="",
        cpu_threads=1,
        memory_gb=limit,
        gpu="a GPU" if gpu else None,
        gpu_memory_gb=gpu,
        driver=None,
    )


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    methods = {"full": METHODS["full"]}
    (run,) = write_comparison(tmp_path / "out", methods=methods, failed={"full": ON_GPU}, seeds=(0,)).runs
    return run


@pytest.mark.parametrize(
    ("error", "environment", "now", "said"),
    [
        (ON_GPU, None, {"limit": 64, "gpus": (84.9,)}, None),
        (ON_GPU, None, {"limit": 64, "gpus": (150.0,)}, "with 84.9 GB of GPU memory, and there is more now (150 GB)"),
        (ON_GPU, None, {"limit": 64, "gpus": (150.0, 84.9)}, None),  # it may go to the small one again
        (ON_GPU, None, {"limit": 64, "gpus": ()}, None),
        (KILLED, None, {"limit": 8}, None),
        (KILLED, None, {"limit": 16}, "with 8 GB of memory, and there is more now (16 GB)"),
        (UNKNOWN, ran_on(8, None), {"limit": 8}, None),
        (UNKNOWN, ran_on(8, None), {"limit": 9}, "with 8 GB of memory, and there is more now (9 GB)"),
        ("CUDA error: out of memory", ran_on(64, 24), {"limit": 64, "gpus": (24.2,)}, None),  # rounded otherwise
        ("CUDA error: out of memory", ran_on(64, 24), {"limit": 64, "gpus": (80.0,)}, "with 24 GB of GPU memory"),
        (UNKNOWN, None, {"limit": 8}, "it is not known with how much memory"),
    ],
)
def test_a_record_without_a_trace_says_by_itself_how_much_there_was(
    record: RunRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    environment: Environment | None,
    now: dict[str, Any],
    said: str | None,
) -> None:
    machine(monkeypatch, **now)
    found = why_try_again(record.model_copy(update={"error": error, "environment": environment}), tmp_path)
    assert found is None if said is None else str(found).startswith(said)


def test_the_trace_says_it_where_there_is_one(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an unknown amount is tried once, and not at every call."""
    unknown = record.model_copy(update={"error": UNKNOWN})
    machine(monkeypatch, limit=8)
    assert why_try_again(unknown, tmp_path)
    leave_trace(tmp_path)
    assert why_try_again(unknown, tmp_path) is None
    machine(monkeypatch, limit=8, gpus=(80.0,))
    assert why_try_again(unknown, tmp_path) is None, "the run needed no GPU"
    leave_trace(tmp_path, 80.0)
    machine(monkeypatch, limit=8, gpus=(141.0,))
    assert "with 80 GB of GPU memory" in str(why_try_again(unknown, tmp_path))


def test_a_trace_of_an_older_version_is_read(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "started.json").write_text(json.dumps({"boot": "x", "kills": 0, "limit_gb": 8.0, "gpu_gb": 24.0}))
    machine(monkeypatch, limit=8, gpus=(24.0,))
    assert why_try_again(record, tmp_path) is None
    machine(monkeypatch, limit=8, gpus=(80.0,))
    assert why_try_again(record, tmp_path) == "with 24 GB of GPU memory, and there is more now (80 GB)"

"""A stage on a machine that does not see the comparison's folder: what is sent back, and what is refused."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.core.version import VERSION
from showdown.runner.parcel import take_in
from showdown.runner.worker import remote
from showdown.runner.worker.remote import Finished, MachineStage, Parcels, Part, stage_on_machine

PLAN = b'{"settings": {}}'


class Planner:
    """Writes a memory plan beside the runs, and a file into the run's folder, as the stage `plan` does."""

    def begin(self, task: Any, events: Any, stage: MachineStage) -> "Future[object]":
        task.folder.mkdir(parents=True, exist_ok=True)
        (task.folder.parent.parent / "memory.json").write_bytes(PLAN)
        (task.folder / "said.txt").write_bytes(b"planned")
        done: Future[object] = Future()
        done.set_result(None)
        return done


def asked(folder: Path, version: str = VERSION) -> MachineStage:
    return MachineStage(
        stage="plan", run_id="full-s0", root=str(folder / "not here"), data="data/processed", sign="a", on_gpu=False,
        threads=1, sampling_seconds=0.0, version=version,
    )  # fmt: skip


def test_a_memory_plan_comes_back_beside_the_files_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_keeper", Planner())
    *parts, finished = stage_on_machine(asked(tmp_path), Parcels(data={}, run={"comparison.json": b"{}"}))
    assert finished == Finished(outcome=None, in_place=False, memory_plan=PLAN)
    files = {name: content for part in parts if isinstance(part, Part) for name, content in part.files.items()}
    take_in(files, tmp_path / "runs" / "full-s0")
    assert (tmp_path / "runs" / "full-s0" / "said.txt").read_bytes() == b"planned"


def test_a_machine_with_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"has showdown {VERSION}, and the comparison runs with 0.0.1; install"):
        next(stage_on_machine(asked(tmp_path, "0.0.1"), None))

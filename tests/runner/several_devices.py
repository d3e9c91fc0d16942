"""Runs that several processes of a CPU train together, through a real fork server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from showdown.core.events import Event
from showdown.core.files import write_json
from showdown.core.memory import MemorySettings
from showdown.core.spec import RunSpec
from showdown.runner.worker.results import stage_outcome
from showdown.runner.worker.server_process import ServerProcess
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError
from showdown.testing.workshop import Workshop, tuned


def settings(devices: int, *, divided: bool = False, recompute: bool = False) -> MemorySettings:
    return MemorySettings(micro_batch_rows=3, recompute=recompute, devices=devices, divided=divided)


class Lab:
    """Trains tiny networks in one server."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.server = shop, ServerProcess(None, {})

    def spec(self, method: str, family: str, memory: MemorySettings, **protocol: Any) -> RunSpec:
        """The spec of a run; 60 rows train, 12 in a step."""
        wanted = {"dropout": 0.0, "effective_batch_rows": 12, "epochs": 2, **protocol}
        base = self.shop.material.job(self.shop.model(family), **wanted)
        built = tuned(method)
        return RunSpec(
            name=method, method=method, settings=built.settings.model_dump(), model=base.model, protocol=base.protocol,
            seed=0, data_fingerprint="none", task=self.shop.material.task, memory=memory,
        )  # fmt: skip

    def stage(
        self, folder: Path, spec: RunSpec, stage: Any = "train", listen: Callable[[Event], None] = lambda event: None
    ) -> StageError | None:
        """Carry out a stage; what went wrong, if anything."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "spec.json", spec.model_dump(mode="json"))
        task = WorkerTask(stage=stage, folder=folder, data=self.shop.rows())
        return stage_outcome(self.server.run(task, listen), folder)


def losses(folder: Path) -> list[float]:
    """Of each step."""
    found: list[float] = json.loads((folder / "curve.json").read_text())["training"]["loss"]
    return found


def stage_of(folder: Path) -> dict[str, Any]:
    """What the training stage noted."""
    found: dict[str, Any] = json.loads((folder / "train.json").read_text())
    return found


def saved(folder: Path) -> dict[str, Any]:
    """The tensors of the saved model."""
    (file,) = (folder / "artifact").glob("*.safetensors")
    return load_file(file)

"""An executor for tests: it runs a stage when it is submitted, in the way that the test chooses."""

import io
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar, Self

import pytest

from showdown.core.events import Listener
from showdown.runner import execute
from showdown.runner.executor import Executor, Place, Resources, Stage
from showdown.runner.worker import entry
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError


def use(patch: pytest.MonkeyPatch, kind: Callable[[int, Listener], Executor]) -> None:
    """Have comparisons carried out by an executor of the test's own."""
    patch.setattr(execute, "open_executor", lambda name, setup: kind(setup.lock, setup.listen))


class ImmediateExecutor(ABC):
    """Has one slot, and no process of its own."""

    slots = 1
    place: ClassVar[Place] = Place(gpu=False)

    def __init__(self, lock: int, listen: Listener) -> None:
        del lock
        self.listen = listen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @abstractmethod
    def run(self, stage: Stage, folder: Path) -> StageError | None:
        """Run a stage and return its outcome."""

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        del resources
        future: Future[StageError | None] = Future()
        future.set_result(self.run(stage, run_folder))
        return future


class HereWorkers(ImmediateExecutor):
    """Runs stages in this process."""

    def run(self, stage: Stage, folder: Path) -> StageError | None:
        if entry.work(WorkerTask(stage=stage.name, folder=folder, data=stage.data), io.StringIO()):
            return StageError.model_validate_json((folder / "error.json").read_bytes())
        return None


def use_here(patch: pytest.MonkeyPatch) -> None:
    """Have comparisons carried out in this process."""
    use(patch, HereWorkers)
    patch.setattr(entry, "watch_over", lambda _: None)

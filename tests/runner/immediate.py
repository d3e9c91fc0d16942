"""An executor for tests: it runs a stage when it is submitted, in the way that the test chooses."""

from abc import ABC, abstractmethod
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from showdown.core.events import Listener
from showdown.runner.executor import Resources, Stage
from showdown.stages.results import StageError


class ImmediateExecutor(ABC):
    """Has one slot, and no process of its own."""

    slots = 1

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

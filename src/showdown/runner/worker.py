"""One stage of one run, inside a process of its own."""

import json
import os
import select
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from showdown.core.files import write_json
from showdown.core.spec import RunSpec
from showdown.runner.failures import stage_error

if TYPE_CHECKING:
    from showdown.runner.sharing import KeptBase

EXIT_STAGE_ERROR = 3
_PARENT_POLL_MILLISECONDS = 200


class Teller:
    """Tells the parent what happens, one JSON object a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.said: list[str] = []

    def worker(self, stage: str) -> None:
        """A process of its own begins a stage."""
        self._tell(kind="worker", stage=stage, pid=os.getpid())

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._tell(kind="phase", phase=name)

    def entered(self, name: str) -> None:
        """The clock charges a phase from now on; finer than `phase`, and met again and again."""
        self._tell(kind="entered", phase=name)

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        """One optimiser step is done."""
        self._tell(kind="step", step=step, steps=steps, epoch=epoch, loss=loss, seconds=seconds)

    def say(self, message: str) -> None:
        """Something happened that a reader of the result must know."""
        self.said.append(message)
        self._tell(kind="say", message=message)

    def _tell(self, **event: Any) -> None:
        self._stream.write(json.dumps(event) + "\n")
        self._stream.flush()


def work(stage: str, folder: Path, processed: Path, events: IO[str], kept: "KeptBase | None" = None) -> int:
    """Carry out a stage and return the exit code.

    Args:
        stage: `tune`, `train` or `score`.
        folder: the run's folder, with its `spec.json`.
        processed: folder of the processed rows.
        events: told what happens, one JSON object a line.
        kept: in a process that several runs share: where the pretrained network is found and left.

    """
    if kept is None or not kept.runs:
        watch_over(events)
    try:
        spec = RunSpec.model_validate_json((folder / "spec.json").read_bytes())
        teller = Teller(events)
        teller.worker(stage)
        _stage(stage)(spec, folder, processed, teller, *([kept] if kept else []))
    except BaseException as error:
        traceback.print_exc()
        write_json(folder / "error.json", stage_error(error).model_dump())
        return EXIT_STAGE_ERROR
    if kept:
        kept.tidy()
    return 0


def _stage(name: str) -> Callable[..., None]:
    from showdown.runner.score import score_run
    from showdown.runner.train import train_run
    from showdown.runner.tune import tune_run

    return {"tune": tune_run, "train": train_run, "score": score_run}[name]


def watch_over(events: IO[str]) -> None:
    """End this process when the server that forked it or the comparison that listens to it is gone.

    Else an orphan would write beside a second run, or keep the folder's lock until its stage is over.
    """
    parent = os.getppid()
    listener = select.poll()
    # A descriptor of its own: that the worker closes its stream is not the end of whoever reads it.
    listener.register(os.dup(events.fileno()), 0)  # errors alone: a pipe that nobody reads any more

    def watch() -> None:
        while os.getppid() == parent and not listener.poll(_PARENT_POLL_MILLISECONDS):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

"""One stage of one run, inside a process of its own."""

import os
import select
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from showdown.core.events import EventWriter
from showdown.core.files import write_json
from showdown.core.spec import RunSpec
from showdown.runner.worker.failures import stage_error

if TYPE_CHECKING:
    from showdown.stages.base_cache import BaseCache

EXIT_STAGE_ERROR = 3
_PARENT_POLL_MILLISECONDS = 200


def work(stage: str, folder: Path, processed: Path, events: IO[str], kept: "BaseCache | None" = None) -> int:
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
        writer = EventWriter(events)
        writer.worker(stage)
        _stage(stage)(spec, folder, processed, writer, *([kept] if kept else []))
    except BaseException as error:
        traceback.print_exc()
        write_json(folder / "error.json", stage_error(error).model_dump())
        return EXIT_STAGE_ERROR
    if kept:
        kept.tidy()
    return 0


def _stage(name: str) -> Callable[..., None]:
    from showdown.stages.score import score_run
    from showdown.stages.train import train_run
    from showdown.stages.tune import tune_run

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

"""One stage of one run, inside a process of its own."""

import os
import select
import traceback
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from showdown.core.events import EventWriter, StageName
from showdown.core.files import hold, write_json
from showdown.core.spec import RunSpec
from showdown.runner.worker.failures import stage_error
from showdown.runner.worker.orphan import end_without
from showdown.runner.worker.ranks import EXIT_STAGE_ERROR, together
from showdown.runner.worker.results import ERROR_FILE
from showdown.runner.worker.task import WorkerTask

if TYPE_CHECKING:
    from showdown.stages.base_cache import BaseCache

LOCK_FILE = ".lock"
"""In a run's folder."""
_PARENT_POLL_MILLISECONDS = 200


def work(task: WorkerTask, events: IO[str], kept: "BaseCache | None" = None) -> int:
    """Carry out a stage and return the exit code.

    Args:
        task: the stage.
        events: gets a line for each event.
        kept: in a process that several runs share: where the pretrained network is found and left.

    """
    if kept is None or not kept.stages:
        watch_over(events)
    try:
        spec = RunSpec.model_validate_json((task.folder / "spec.json").read_bytes())
        if task.alone and _done_by_another(task):
            return 0
        writer = EventWriter(events, task.folder.name)
        writer.worker(task.stage, task.device)
        stage = _stage(task.stage)
        with together(task, spec, lambda events: stage(spec, task.folder, task.data, events)):
            stage(spec, task.folder, task.data, writer, *([kept] if kept else []))
    except BaseException as error:
        traceback.print_exc()
        if not (
            task.folder / ERROR_FILE
        ).exists():  # the server removes an old one; a device that failed wrote this one
            write_json(task.folder / ERROR_FILE, stage_error(error).model_dump())
        return EXIT_STAGE_ERROR
    if kept:
        kept.tidy()
    return 0


def _done_by_another(task: WorkerTask) -> bool:
    """Wait for the process that works in the run's folder, if there is one, and tell whether it has done the stage.

    The lock is held until this process ends.
    """
    from showdown.runner.resume import is_whole

    hold(task.folder / LOCK_FILE)
    return is_whole(task.folder, task.stage)


def _stage(name: StageName) -> Callable[..., None]:
    from showdown.stages.memory_plan import plan_run
    from showdown.stages.score import score_run
    from showdown.stages.train import train_run
    from showdown.stages.tune import tune_run

    stages: dict[StageName, Callable[..., None]] = {
        "plan": plan_run,
        "tune": tune_run,
        "train": train_run,
        "score": score_run,
    }
    return stages[name]


def watch_over(events: IO[str]) -> None:
    """End this process when the server that forked it or the comparison that follows it is gone.

    Otherwise an orphan would write beside a second call, or keep the folder's lock until its stage is over.
    """
    listener = select.poll()
    # A descriptor of its own: the worker may close its stream while the comparison still reads.
    listener.register(os.dup(events.fileno()), 0)  # errors alone: a pipe that nobody reads any more
    end_without(os.getppid(), lambda: listener.poll(_PARENT_POLL_MILLISECONDS))

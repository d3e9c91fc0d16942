"""A process that has imported everything once, and carries out comparisons in forks that may kill themselves.

Reads one JSON request a line and answers with one line. In a fork the two stages of a run are forks again, as they are
processes of their own in a real comparison; the rest is the real thing.
"""

import importlib
import json
import mmap
import os
import random
import resource
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from immediate import ImmediateExecutor

import showdown.evaluation.speed
import showdown.measure.environment
import showdown.runner.execute
import showdown.stages.score
import showdown.stages.train
from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.events import Event, Message, decode
from showdown.display.display import PlannedRun, Silent
from showdown.runner.execute import execute
from showdown.runner.executor import Stage
from showdown.runner.worker import entry
from showdown.runner.worker.results import stage_outcome
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError

COUNTER = mmap.mmap(-1, 16)  # shared with all forks: all calls, and those for one file
WRITING = ("replace", "rename", "fsync")
"""Functions of `os` that make a file last; pathlib's are built on them."""


class Noting(Silent):
    """Remembers what was said and which runs were started."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.started: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def start(self, run: PlannedRun) -> None:
        self.started.append(run.name)

    def event(self, event: Event) -> None:
        if isinstance(event, Message):
            self.said.append(event.text)


def counted() -> int:
    return int.from_bytes(COUNTER[:8], "little")


def reset_count() -> None:
    COUNTER[:] = bytes(16)


def count_writes(kill_at: int | None, before: tuple[str, int] | None = None) -> None:
    """Count every call that makes a written file last, and kill this whole group just before one of them.

    Args:
        kill_at: number of the call.
        before: the name of a file and which time it is put in its place.

    """

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if isinstance(given[0], int) and stat.S_ISDIR(os.fstat(given[0]).st_mode):
                return function(*given, **named)  # a folder's own fsync: nothing changed since the point before
            COUNTER[:8] = (counted() + 1).to_bytes(8, "little")
            if counted() == kill_at or (before and is_that_time(given, before)):
                os.killpg(0, signal.SIGKILL)
            return function(*given, **named)

        return call

    for name in WRITING:
        setattr(os, name, counting(getattr(os, name)))


def is_that_time(given: tuple[Any, ...], before: tuple[str, int]) -> bool:
    """Count the calls that put a file of a name in its place, and tell whether this is the one."""
    name, time_ = before
    if len(given) < 2 or Path(given[1]).name != name:
        return False
    COUNTER[8:] = (int.from_bytes(COUNTER[8:], "little") + 1).to_bytes(8, "little")
    return int.from_bytes(COUNTER[8:], "little") == time_


class ForkedWorkers(ImmediateExecutor):
    """Stands in for the server that forks a worker for every stage: this process is that server."""

    def run(self, stage: Stage, folder: Path) -> StageError | None:
        (folder / "error.json").unlink(missing_ok=True)
        told = folder / "events.jsonl"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with (folder / "log.txt").open("ab") as log:
                    os.dup2(log.fileno(), 2)
                task = WorkerTask(stage=stage.name, folder=folder, data=stage.data)
                code = entry.work(task, told.open("w", encoding="utf-8"))
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        for line in told.read_text(encoding="utf-8").splitlines():
            self.listen(decode(line))
        return stage_outcome(os.waitstatus_to_exitcode(status), folder)


def let_the_clock_jump() -> None:
    """Let the wall clock show another hour at each look, up to a day too early or too late; its forks inherit it."""
    draw, true = random.Random(0), time.time
    time.time = lambda: true() + draw.uniform(-86_400, 86_400)  # type: ignore[assignment]
    time.time_ns = lambda: int(1e9 * time.time())  # type: ignore[assignment]


def carry_out(request: dict[str, Any]) -> dict[str, Any]:
    """Run a comparison in a fork.

    ``kill_at`` kills it at a point where it writes, ``kill_before`` before a named file is there for the n-th time,
    ``kill_after_seconds`` at a moment. ``largest_file`` bounds what it
    can write (bytes). With ``clock_jumps`` the time of day is another at each look.
    """
    answer = Path(request["output"] + ".answer")
    answer.unlink(missing_ok=True)
    reset_count()
    child = os.fork()
    if child == 0:
        os.setsid()
        display, message = Noting(), None
        before = request.get("kill_before")
        count_writes(request.get("kill_at"), None if before is None else (before[0], before[1]))
        if request.get("clock_jumps"):
            let_the_clock_jump()
        if "largest_file" in request:
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], resource.RLIM_INFINITY))
        try:
            execute(check(request["comparison"], "the test"), Path(request["output"]), display)
        except UserError as error:
            message = str(error)
        except BaseException as error:
            traceback.print_exc()
            message = f"UNCAUGHT {error!r}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        answer.write_text(json.dumps({"said": display.said, "started": display.started, "message": message}))
        os._exit(0)
    status = waited(child, request.get("kill_after_seconds"))
    told = json.loads(answer.read_text()) if answer.exists() else {}
    return {"killed": os.WIFSIGNALED(status), "points": counted(), **told}


def waited(child: int, kill_after_seconds: float | None) -> int:
    """Wait for a fork, which is killed with its own forks where it takes longer; return its status."""
    late = None if kill_after_seconds is None else time.monotonic() + kill_after_seconds
    while late is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() >= late:
            os.killpg(child, signal.SIGKILL)
            break
        time.sleep(0.0005)
    return os.waitpid(child, 0)[1]


AHEAD = (
    "peft",
    "peft.tuners.lora",
    "skops.io",
    "sklearn.feature_extraction.text",
    "sklearn.pipeline",
    "sklearn.svm",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
)
OF_WRITING = (
    "sacrebleu.metrics.chrf",
    "transformers.models.llama.modeling_llama",
    "showdown.tasks.generation.prompted",
)


def main() -> None:
    for name in AHEAD + (OF_WRITING if "generation" in sys.argv else ()):
        importlib.import_module(name)
    # What costs time and touches no file: git's word on the commit, repeated timing.
    showdown.measure.environment.commit = lambda: None
    showdown.evaluation.speed._SINGLE_CALLS = 1
    showdown.evaluation.speed._BATCHES = ()
    showdown.runner.execute.open_executor = lambda name, setup: ForkedWorkers(setup.lock, setup.listen)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(carry_out(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""Processes that carry out one stage together, one for each device (`engine/parallel`).

The worker of the stage leads. It forks the others before it touches a device. Each sees one device alone. A process
that fails takes all others along: they would wait for it for ever inside a pass.
"""

import contextlib
import io
import os
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from showdown.core.events import EventWriter
from showdown.core.files import write_json
from showdown.core.spec import RunSpec
from showdown.runner.worker.failures import stage_error
from showdown.runner.worker.orphan import end_without
from showdown.runner.worker.results import ERROR_FILE, LOG_FILE
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError

EXIT_STAGE_ERROR = 3
TOGETHER = ("tune", "train")
"""Stages that all devices of a run carry out."""
_BLAME_SECONDS = 5.0
"""How long the leader waits, after an error of its own, for the process that caused it to say why."""
_LOOK_SECONDS = 0.2
"""Between two looks whether the leader is there."""
_LIBRARIES = ("gloo", "NCCL", "Connection")
"""Words of an error that one process gets when another one is gone."""
_LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"}
"""All processes are of this machine."""
Work = Callable[[EventWriter], None]


@contextmanager
def together(task: WorkerTask, spec: RunSpec, work: Work) -> Iterator[None]:
    """Have the other processes of a stage do it too, and make this one their leader while the context is open.

    Args:
        task: the stage.
        spec: the run; its memory settings say how many devices train it.
        work: the stage as the others carry it out; what they report goes nowhere.

    """
    size = spec.memory.devices if spec.memory and task.stage in TOGETHER else 1
    if size == 1:
        yield
        return
    from showdown.engine.parallel.group import join, leave

    os.environ.update({name: os.environ.get(name, value) for name, value in _LOOPBACK.items()})
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    on_gpu = len(devices) >= size
    with tempfile.TemporaryDirectory(prefix="showdown-ranks-") as folder:
        meeting = Path(folder) / "meeting"

        def begin(rank: int) -> None:
            if on_gpu:
                os.environ["CUDA_VISIBLE_DEVICES"] = devices[rank]
            join(rank, size, meeting, device="cuda" if on_gpu else "cpu")

        others = _Others([_fork(rank, task, begin, work) for rank in range(1, size)], task.folder / ERROR_FILE)
        try:
            begin(0)
            yield
            others.finish()
        except BaseException:
            others.blame()
            raise
        finally:
            others.end()
            with contextlib.suppress(Exception):
                leave()
            if on_gpu:
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(devices)


class _Nowhere(io.StringIO):
    """Keeps nothing."""

    def write(self, text: str) -> int:
        """Forget a text."""
        return len(text)


class _Others:
    """The processes beside the leader, watched by a thread."""

    def __init__(self, pids: list[int], error_file: Path) -> None:
        self._left, self._error_file = set(pids), error_file
        self._ending = False
        self._threads = [threading.Thread(target=self._watch, args=(pid,), daemon=True) for pid in pids]
        for thread in self._threads:
            thread.start()

    def _watch(self, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        self._left.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if code and not self._ending:
            if not self._error_file.exists():
                how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
                error = (
                    f"a process that trained it with others was ended {how}; see {self._error_file.parent / LOG_FILE}"
                )
                write_json(self._error_file, StageError(status="failed", error=error).model_dump())
            os._exit(EXIT_STAGE_ERROR)  # the leader may be inside a pass that never returns; the others see it go

    def finish(self) -> None:
        """Wait for all to end by themselves."""
        for thread in self._threads:
            thread.join()

    def blame(self) -> None:
        """Give a process whose failure the leader's error may follow from the time to write its own."""
        until = time.monotonic() + _BLAME_SECONDS
        while len(self._left) == len(self._threads) and time.monotonic() < until:
            time.sleep(0.05)

    def end(self) -> None:
        """End those that are left."""
        self._ending = True
        for pid in list(self._left):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.finish()


def _fork(rank: int, task: WorkerTask, begin: Callable[[int], None], work: Work) -> int:
    """Fork a process of the group, and return its id; the process ends with its stage, or with the leader."""
    leader = os.getpid()
    child = os.fork()
    if child:
        return child
    code = EXIT_STAGE_ERROR
    try:
        end_without(leader, lambda: time.sleep(_LOOK_SECONDS))
        begin(rank)
        work(EventWriter(_Nowhere(), task.folder.name))
        code = 0
    except BaseException as error:
        traceback.print_exc()
        if _is_lost_connection(error):  # another process is gone: the leader says which, and ends this one
            time.sleep(_BLAME_SECONDS)
        if not (task.folder / ERROR_FILE).exists():
            write_json(task.folder / ERROR_FILE, stage_error(error).model_dump())
    finally:
        os._exit(code)


def _is_lost_connection(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _LIBRARIES)

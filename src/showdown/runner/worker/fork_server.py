"""A process that has imported the libraries once and forks a fresh worker for every stage.

Importing torch, transformers, peft and scikit-learn takes ten seconds, and a run has two or three stages. The server
itself touches no tensor and starts no thread, so that a fork is as good as a new process and every run starts from the
same memory. CUDA must not be started before a fork. Libraries that ask for the GPU's compute capability when they are
imported get it from the driver; should an import start CUDA all the same, the server starts again without that library.

Runs that share a pretrained network are trained and scored one after the other in one worker, which keeps it
(`SharedWorker`). That worker ends before anything else starts.

Requests come as JSON lines on standard input. Workers write their events to the server's standard output, and the
server ends each stage with a `WorkerExited`.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from showdown.core.events import WorkerExited, encode
from showdown.core.files import open_to_append
from showdown.measure.limits import raise_chance_to_be_killed
from showdown.measure.system import device_handle, has_gpu
from showdown.runner.worker.task import WorkerTask, read_task

_AHEAD = (
    "torch",
    "transformers",
    "sklearn.metrics",
    "sklearn.pipeline",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "sklearn.svm",
    "peft",
)
_AHEAD_ON_A_GPU = ("bitsandbytes", "liger_kernel.transformers")
_SIGNAL_AT_PARENTS_DEATH = 1
"""PR_SET_PDEATHSIG of <sys/prctl.h>."""
_NOT_AHEAD = "SHOWDOWN_NOT_AHEAD"
"""Environment variable: the libraries that each worker imports itself, separated by commas, or `all`."""


@contextlib.contextmanager
def gpu_kind_from_driver() -> Iterator[None]:
    """Have torch report the GPU's compute capability as the driver says it, since torch's own call starts CUDA.

    bitsandbytes 0.50 and Liger 0.8.5 call it while they are imported. Nothing changes where the driver does not answer.
    """
    import pynvml
    import torch

    try:
        handle = device_handle()
        known = None if handle is None else tuple(pynvml.nvmlDeviceGetCudaComputeCapability(handle))
    except pynvml.NVMLError:
        known = None
    if known is None:
        yield
        return
    original = torch.cuda.get_device_capability
    torch.cuda.get_device_capability = lambda *_: known
    try:
        yield
    finally:
        torch.cuda.get_device_capability = original


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Have `torch.compile` return functions as they are, while libraries are imported.

    bitsandbytes 0.50 compiles the spare versions of its operations when it is imported. Nothing here calls them, and
    the compiler's own import takes 0.6 of the 6.1 processor seconds of all imports (AMD EPYC).
    """
    import torch

    original = torch.compile
    torch.compile = lambda function=None, **_: function if function else lambda wrapped: wrapped  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = original


def end_with(comparison: int) -> None:
    """Let the kernel kill this process when the comparison that started it is gone, also while libraries are imported.

    A server reads no input until the imports are over, which can take a minute on a cold disk, and no thread runs while
    a library in C is loaded. Systems other than Linux cannot do this; there the end of the input ends the server.

    Args:
        comparison: process id of the parent.

    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    if os.getppid() != comparison:  # it was gone before the call above
        os._exit(1)


def serve() -> None:
    """Fork a worker for each request until standard input ends."""
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # lets libraries ask for a GPU without initialising CUDA
    _import_ahead(os.environ.get(_NOT_AHEAD, ""))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    shared_worker: SharedWorker | None = None
    while request := sys.stdin.readline():
        task = read_task(request)
        if shared_worker and shared_worker.base != task.base:
            shared_worker.end()
            shared_worker = None
        if task.base is None:
            code = _in_own_process(task)
        else:
            shared_worker = shared_worker or SharedWorker(task.base)
            code = shared_worker.carry_out(task)
            shared_worker = None if code else shared_worker
        # The first end of line closes an event that the worker was killed in.
        os.write(1, f"\n{encode(WorkerExited(task.folder.name, code))}\n".encode())


def _in_own_process(task: WorkerTask) -> int:
    child = os.fork()
    if child == 0:
        _become_worker(task)
    return _exit_code(child)


def _exit_code(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


class SharedWorker:
    """A worker that does stage after stage and keeps the pretrained network that they share; it ends when one fails."""

    def __init__(self, base: str) -> None:
        """Fork it.

        Args:
            base: names the network.

        """
        self.base = base
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._requests)
            os.close(self._answers)
            _become_shared_worker(requests, answers)
        os.close(requests)
        os.close(answers)

    def carry_out(self, task: WorkerTask) -> int:
        """Do one stage and return 0, or the exit code of the worker, which has then ended."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._requests, task.line())
        return 0 if os.read(self._answers, 1) else self.end()

    def end(self) -> int:
        """Let it end, and return its exit code."""
        os.close(self._requests)
        os.close(self._answers)
        return _exit_code(self._child)


def _import_ahead(left_out: str) -> None:
    """Import what workers need, and start again without a library whose import started CUDA."""
    with uncompiled(), gpu_kind_from_driver() if has_gpu() else contextlib.nullcontext():
        for name in (*_AHEAD, *(_AHEAD_ON_A_GPU if has_gpu() else ())):
            if left_out == "all" or name in left_out.split(",") or not importlib.util.find_spec(name.partition(".")[0]):
                continue
            importlib.import_module(name)
            if has_gpu() and importlib.import_module("torch").cuda.is_initialized():
                _start_again(f"{left_out},{name}")


def _start_again(left_out: str) -> NoReturn:
    os.execve(  # noqa: S606 - this very program again
        sys.executable,
        [sys.executable, "-P", "-m", "showdown.runner.worker.fork_server", *sys.argv[1:]],
        {**os.environ, _NOT_AHEAD: left_out},
    )


def _become_worker(task: WorkerTask) -> None:
    from showdown.runner.worker.entry import work

    code = 1
    raise_chance_to_be_killed()
    try:
        events = os.fdopen(os.dup(1), "w", encoding="utf-8")
        with _logged(task.folder):
            code = work(task, events)
    finally:
        os._exit(code)  # the server's own clean-up is not the worker's


def _become_shared_worker(requests: int, answers: int) -> None:
    from showdown.runner.worker.entry import work
    from showdown.stages.base_cache import BaseCache

    code = 1
    raise_chance_to_be_killed()
    try:
        events, kept = os.fdopen(os.dup(1), "w", encoding="utf-8"), BaseCache()
        with os.fdopen(requests, encoding="utf-8") as lines:
            for line in lines:
                task = read_task(line)
                with _logged(task.folder):
                    code = work(task, events, kept)
                if code:
                    break
                os.write(answers, b"1")
    finally:
        os._exit(code)


@contextlib.contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Send what libraries print into the run's own log."""
    with os.fdopen(open_to_append(folder / "log.txt"), "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    yield
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    serve()

"""A process that has imported the libraries once and forks a fresh worker for every stage.

Importing torch, transformers, peft and scikit-learn takes ten seconds; a comparison has two stages a run. The server
itself touches no tensor and starts no thread, so that each fork is as good as a new process, and every run of a
comparison starts from the same memory. CUDA must not be touched before a fork: should an import start it, the server
begins again and imports nothing ahead.

Requests come as JSON lines on standard input; workers tell their events on the server's standard output, and the
server ends each with `{"kind": "exit", "code": ...}`.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

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
_NOTHING_AHEAD = "SHOWDOWN_NOTHING_AHEAD"
_GPU_SIGNS = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia"))


def gpu_is_here() -> bool:
    """Tell whether this machine has an NVIDIA GPU, without touching it."""
    return any(sign.exists() for sign in _GPU_SIGNS)


def serve() -> None:
    """Fork a worker for each request until standard input ends."""
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # lets libraries ask for a GPU without initialising CUDA
    if _NOTHING_AHEAD not in os.environ:
        _import_ahead()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while request := sys.stdin.readline():
        stage, folder, processed = json.loads(request)
        child = os.fork()
        if child == 0:
            _become_worker(stage, Path(folder), Path(processed))
        _, status = os.waitpid(child, 0)
        os.write(1, json.dumps({"kind": "exit", "code": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


def _import_ahead() -> None:
    for name in (*_AHEAD, *(_AHEAD_ON_A_GPU if gpu_is_here() else ())):
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    if gpu_is_here() and importlib.import_module("torch").cuda.is_initialized():
        os.execve(  # noqa: S606 - this very program again
            sys.executable,
            [sys.executable, "-P", "-m", "showdown.runner.forkserver"],
            {**os.environ, _NOTHING_AHEAD: "1"},
        )


def _become_worker(stage: str, folder: Path, processed: Path) -> None:
    from showdown.runner.worker import work

    code = 1
    try:
        with (folder / "log.txt").open("ab") as log:
            events = os.fdopen(os.dup(1), "w", encoding="utf-8")
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        code = work(stage, folder, processed, events)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)  # the server's own clean-up is not the worker's


if __name__ == "__main__":
    serve()

"""One process for each case of a benchmark, so that no case finds the memory or the libraries of another changed."""

import importlib
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.lib.result import place_of
from showdown.runner.worker.fork_server import gpu_kind_from_driver

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # looking for a GPU must not start CUDA before the fork

Measure = Callable[..., dict[str, Any]]
_POLL_SECONDS = 0.02


def in_a_process(
    measure: Measure, arguments: tuple[Any, ...], *, device: str, start: str, seconds: float | None = None
) -> dict[str, Any]:
    """Call `measure` in a new process; return what it gives, `place`, and `process_seconds`.

    Args:
        measure: a function of a module, which gives what JSON can hold.
        arguments: those of `measure`.
        device: `cpu` or `cuda`, where it measures.
        start: `fork` or `spawn`.
        seconds: after so many the process is ended; by default never.

    Returns:
        Instead of the result `error` and what went wrong, where it failed.

    """
    process = _Process(measure, arguments, device=device, start=start, seconds=seconds)
    while (found := process.found()) is None:
        time.sleep(_POLL_SECONDS)
    return found


def on_each_gpu(
    measure: Measure,
    jobs: Iterable[tuple[Any, ...]],
    gpus: Sequence[str],
    *,
    device: str,
    start: str,
    seconds: float | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Call `measure` in a new process for each job, one at a time on each GPU; yield what each gives once it is over.

    Args:
        measure: as in `in_a_process`.
        jobs: the arguments of each call; the next is taken when a GPU is free.
        gpus: as in CUDA_VISIBLE_DEVICES. This process must not have started CUDA.
        device: as in `in_a_process`. So for the next two.
        start: see there.
        seconds: see there.

    Yields:
        The number of a job, from 0, and what it gave.

    """
    left, running = enumerate(jobs), dict[str, tuple[int, _Process]]()
    while True:
        for gpu in gpus:
            if gpu not in running and (job := next(left, None)) is not None:
                process = _Process(measure, job[1], device=device, start=start, seconds=seconds, gpu=gpu)
                running[gpu] = job[0], process
        if not running:
            return
        time.sleep(_POLL_SECONDS)
        for gpu, (number, process) in list(running.items()):
            if (found := process.found()) is not None:
                del running[gpu]
                yield number, found


class _Process:
    """A call in a process of its own."""

    def __init__(
        self,
        measure: Measure,
        arguments: tuple[Any, ...],
        *,
        device: str,
        start: str,
        seconds: float | None,
        gpu: str | None = None,
    ) -> None:
        context: Any = multiprocessing.get_context(start)
        self._folder = tempfile.TemporaryDirectory()
        self._target = Path(self._folder.name) / "found.json"
        self._seconds, self._until = seconds, math.inf if seconds is None else time.monotonic() + seconds
        self._process = context.Process(target=_child, args=(measure, arguments, device, str(self._target), gpu))
        self._process.start()

    def found(self) -> dict[str, Any] | None:
        """Return what it gave, or why it gave nothing; None while it goes on."""
        late = time.monotonic() > self._until
        if self._process.is_alive() and not late:
            return None
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        with self._folder:
            if self._target.exists():
                found: dict[str, Any] = json.loads(self._target.read_text())
                return found
        return {
            "error": f"ended after {self._seconds:g} s"
            if late
            else f"the process ended with code {self._process.exitcode}"
        }


def _child(measure: Measure, arguments: tuple[Any, ...], device: str, target: str, gpu: str | None) -> None:
    began = time.perf_counter()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    try:
        found = measure(*arguments)
        found |= {"place": place_of(device).model_dump()}
    except BaseException as error:
        traceback.print_exc()
        found = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    found["process_seconds"] = time.perf_counter() - began
    Path(target).write_text(json.dumps(found))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads and processes that a library left behind end with this one


def way_to_start(device: str, modules: Sequence[str]) -> str:
    """Import what every case needs; return `fork`, or `spawn` where an import started CUDA, which forbids forks.

    Args:
        device: `cpu`, or `cuda` to import Liger's kernels too.
        modules: names of what to import.

    """
    with gpu_kind_from_driver() if device == "cuda" else nullcontext():
        for name in [*modules, *(["liger_kernel.transformers"] if device == "cuda" else [])]:
            importlib.import_module(name)
    process = multiprocessing.get_context("fork").Process(target=_touch, args=(device,))
    process.start()
    process.join()
    start = "fork" if process.exitcode == 0 else "spawn"
    print(f"cases start by {start}", flush=True)
    return start


def _touch(device: str) -> None:
    import torch

    torch.zeros(1, device=device)

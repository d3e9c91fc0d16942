"""One process for each case of a benchmark, so that no case finds the memory or the libraries of another changed."""

import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.lib.result import place_of
from showdown.runner.worker.fork_server import gpu_kind_from_driver

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # looking for a GPU must not start CUDA before the fork

Measure = Callable[..., dict[str, Any]]


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
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "found.json"
        context: Any = multiprocessing.get_context(start)
        process = context.Process(target=_child, args=(measure, arguments, device, str(target)))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
            return {"error": f"ended after {seconds:g} s"}
        if not target.exists():
            return {"error": f"the process ended with code {process.exitcode}"}
        found: dict[str, Any] = json.loads(target.read_text())
        return found


def _child(measure: Measure, arguments: tuple[Any, ...], device: str, target: str) -> None:
    began = time.perf_counter()
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

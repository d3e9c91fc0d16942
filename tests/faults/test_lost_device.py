"""A GPU that fails: one row says what the error means, and the next runs begin in a new process."""

import os
from pathlib import Path

import pytest
import torch

from faults.stub_server import run_folder, stubbed
from showdown.core.errors import Unavailable, UserError
from showdown.runner.executor import Resources, Stage
from showdown.runner.worker.failures import stage_error

MORE = "\nCUDA kernel errors might be asynchronously reported at some other API call.\nFor debugging consider ..."
ENDS = {
    "CUDA error: device-side assert triggered": "an index outside its table",
    "CUDA error: unspecified launch failure": "a kernel crashed, or the GPU was lost while it ran",
    "CUDA error: an illegal memory access was encountered": "memory that is not its own",
    "CUDA error: uncorrectable ECC error encountered": "its memory is damaged",
    "CUDA error: no CUDA-capable device is detected": "it is not there any more",
    "CUDA error: CUDA-capable device(s) is/are busy or unavailable": "it is taken by another process, or lost",
    "CUDA error: unknown error": "see the run's log.txt",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(handle)`": "see the run's log.txt",
}


@pytest.mark.parametrize("words", ENDS)
def test_what_the_gpu_says_is_one_line_with_its_meaning(words: str) -> None:
    found = stage_error(RuntimeError(words + MORE))
    assert found.status == "failed"
    assert found.error.startswith("the GPU failed: ")
    assert ENDS[words] in found.error
    assert words in found.error
    assert "\n" not in found.error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory" + MORE),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("Error out of memory at line 380 in file /src/csrc/pythonInterface.cpp"),
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_a_lack_of_memory_is_one_however_it_is_said(error: Exception) -> None:
    wrapped = ValueError("the model cannot be read")
    wrapped.__cause__ = error
    for found in (stage_error(error), stage_error(wrapped)):
        assert found.status == "out-of-memory"
        assert "\n" not in found.error


def test_other_errors_keep_their_status() -> None:
    assert stage_error(Unavailable("no GPU")).status == "unavailable"
    assert stage_error(FloatingPointError("the loss is nan")).status == "diverged"
    assert stage_error(UserError("Disk full")).error == "Disk full"
    assert stage_error(KeyError("x")).error == "KeyError: 'x'"


STAGE = """
import os
(folder / "pid").write_text(str(os.getpid()))
if folder.name == "lost":
    raise RuntimeError("CUDA error: device-side assert triggered")
"""


@pytest.mark.parametrize("base", [None, "the shared network"])
def test_the_next_run_begins_in_a_new_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str | None
) -> None:
    """Also where runs share a process: what a failed GPU leaves in it serves nobody."""
    first, lost, last = (run_folder(tmp_path, name) for name in ("first", "lost", "last"))
    stage, needed = Stage(name="train", data=tmp_path), Resources(device="cpu", base=base)
    with stubbed(tmp_path, STAGE, monkeypatch) as executor:
        ends = [executor.submit(stage, folder, needed).result(60) for folder in (first, lost, last)]
    pids = [int((folder / "pid").read_text()) for folder in (first, lost, last)]
    assert [end and end.status for end in ends] == [None, "failed", None]
    assert ends[1] is not None
    assert "an index outside its table" in ends[1].error
    assert (pids[0] == pids[1]) == (base is not None)
    assert pids[2] not in (*pids[:2], os.getpid())

"""The server's imports must not start CUDA, whatever libraries ask, and must not outlive who waits for them."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from showdown.runner.store import Store
from showdown.runner.worker import fork_server
from showdown.runner.worker.fork_server import gpu_kind_from_driver, uncompiled


class DriverError(Exception):
    """NVML's."""


def driver(*, answers: bool) -> SimpleNamespace:
    def start() -> None:
        if not answers:
            raise DriverError

    return SimpleNamespace(
        nvmlInit=start,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetCudaComputeCapability=lambda handle: [9, 0],
        NVMLError=DriverError,
    )


def test_the_driver_says_the_kind_of_gpu_while_libraries_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    own = torch.cuda.get_device_capability
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver(answers=True))
    with pytest.raises(ImportError), gpu_kind_from_driver():
        assert torch.cuda.get_device_capability() == torch.cuda.get_device_capability("cuda") == (9, 0)
        raise ImportError
    assert torch.cuda.get_device_capability is own


def test_without_an_answer_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = torch.cuda.get_device_capability
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver(answers=False))
    with gpu_kind_from_driver():
        assert torch.cuda.get_device_capability is own


def test_nothing_is_compiled_while_libraries_are_imported() -> None:
    own = torch.compile
    with pytest.raises(ImportError), uncompiled():
        assert torch.compile(abs) is abs
        assert torch.compile(dynamic=False)(abs) is abs
        raise ImportError
    assert torch.compile is own


@pytest.mark.parametrize("starters", [("second",), ("first", "third")])
def test_a_library_that_starts_cuda_is_left_to_the_workers_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starters: tuple[str, ...]
) -> None:
    names = ("first", "second", "third")
    for name in names:
        (tmp_path / f"{name}_library.py").write_text(f"import torch; torch.cuda.started |= {name in starters}")
    monkeypatch.syspath_prepend(str(tmp_path))
    cuda: SimpleNamespace = SimpleNamespace(started=False, is_initialized=lambda: cuda.started)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, compile=None))
    monkeypatch.setattr(fork_server, "_AHEAD", tuple(f"{name}_library" for name in names))
    monkeypatch.setattr(fork_server, "_AHEAD_ON_A_GPU", ())
    monkeypatch.setattr(fork_server, "has_gpu", lambda: True)
    monkeypatch.setattr(fork_server, "gpu_kind_from_driver", contextlib.nullcontext)
    began_again: list[str] = []

    def execute(program: str, words: list[str], environment: dict[str, str]) -> None:
        began_again.append(environment["SHOWDOWN_NOT_AHEAD"])
        raise InterruptedError

    monkeypatch.setattr(os, "execve", execute)
    left_out = ""
    while True:
        for name in names:  # a new process has imported nothing
            monkeypatch.delitem(sys.modules, f"{name}_library", raising=False)
        cuda.started = False
        try:
            fork_server._import_ahead(left_out)
        except InterruptedError:
            left_out = began_again[-1]
        else:
            break
    assert len(began_again) == len(starters)
    for name in names:
        assert (f"{name}_library" in sys.modules) == (name not in starters)


COMPARISON = """
import sys, time
from pathlib import Path
from showdown.runner.store import Store
from showdown.runner.worker.server_process import ServerProcess
root = Path(sys.argv[1])
with Store(root).lock() as lock:
    ServerProcess(lock, {}).start(root)
    print("started", flush=True)
    time.sleep(120)
"""
SLOW_LIBRARY = """
import ctypes, pathlib
pathlib.Path(__file__).with_name("begun").touch()
ctypes.PyDLL(None).sleep(120)  # in C and with the interpreter's lock, as a large library is loaded from a cold disk
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise to end a child with its parent is Linux's")
@pytest.mark.parametrize("moment", ["at once", "while a library is loaded"])
def test_a_comparison_killed_during_the_imports_frees_its_folder(tmp_path: Path, moment: str) -> None:
    stubs = tmp_path / "stubs" / "torch"
    stubs.mkdir(parents=True)
    (stubs / "__init__.py").write_text(SLOW_LIBRARY)
    paths = [str(stubs.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    comparison = subprocess.Popen(
        [sys.executable, "-c", COMPARISON, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert comparison.stdout is not None
    assert comparison.stdout.readline() == b"started\n"
    if moment == "while a library is loaded":
        deadline = time.monotonic() + 60
        while not (stubs / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    comparison.kill()
    comparison.wait()
    comparison.stdout.close()
    with Store(tmp_path / "out").lock():  # refused with "in use by PID" where the server lives on
        pass

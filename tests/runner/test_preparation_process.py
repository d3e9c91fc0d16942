"""Work in a process of its own: its results and refusals arrive, and it ends with who asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from showdown.core.errors import UserError
from showdown.core.strict import Strict
from showdown.runner import preparation_process
from showdown.runner.preparation_process import PreparationProcess

FORKS = sys.platform == "linux"


class Found(Strict):
    """A result."""

    pid: int
    said: str = "é\n\u2028"


def steps() -> Generator[Strict]:
    yield Found(pid=os.getpid())
    yield Found(pid=os.getpid())
    raise UserError("rows.csv has 0 data rows")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported torch."""
    if not FORKS:
        pytest.skip("only Linux forks here")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(preparation_process.threading, "active_count", lambda: 1)


def test_steps_are_done_in_one_other_process(small: None) -> None:
    with PreparationProcess(steps()) as work:
        first, second = work.result(Found), work.result(Found)
        assert first == second
        assert first.pid != os.getpid()
        with pytest.raises(UserError, match="0 data rows"):
            work.result(Found)
    with pytest.raises(ChildProcessError):
        os.waitpid(first.pid, 0)  # it was waited for


def test_here_where_torch_is_imported_already() -> None:
    import torch  # noqa: F401

    with PreparationProcess(steps()) as work:
        assert work.result(Found).pid == os.getpid()


def test_a_fault_is_no_refusal(small: None, capfd: pytest.CaptureFixture[str]) -> None:
    def wrong() -> Generator[Strict]:
        yield Found(pid=1 // 0)

    with PreparationProcess(wrong()) as work, pytest.raises(RuntimeError, match="ended with code 1"):
        work.result(Found)
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("known", [True, False])
def test_killed_for_memory_it_is_said_in_a_line(small: None, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    counts = iter([0, 1] if known else [None, None])
    monkeypatch.setattr(preparation_process, "memory_kills", lambda: next(counts))

    def large() -> Generator[Strict]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield Found(pid=0)

    with (
        PreparationProcess(large()) as work,
        pytest.raises(UserError, match="out of memory while the data was prepared"),
    ):
        work.result(Found)


KILLED = """
import os, time
from showdown.runner.preparation_process import PreparationProcess
def inner():
    time.sleep(120)
    yield None
def steps():
    with PreparationProcess(inner()) as beside:
        beside.begin()
        print(os.getpid(), beside._child, flush=True)
        time.sleep(120)
    yield None
with PreparationProcess(steps()) as work:
    work.result(object)
"""


def test_it_ends_with_who_asked_and_so_does_what_goes_on_beside_it() -> None:
    if not FORKS:
        pytest.skip("only Linux forks here")
    parent = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(word) for word in parent.stdout.readline().split()]
    assert len({parent.pid, *children}) == 3
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for child in children:
        wait_until(lambda child=child: is_gone(child), "it outlived who asked")


def is_gone(child: int) -> bool:
    return not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text()


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def test_what_has_begun_goes_on_meanwhile(small: None, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def slow() -> Generator[Strict]:
        begun.touch()
        yield Found(pid=os.getpid())
        yield Found(pid=os.getpid(), said="second")

    with PreparationProcess(slow()) as work:
        time.sleep(0.05)
        assert not begun.exists()
        work.begin()
        wait_until(begun.exists, "it was not begun before its result was asked for")
        assert work.result(Found).pid != os.getpid()
        assert work.result(Found).said == "second"

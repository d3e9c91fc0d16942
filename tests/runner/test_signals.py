"""The command as its user may stop it: Ctrl-C, an orderly end, a terminal that closes; and two of it on one folder."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runner.kill_cases import comparison_of
from showdown.core.metric import CLASSIFICATION, GENERATION

PATIENCE = 280
"""Seconds that a command may take on a busy machine; alone it takes under ten."""
TASKS = (CLASSIFICATION, GENERATION)
EPOCHS = 200
"""So many that four stops, each after a checkpoint, leave something to do."""
ENDLESS = 100_000
"""Epochs of a training that is never over, however late its end comes."""


def start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "showdown", "run", "mine.yaml", "--output", "out"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def newest_step(folder: Path) -> int:
    names = [path.name for path in folder.glob("out/runs/lora-*/checkpoints/step-*") if path.name.count(".") == 0]
    return max((int(name.split("-")[1]) for name in names), default=0)


def wait_for_a_checkpoint(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Wait until the running training has saved a state of its own."""
    before = newest_step(folder)
    deadline = time.monotonic() + PATIENCE
    while newest_step(folder) <= before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.02)


def is_free(folder: Path, *, within: float) -> bool:
    """Tell whether nobody holds the folder any more."""
    deadline = time.monotonic() + within
    with (folder / "out" / ".lock").open("rb") as lock:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                return True
    return False


@pytest.fixture
def asked(request: pytest.FixtureRequest, pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    """A comparison that takes a while, with a checkpoint at every step."""
    task, epochs = request.param
    comparison = comparison_of(pretrained, tmp_path, task)
    protocol = {**comparison["protocol"], "epochs": epochs, "tuning": None}
    comparison |= {"methods": {"lora": {"learning_rate": 0.001}}, "protocol": protocol}
    (tmp_path / "mine.yaml").write_text(json.dumps(comparison), encoding="utf-8")


_WRITES_FIRST = """
import os, signal, sys, time
from showdown import cli

def app(**_):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which comes after the error
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    while True:
        os.write(1, b".")
        time.sleep(0.01)

cli.app = app
cli.main([])
"""


def test_an_error_of_writing_to_a_closed_terminal_is_its_end_and_no_bad_input() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", _WRITES_FIRST])
    while b"ready" not in os.read(terminal, 4096):
        pass
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP


@pytest.mark.timeout(600)
@pytest.mark.parametrize("asked", [("classification", ENDLESS)], ids=["classification"], indirect=True)
def test_a_terminal_that_closes_ends_it_in_order(asked: None, tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and nothing can be said any more."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "showdown", "run", "mine.yaml", "--output", "out"])
    reader = threading.Thread(target=drain, args=(terminal,), daemon=True)
    reader.start()
    deadline = time.monotonic() + PATIENCE
    while newest_step(tmp_path) == 0:
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.02)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert is_free(tmp_path, within=PATIENCE), "a worker outlived its comparison"
    (run,) = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    assert run["status"] == "waiting"


def drain(terminal: int) -> None:
    """Read what a terminal shows, so that nobody waits for it; a blocked read would keep it open."""
    with contextlib.suppress(OSError, ValueError):
        while True:
            if select.select([terminal], [], [], 0.2)[0]:
                os.read(terminal, 65536)


@pytest.mark.long
@pytest.mark.parametrize("asked", [(task, EPOCHS) for task in TASKS], ids=TASKS, indirect=True)
@pytest.mark.timeout(600)
def test_stopped_in_every_way_it_goes_on(asked: None, tmp_path: Path) -> None:
    first = start(tmp_path)
    wait_for_a_checkpoint(first, tmp_path)
    workers = psutil.Process(first.pid).children(recursive=True)
    for worker in workers:
        worker.suspend()  # so that there is still something to do after the second one has left
    second = start(tmp_path)
    _, said = second.communicate(timeout=PATIENCE)
    for worker in workers:
        worker.resume()
    assert second.returncode == 2, said
    assert f"out is in use by PID {first.pid}" in said
    assert len(said.strip().splitlines()) == 1

    check_stopped(first, signal.SIGINT, 130, tmp_path)
    third = start(tmp_path)
    wait_for_a_checkpoint(third, tmp_path)
    check_stopped(third, signal.SIGTERM, 143, tmp_path)
    fourth = start(tmp_path)
    wait_for_a_checkpoint(fourth, tmp_path)
    check_stopped(fourth, signal.SIGHUP, 129, tmp_path)

    last = start(tmp_path)
    out, said = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, out + said
    assert "continued from step" in out
    (run,) = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    assert run["status"] == "completed"
    assert any("continued from step" in note for note in run["notes"])


def check_stopped(process: "subprocess.Popen[str]", number: signal.Signals, code: int, folder: Path) -> None:
    """Send a signal: one line, its exit code, no process left over, and a record that says waiting."""
    os.kill(process.pid, number)
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, out + said
    assert "run the same command again to continue" in said
    assert len(said.strip().splitlines()) == 1
    assert is_free(folder, within=5.0), "a worker outlived its comparison"
    (run,) = json.loads((folder / "out" / "results.json").read_text())["runs"]
    assert run["status"] == "waiting"

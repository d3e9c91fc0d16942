"""The local executor: a slot at a time runs one stage, several slots run several, and an end ends them all."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from faults.stub_server import environment, run_folder, stubbed, write_stub
from showdown.core.errors import UserError
from showdown.core.events import Event, Message, WorkerStarted
from showdown.runner.executor import Resources, Stage
from showdown.runner.executors.local import LocalExecutor, local_devices
from showdown.runner.stage_trace import TRACE_FILE
from showdown.stages.results import StageError

PATIENCE = 120.0
"""Seconds on a busy machine; a stage of these tests takes none."""
MEETING = """
import os, time
(folder / "pid").write_text(str(os.getpid()))
(folder / "device").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
events.say(f"in {folder.name}")
other = folder.parent / {"one": "two", "two": "one"}[folder.name] / "pid"
late = time.monotonic() + 100
while not other.exists():
    assert time.monotonic() < late, "the other run did not go at the same time"
    time.sleep(0.01)
"""
"""Each of two runs ends only when the other one has begun."""
NOTED = """
import os
(folder / "pid").write_text(f"{os.getpid()} {os.getppid()}")
"""
ENDLESS = """
import os, time
(folder / "pid").write_text(str(os.getpid()))
while True:
    time.sleep(0.05)
"""
TORN = """
import os
events.say("whole")
if folder.name == "torn":
    events._stream.write('["message", "torn", "cut sh')
    events._stream.flush()
    os._exit(7)
"""


def submit(executor: LocalExecutor, folder: Path, base: str | None = None) -> "Future[StageError | None]":
    return executor.submit(Stage(name="train", data=folder.parent), folder, Resources(device="cpu", base=base))


def wait_for(*files: Path) -> None:
    late = time.monotonic() + PATIENCE
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < late
        time.sleep(0.01)


def test_two_slots_run_two_stages_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = run_folder(tmp_path, "one"), run_folder(tmp_path, "two")
    events: list[Event] = []
    with stubbed(tmp_path, MEETING, monkeypatch, events.append, devices=("0", "GPU-b")) as executor:
        assert executor.slots == 2
        futures = [submit(executor, folder) for folder in (one, two)]
        assert [future.result(PATIENCE) for future in futures] == [None, None]
    assert {(folder / "device").read_text() for folder in (one, two)} == {"0", "GPU-b"}
    started = {event.run_id: event for event in events if isinstance(event, WorkerStarted)}
    for folder in (one, two):
        assert str(started[folder.name].pid) == (folder / "pid").read_text()
        assert started[folder.name].device == (folder / "device").read_text()
        texts = [event.text for event in events if isinstance(event, Message) and event.run_id == folder.name]
        assert texts == [f"in {folder.name}"]
        assert not (folder / TRACE_FILE).exists()


def test_one_slot_runs_stages_in_their_order_and_leaves_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [run_folder(tmp_path, name) for name in ("first", "second", "third")]
    events: list[Event] = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    body = "events.say(__import__('os').environ['CUDA_VISIBLE_DEVICES'])"
    with stubbed(tmp_path, body, monkeypatch, events.append) as executor:
        for future in [submit(executor, folder) for folder in folders]:
            assert future.result(PATIENCE) is None
    texts = [(event.run_id, event.text) for event in events if isinstance(event, Message)]
    assert texts == [("first", "5,7"), ("second", "5,7"), ("third", "5,7")]


def test_each_slot_takes_the_runs_of_one_base_through_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slots hold two networks; whatever is free takes what it holds."""
    runs = [(base, run_folder(tmp_path, f"{base}-{number}")) for number in range(3) for base in ("one", "two")]
    with stubbed(tmp_path, NOTED, monkeypatch, devices=("0", "1")) as executor:
        for first, second in zip(runs[::2], runs[1::2], strict=True):
            both = [submit(executor, folder, base) for base, folder in (first, second)]
            assert [future.result(PATIENCE) for future in both] == [None, None]
    workers = {base: {(folder / "pid").read_text() for one, folder in runs if one == base} for base in ("one", "two")}
    assert {len(found) for found in workers.values()} == {1}
    assert workers["one"] != workers["two"]


def test_runs_of_one_base_go_at_the_same_time_in_several_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = run_folder(tmp_path, "one"), run_folder(tmp_path, "two")
    with stubbed(tmp_path, MEETING, monkeypatch, devices=("0", "1")) as executor:
        futures = [submit(executor, folder, base="a network") for folder in (one, two)]
        assert [future.result(PATIENCE) for future in futures] == [None, None]
    assert (one / "pid").read_text() != (two / "pid").read_text()


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[list[Path]]:
    """Folders of two runs whose stages never end; what they leave running is killed."""
    folders = [run_folder(tmp_path, name) for name in ("one", "two")]
    yield folders
    for folder in folders:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / "pid").read_text()), signal.SIGKILL)


def gone(pid: int) -> bool:
    late = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > late:
            return False
        time.sleep(0.01)
    return True


def test_the_end_of_the_executor_ends_all_stages(
    tmp_path: Path, endless: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with Ctrl-C, which leaves the block in the same way."""
    with (
        contextlib.suppress(KeyboardInterrupt),
        stubbed(tmp_path, ENDLESS, monkeypatch, devices=("0", "1")) as executor,
    ):
        running = [submit(executor, folder) for folder in endless]
        waiting = submit(executor, run_folder(tmp_path, "three"))
        wait_for(*(folder / "pid" for folder in endless))
        raise KeyboardInterrupt
    assert all(gone(int((folder / "pid").read_text())) for folder in endless)
    outcomes = [future.result(PATIENCE) for future in running]
    assert all(outcome is not None and "SIGTERM" in outcome.error for outcome in outcomes)
    assert waiting.cancelled()


COMPARISON = """
import sys
from pathlib import Path
from showdown.runner.executor import Resources, Stage
from showdown.runner.executors.local import LocalExecutor
root = Path(sys.argv[1])
with (root / "lock").open("w") as lock, LocalExecutor(lock.fileno(), lambda event: None, ("0", "1")) as executor:
    stage, needed = Stage(name="train", data=root), Resources(device="cpu")
    for future in [executor.submit(stage, root / name, needed) for name in ("one", "two")]:
        future.result()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a server with its parent")
def test_a_comparison_that_is_killed_leaves_no_worker_of_any_slot(tmp_path: Path, endless: list[Path]) -> None:
    variables = {**os.environ, **environment(write_stub(tmp_path, ENDLESS))}
    comparison = subprocess.Popen([sys.executable, "-c", COMPARISON, str(tmp_path)], env=variables)
    try:
        wait_for(*(folder / "pid" for folder in endless))
    finally:
        comparison.kill()
        comparison.wait()
    assert all(gone(int((folder / "pid").read_text())) for folder in endless)


def test_a_killed_worker_fails_its_own_run_alone(
    tmp_path: Path, endless: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = endless
    with stubbed(tmp_path, ENDLESS, monkeypatch, devices=("0", "1")) as executor:
        killed, other = submit(executor, one), submit(executor, two)
        wait_for(one / "pid", two / "pid")
        os.kill(int((one / "pid").read_text()), signal.SIGKILL)
        outcome = killed.result(PATIENCE)
        assert outcome is not None
        assert (outcome.status, "SIGKILL" in outcome.error) == ("failed", True)
        assert not other.done()


def test_what_the_listener_raises_ends_the_stage_and_reaches_the_caller(
    tmp_path: Path, endless: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(event: Event) -> None:
        if event.run_id == "one":
            wait_for(endless[0] / "pid")
            raise KeyboardInterrupt

    with stubbed(tmp_path, "events.say('here')\n" + ENDLESS, monkeypatch, listen) as executor:
        with pytest.raises(KeyboardInterrupt):
            submit(executor, endless[0]).result(PATIENCE)
        assert gone(int((endless[0] / "pid").read_text()))
        second = submit(executor, endless[1])  # in a server of its own
        wait_for(endless[1] / "pid")
        assert not second.done()


@pytest.mark.parametrize("base", [None, "a network"])
def test_an_event_cut_short_hides_neither_the_end_nor_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str | None
) -> None:
    """The server's own line would else be glued to what the worker was writing."""
    events: list[Event] = []
    with stubbed(tmp_path, TORN, monkeypatch, events.append) as executor:
        torn = submit(executor, run_folder(tmp_path, "torn"), base).result(PATIENCE)
        assert torn is not None
        assert "ended with code 7" in torn.error
        assert submit(executor, run_folder(tmp_path, "next"), base).result(PATIENCE) is None
    assert [event.run_id for event in events if isinstance(event, Message)] == ["torn", "next"]


def test_a_server_that_died_between_two_stages_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = run_folder(tmp_path, "first"), run_folder(tmp_path, "second")
    with stubbed(tmp_path, NOTED, monkeypatch) as executor:
        assert submit(executor, first).result(PATIENCE) is None
        server = int((first / "pid").read_text().split()[1])
        os.kill(server, signal.SIGKILL)
        assert gone(server)
        assert submit(executor, second).result(PATIENCE) is None
    assert int((second / "pid").read_text().split()[1]) != server


@pytest.mark.parametrize(
    ("visible", "devices"), [("", [None]), ("3", [None]), ("0,2", ["0", "2"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"])]
)
def test_several_gpus_are_a_slot_each(monkeypatch: pytest.MonkeyPatch, visible: str, devices: list[str | None]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local_devices() == devices


@pytest.mark.parametrize(
    ("visible", "gpus", "devices"),
    [
        ("0,1,2", ["0", "2"], ["0", "2"]),
        ("3,5", ["1"], ["5"]),
        ("GPU-aa,GPU-bb", ["GPU-b", "0"], ["GPU-bb", "GPU-aa"]),
    ],
)
def test_some_gpus_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, visible: str, gpus: list[str], devices: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local_devices(gpus) == devices


@pytest.mark.parametrize(
    ("gpus", "why"),
    [
        (["2"], "no GPU `2` on this machine; the visible ones are 0, 1"),
        (["0", "0"], "`0` names a GPU that is there already"),
        (["tpu"], "no GPU `tpu`"),
        (["-1"], "no GPU `-1`"),
        (["GPU-zz"], "no GPU `GPU-zz`"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, gpus: list[str], why: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match=re.escape(why)):
        local_devices(gpus)


JOINT = """
import os, time
(folder / "device").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
with open(folder.parent / "order", "a") as order:
    order.write(f"+{folder.name} ")
time.sleep(0.3)
with open(folder.parent / "order", "a") as order:
    order.write(f"-{folder.name} ")
"""
"""Notes when it began and ended."""


def joint(executor: LocalExecutor, folder: Path, devices: int) -> "Future[StageError | None]":
    stage = Stage(name="train", data=folder.parent)
    return executor.submit(stage, folder, Resources(device="cpu", devices=devices))


def test_a_stage_of_several_devices_has_them_alone_and_none_passes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("first", "both", "later", "last")
    folders = {name: run_folder(tmp_path, name) for name in names}
    with stubbed(tmp_path, JOINT, monkeypatch, devices=("0", "GPU-b")) as executor:
        futures = [joint(executor, folders[name], 2 if name == "both" else 1) for name in names]
        assert [future.result(PATIENCE) for future in futures] == [None] * 4
    assert (folders["both"] / "device").read_text() == "0,GPU-b"
    assert {(folders[name] / "device").read_text() for name in ("later", "last")} == {"0", "GPU-b"}
    order = (tmp_path / "order").read_text().split()
    assert order[:4] == ["+first", "-first", "+both", "-both"]


def test_two_pairs_of_devices_work_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = run_folder(tmp_path, "one"), run_folder(tmp_path, "two")
    with stubbed(tmp_path, MEETING, monkeypatch, devices=("0", "1", "2", "3")) as executor:
        futures = [joint(executor, folder, 2) for folder in (one, two)]
        assert [future.result(PATIENCE) for future in futures] == [None, None]
    taken = [(folder / "device").read_text().split(",") for folder in (one, two)]
    assert sorted(device for pair in taken for device in pair) == ["0", "1", "2", "3"]

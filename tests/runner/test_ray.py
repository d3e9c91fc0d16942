"""The Ray executor on a local cluster of two machines and a head: what is lost is done again, what is done is not.

Skipped where Ray is not installed (extra `ray`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from faults.stub_server import environment, run_folder, write_stub
from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.events import Event, Message, SystemSample, WorkerStarted
from showdown.core.record import Results
from showdown.core.spec import RunSpec
from showdown.display.display import Silent
from showdown.runner.execute import execute
from showdown.runner.executor import Resources, Setup, Stage
from showdown.runner.stage_trace import TRACE_FILE
from showdown.runner.store import read_results
from showdown.stages.results import StageError
from showdown.watch.state import Watched
from tiny_pretrained import separable_rows, write_csv

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'finetuning-showdown[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402

from showdown.runner.executors import ray as ours  # noqa: E402

pytestmark = pytest.mark.long
PATIENCE = 120.0
"""Seconds on a busy machine."""
NOTED = """
import os, time
with (folder / "begun").open("a") as file:
    file.write(f"{os.getppid()} {os.environ.get('OMP_NUM_THREADS')}\\n")
events.say(f"in {folder.name}")
"""
FIRST_HANGS = (
    NOTED
    + """
if len((folder / "begun").read_text().splitlines()) == 1:
    time.sleep(1000)
"""
)
HUNGRY = (
    NOTED
    + """
if folder.name != "lean" or spec.memory is None:
    raise MemoryError("no more")
"""
)
WHOLE = (
    NOTED
    + """
(folder / "artifact").mkdir()
(folder / "artifact" / "weights").write_text("learned")
(folder / "seen").write_text(str(folder) + " " + (processed / "rows.csv").read_text())
"""
)


TWO_MACHINES: Sequence[dict[str, Any]] = ({"num_cpus": 1}, {"num_cpus": 1})


@contextlib.contextmanager
def cluster_of(machines: Sequence[dict[str, Any]] = TWO_MACHINES) -> Iterator[Cluster]:
    """Start a head that runs nothing, and machines."""
    os.environ.setdefault("RAY_worker_niceness", "0")
    small = {"object_store_memory": 80_000_000, "include_dashboard": False}
    soon = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_timeout_ms": 2000,
            "health_check_failure_threshold": 3}  # fmt: skip
    head = {"num_cpus": 0, "_system_config": soon, **small}
    found = Cluster(initialize_head=True, head_node_args=head)
    try:
        for machine in machines:
            found.add_node(**machine, **small)
        yield found
    finally:
        ray.shutdown()
        found.shutdown()


@contextlib.contextmanager
def executor_on(
    folder: Path,
    body: str,
    patch: pytest.MonkeyPatch,
    listen: Callable[[Event], None] = lambda event: None,
    machines: Sequence[dict[str, Any]] = TWO_MACHINES,
) -> Iterator[tuple[ours.RayExecutor, Cluster]]:
    """Yield an executor on a cluster whose stages are ``body``."""
    for name, value in environment(write_stub(folder, body)).items():
        patch.setenv(name, value)
    (folder / "runs").mkdir()
    (folder / "rows").mkdir()
    (folder / "rows" / "rows.csv").write_text("the rows")
    with cluster_of(machines) as cluster:
        setup = Setup(lock=-1, root=folder, listen=listen, say=lambda line: None, address=cluster.address)
        with ours.RayExecutor(setup) as executor:
            yield executor, cluster


ON_A_CPU = Resources(device="cpu")


def submit(executor: ours.RayExecutor, folder: Path, needs: Resources = ON_A_CPU) -> "Future[StageError | None]":
    data = folder.parent.parent / "rows"
    return executor.submit(Stage(name="train", data=data), folder, needs)


def begun(folder: Path) -> list[int]:
    """Return the process of the server of each attempt at a stage."""
    path = folder / "begun"
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(what: Callable[[], object]) -> None:
    late = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < late
        time.sleep(0.05)


@pytest.mark.parametrize("what", ["worker", "machine"])
def test_a_stage_whose_worker_or_machine_is_lost_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    events: list[Event] = []
    with executor_on(tmp_path, FIRST_HANGS, monkeypatch, events.append) as (executor, _):
        assert executor.slots == 2
        folder = run_folder(tmp_path / "runs", "one")
        future = submit(executor, folder)
        wait_for(lambda: begun(folder))
        worker = psutil.Process(begun(folder)[0]).parent()
        assert worker is not None
        lost = worker if what == "worker" else worker.parent()
        assert lost is not None
        assert ("raylet" in lost.name()) == (what == "machine")
        lost.kill()
        assert future.result(PATIENCE) is None
    assert len(begun(folder)) == 2
    assert not psutil.pid_exists(begun(folder)[0]), "the first one's server is gone with it"
    texts = [event.text for event in events if isinstance(event, Message)]
    assert texts[-1] == "in one"
    assert any("`train` begins again" in text for text in texts)


def test_a_stage_without_memory_goes_once_more_with_the_leanest_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with executor_on(tmp_path, HUNGRY, monkeypatch) as (executor, _):
        lean, always = (run_folder(tmp_path / "runs", name) for name in ("lean", "always"))
        futures = [submit(executor, folder) for folder in (lean, always)]
        assert futures[0].result(PATIENCE) is None
        outcome = futures[1].result(PATIENCE)
    assert outcome is not None
    assert (outcome.status, len(begun(lean)), len(begun(always))) == ("out-of-memory", 2, 2)
    for folder in (lean, always):
        assert RunSpec.model_validate_json((folder / "spec.json").read_bytes()).memory == ours.LEANEST


TIMED = """
import time
(folder / "began").write_text(str(time.monotonic()))
time.sleep(2)
(folder / "ended").write_text(str(time.monotonic()))
"""


@pytest.mark.parametrize(("host_gb", "beside"), [(1.0, True), (2.0, False)])
def test_a_machine_gets_no_more_stages_than_its_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host_gb: float, beside: bool
) -> None:
    machine = {"num_cpus": 2, "num_gpus": 2, "memory": 3_000_000_000}
    with executor_on(tmp_path, TIMED, monkeypatch, machines=[machine]) as (executor, _):
        assert executor.slots == 2
        folders = [run_folder(tmp_path / "runs", name) for name in ("one", "two")]
        futures = [submit(executor, folder, Resources(device="gpu", host_gb=host_gb)) for folder in folders]
        assert [future.result(PATIENCE) for future in futures] == [None, None]
    began, ended = ([float((folder / name).read_text()) for folder in folders] for name in ("began", "ended"))
    assert (max(began) < min(ended)) == beside


WHERE = """
import os
with (folder / "where").open("a") as file:
    file.write(os.environ["RAY_RAYLET_PID"] + "\\n")
if folder.name == "hungry" and len((folder / "where").read_text().splitlines()) == 1:
    raise MemoryError("no more")
"""


def test_a_stage_without_memory_asks_for_more_and_for_no_more_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = ({"num_cpus": 1, "memory": memory} for memory in (1_000_000_000, 3_000_000_000))
    with executor_on(tmp_path, WHERE, monkeypatch, machines=[small, large]) as (executor, _):
        names = ("hungry", "large", "too-large")
        hungry, fits_one, too_large = (run_folder(tmp_path / "runs", name) for name in names)
        for folder, host_gb in ((hungry, 0.9), (fits_one, 2.0), (too_large, 100.0)):
            assert submit(executor, folder, Resources(device="cpu", host_gb=host_gb)).result(PATIENCE) is None
    attempts, (of_large,), (again,) = (
        (folder / "where").read_text().split() for folder in (hungry, fits_one, too_large)
    )
    assert len(attempts) == 2
    assert attempts[1] == of_large == again


@pytest.mark.parametrize("seen", [True, False])
def test_files_come_back_from_a_machine_that_does_not_see_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: bool
) -> None:
    with executor_on(tmp_path, WHOLE, monkeypatch) as (executor, _):
        if not seen:
            executor._sign = "of another folder of that name"
        folder = run_folder(tmp_path / "runs", "one")
        assert submit(executor, folder).result(PATIENCE) is None
    where, rows = (folder / "seen").read_text().split(" ", 1)
    assert rows == "the rows"
    assert (Path(where) == folder) == seen
    assert (folder / "artifact" / "weights").read_text() == "learned"
    assert not (folder / TRACE_FILE).exists()


def comparison(folder: Path, model: Path) -> dict[str, Any]:
    return {
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(36))), "near_duplicate_jaccard": 0.99},
        "model": {"id": str(model)},
        "methods": {"majority": {}, "tfidf": {}, "lora": {"learning_rate": 0.01}},
        "seeds": [0, 1],
        "sampling_seconds": 0.2,
        "protocol": {"split": {"kind": "single"}, "tuning": None, "epochs": 2},
    }


def numbers(results: Results, folder: Path) -> list[tuple[object, ...]]:
    """Return what does not depend on time: predictions, scores, every loss."""
    return [
        (
            run.run_id,
            run.status,
            run.predictions_sha256,
            run.accuracy,
            (folder / str(run.curve_file)).read_text() if run.curve_file else None,
        )
        for run in results.runs
    ]


DRIVER = """
import sys
from pathlib import Path
from showdown import api
api.run(Path(sys.argv[1]), output=Path(sys.argv[2]))
"""


def test_a_driver_that_is_killed_goes_on_and_ends_as_one_machine_would(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same comparison, but for its executor; runs that were over are not touched, and a page follows all."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = comparison(tmp_path, pretrained("bert"))
    expected = execute(check(asked, "the test"), tmp_path / "here", Silent())
    output = tmp_path / "there"
    with cluster_of() as cluster:
        written = tmp_path / "asked.yaml"
        written.write_text(
            check({**asked, "executor": "ray", "address": cluster.address}, "the test").model_dump_json()
        )
        command: Sequence[str] = [sys.executable, "-c", DRIVER, str(written), str(output)]
        first = subprocess.Popen(command)
        try:
            wait_for(lambda: first.poll() is not None or list(output.glob("runs/*/result.json")))
            assert first.poll() is None
            states = {run["state"] for run in Watched(output).state()["runs"]}
            assert "done" in states or "running" in states
        finally:
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        over = {path: path.stat().st_mtime_ns for path in output.glob("runs/*/result.json")}
        assert subprocess.run(command, check=False, timeout=3 * PATIENCE).returncode == 0
    assert over
    assert over == {path: path.stat().st_mtime_ns for path in over}
    found = read_results(output)
    assert {run.status for run in found.runs} == {"completed"}
    assert numbers(found, output) == numbers(expected, tmp_path / "here")
    assert all((output / str(run.system_file)).stat().st_size for run in found.runs)


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    setup = Setup(lock=-1, root=tmp_path, listen=lambda event: None, say=lambda line: None, address="127.0.0.1:1")
    with pytest.raises(UserError, match=r"no Ray at `127\.0\.0\.1:1`"):
        ours.RayExecutor(setup).__enter__()


def test_gpus_and_an_address_exclude_each_other(tmp_path: Path) -> None:
    setup = Setup(lock=-1, root=tmp_path, listen=lambda event: None, say=lambda line: None, address="auto", gpus=["0"])
    with pytest.raises(UserError, match="drop one"):
        ours.RayExecutor(setup)


def test_samples_and_starts_reach_the_listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    with executor_on(tmp_path, NOTED, monkeypatch, events.append) as (executor, _):
        executor._setup = Setup(**{**vars(executor._setup), "sampling_seconds": 0.1})
        assert submit(executor, run_folder(tmp_path / "runs", "one")).result(PATIENCE) is None
    assert any(isinstance(event, WorkerStarted) for event in events)
    assert any(isinstance(event, SystemSample) for event in events)

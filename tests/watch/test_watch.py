"""The local page: real requests against a real server, from a comparison that runs to one that is over."""

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report.written_comparison import write_comparison
from showdown.core.errors import UserError
from showdown.core.files import append_line, write_json
from showdown.core.progress import ProgressPoint
from showdown.core.record import Results, RunRecord
from showdown.core.samples import Sample
from showdown.watch.server import WatchServer
from showdown.watch.state import MOST_POINTS, Watched

SECRET = "<script>alert('sesquipedalian')</script>"


def write_results(output: Path, results: Results) -> None:
    write_json(output / "results.json", results.model_dump(mode="json"))


def unfinished(run: RunRecord) -> RunRecord:
    """The record of a run that is not over."""
    kept = {"run_id", "name", "method", "title", "traits", "seed", "partition", "labels", "spec"}
    return RunRecord.model_validate({**run.model_dump(include=kept), "status": "waiting", "error": "not run yet"})


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A comparison in which `tfidf` is done, `lora` goes, `full` waits and `qlora` failed."""
    folder = tmp_path / "out"
    results = write_comparison(folder, labels=[SECRET, "nurse", "pilot"], failed={"qlora": f"no text {SECRET}"})
    runs = [unfinished(run) if run.name in ("lora", "full") else run for run in results.runs]
    write_results(folder, results.model_copy(update={"runs": runs}))
    write_json(folder / "comparison.json", {})
    (folder / ".lock").touch()
    lora = next(run for run in runs if run.name == "lora")
    going = folder / "runs" / lora.run_id
    write_json(going / "started.json", {})
    for step in (10, 20, 30):
        moment = ProgressPoint(
            stage="train", phase="loading", step=step, steps=40, epoch=2, loss=1 / step, train_seconds=step / 4
        )
        append_line(going / "progress.jsonl", json.dumps(moment.model_dump()))
    sample = {**dict.fromkeys(Sample.model_fields), "seconds": 3.0, "ram_gb": 0.75, "cpu_percent": 180.0}
    append_line(going / "system.jsonl", json.dumps(sample))
    return folder


@pytest.fixture
def running(output: Path) -> Iterator[None]:
    """Somebody holds the folder, as `showdown run` does."""
    descriptor = os.open(output / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


@pytest.fixture
def server(output: Path) -> Iterator[WatchServer]:
    def report() -> Path:
        path = output / "report.html"
        path.write_text("<!doctype html><title>the report</title>")
        return path

    with WatchServer(output, 0, report) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def ask(server: WatchServer, path: str, *, method: str = "GET", host: str | None = None) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{server.port}")
    connection.endheaders()
    answer = connection.getresponse()
    found = (answer.status, answer.read(), answer.headers)
    connection.close()
    return found


def test_the_state_says_how_every_run_stands(running: None, server: WatchServer) -> None:
    status, content, _ = ask(server, "/state.json")
    assert status == 200
    state = json.loads(content)
    runs = {run["name"]: run for run in state["runs"]}
    assert {name: run["state"] for name, run in runs.items()} == {
        "majority": "done",
        "tfidf": "done",
        "full": "waiting",
        "lora": "running",
        "qlora": "out-of-memory",
    }
    lora = runs["lora"]
    assert (lora["step"], lora["steps"], lora["epoch"], lora["steps_per_second"]) == (30, 40, 2, 4.0)
    assert lora["left_seconds"] == 2.5
    assert lora["loss_curve"] == [[10, 0.1], [20, 0.05], [30, 1 / 30]]
    assert (lora["memory_gb"], lora["cpu_percent"]) == (0.75, 180.0)
    assert 0 < runs["tfidf"]["accuracy"] <= 1
    assert (state["complete"], state["in_use"], state["report"]) == (False, True, False)


def test_no_text_of_the_data_before_the_report(running: None, server: WatchServer, output: Path) -> None:
    assert b"sesquipedalian" in (output / "results.json").read_bytes()
    for path in ("/", "/state.json"):
        assert b"sesquipedalian" not in ask(server, path)[1]


def test_an_interrupted_comparison_runs_no_more(server: WatchServer) -> None:
    state = json.loads(ask(server, "/state.json")[1])
    assert {run["name"]: run["state"] for run in state["runs"]}["lora"] == "waiting"
    assert (state["in_use"], state["complete"]) == (False, False)


def test_the_page_becomes_the_report(server: WatchServer, output: Path) -> None:
    assert b"state.json" in ask(server, "/")[1]
    results = Results.model_validate_json((output / "results.json").read_bytes())
    runs = [run for run in results.runs if run.status != "waiting"]
    (output / "report.html").write_text("of an earlier time")
    os.utime(output / "report.html", (1, 1))
    write_results(output, results.model_copy(update={"runs": runs}))
    deadline = time.monotonic() + 20
    while not (state := json.loads(ask(server, "/state.json")[1]))["report"]:
        assert state["complete"]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    status, content, headers = ask(server, "/")
    assert (status, content) == (200, (output / "report.html").read_bytes())
    assert b"the report" in content
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_a_report_that_cannot_be_written_is_said(output: Path) -> None:
    results = Results.model_validate_json((output / "results.json").read_bytes())
    kept = [run for run in results.runs if run.status != "waiting"]
    write_results(output, results.model_copy(update={"runs": kept}))

    def report() -> Path:
        raise UserError("pip install jinja2")

    with WatchServer(output, 0, report) as server:
        deadline = time.monotonic() + 20
        while server.state()["problem"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert server.state()["problem"] == "no report: pip install jinja2"
        assert server.state()["report"] is False


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil"])
def test_another_name_for_this_machine_is_refused(server: WatchServer, host: str) -> None:
    for path in ("/", "/state.json"):
        status, content, _ = ask(server, path, host=host)
        assert status == 403
        assert b"lora" not in content


def test_localhost_is_this_machine(server: WatchServer) -> None:
    assert ask(server, "/state.json", host=f"localhost:{server.port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])
def test_nothing_but_get(server: WatchServer, method: str) -> None:
    assert ask(server, "/", method=method)[0] == 501


@pytest.mark.parametrize(
    "path",
    [
        *("/../results.json", "/results.json", "/..%2fresults.json", "//etc/passwd", "/report.html/../results.json"),
        *("/runs/", "/.lock", "/data/processed/train.jsonl", "http://127.0.0.1/results.json", "/%00", "/state.json/"),
    ],
)
def test_no_file_of_the_folder_can_be_asked_for(server: WatchServer, path: str) -> None:
    status, content, _ = ask(server, path)
    assert status == 404
    assert content == b"not found\n"


def test_the_page_may_run_its_own_script_and_nothing_else(server: WatchServer) -> None:
    _, content, headers = ask(server, "/")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert b"http://" not in content.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in content
    assert b"innerHTML" not in content


def test_it_listens_on_the_loopback_alone(server: WatchServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_many_steps_are_thinned_and_a_new_trial_begins_anew(output: Path, running: None) -> None:
    going = next(output.glob("runs/lora-*/progress.jsonl"))
    watched = Watched(output)
    watched.state()
    moment = ProgressPoint(
        stage="tune", phase="tuning, trial 2", step=1, steps=999, epoch=1, loss=3.0, train_seconds=1.0
    )
    for step in range(1, 1000):
        append_line(going, json.dumps({**moment.model_dump(), "step": step}))
    with going.open("a") as file:
        file.write('{"stage": "tune", "pha')  # being written
    (lora,) = [run for run in watched.state()["runs"] if run["state"] == "running"]
    assert len(lora["loss_curve"]) == MOST_POINTS
    assert (lora["loss_curve"][0], lora["loss_curve"][-1]) == ([1, 3.0], [999, 3.0])


def test_a_port_in_use_and_a_folder_without_a_comparison_are_said(server: WatchServer, output: Path) -> None:
    command = [sys.executable, "-m", "showdown", "watch"]
    for arguments, words in (
        ([str(output), "--port", str(server.port)], f"port {server.port} of 127.0.0.1 cannot be had"),
        ([str(output.parent / "nowhere")], "no comparison in"),
    ):
        found = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert found.returncode == 2
        (line,) = found.stderr.strip().splitlines()
        assert words in line


def test_ctrl_c_ends_it(output: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "showdown", "watch", str(output), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    port = int(line.split("http://127.0.0.1:")[1].split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=20):  # a browser that says nothing holds nothing up
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors) == (0, "ended\n", "")

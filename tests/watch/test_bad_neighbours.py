"""The watcher of a folder from elsewhere, and of a bad neighbour: every request is answered and nothing gets out."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from report.written_comparison import METHODS, write_comparison
from showdown.core.errors import UserError
from showdown.core.files import write_json, write_text
from showdown.watch import server as module
from showdown.watch.server import WatchServer
from showdown.watch.state import GrowingFile

SECRET = b"of another user"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A complete comparison with a curve."""
    folder = tmp_path / "out"
    results = write_comparison(folder, methods={"lora": METHODS["lora"]})
    write_json(folder / "comparison.json", {})
    run = results.runs[0].model_copy(update={"curve_file": "runs/curve.json"})
    write_json(folder / "results.json", results.model_copy(update={"runs": [run]}).model_dump(mode="json"))
    write_json(folder / "runs" / "curve.json", {"training": {"step": [1, 2], "loss": [2.0, 1.0]}, "validation": []})
    (tmp_path / "secret").write_bytes(SECRET)
    return folder


@contextmanager
def serving(output: Path, report: Callable[[], Path] | None = None) -> Iterator[WatchServer]:
    def write() -> Path:
        write_text(output / "report.html", "<title>the report</title>")
        return output / "report.html"

    with WatchServer(output, 0, report or write) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        made.shutdown()


def ask(server: WatchServer, path: str, *hosts: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("GET", path, skip_host=True)
    for host in hosts or (f"127.0.0.1:{server.port}",):
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    found = (answer.status, answer.read())
    connection.close()
    return found


def state_of(server: WatchServer) -> dict[str, Any]:
    status, content = ask(server, "/state.json")
    assert status == 200, content
    found: dict[str, Any] = json.loads(content)
    return found


def wait_for(server: WatchServer, key: str) -> Any:
    deadline = time.monotonic() + 30
    while not (found := state_of(server)[key]):
        assert time.monotonic() < deadline, key
        time.sleep(0.02)
    return found


def change(output: Path, **values: Any) -> None:
    results = json.loads((output / "results.json").read_text())
    results["runs"][0].update(values)
    write_text(output / "results.json", json.dumps(results))


def test_after_another_run_the_page_becomes_the_report_again(output: Path) -> None:
    made = 0

    def report() -> Path:
        nonlocal made
        made += 1
        write_text(output / "report.html", f"<title>report {made}</title>")
        return output / "report.html"

    with serving(output, report) as server:
        for turn in (1, 2, 3):
            wait_for(server, "report")
            assert ask(server, "/") == (200, f"<title>report {turn}</title>".encode())
            change(output, title=f"of run {turn}")
            later = time.time_ns() + turn
            os.utime(output / "results.json", ns=(later, later))
    assert made in (3, 4)  # the last change may still be seen


def test_a_report_that_failed_is_tried_again_for_new_results(output: Path) -> None:
    tries = 0

    def report() -> Path:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise UserError("pip install jinja2")
        write_text(output / "report.html", "<title>the report</title>")
        return output / "report.html"

    with serving(output, report) as server:
        assert wait_for(server, "problem") == "no report: pip install jinja2"
        for _ in range(5):
            state_of(server)
        assert tries == 1, "tried again for the same results"
        change(output, title="another")
        wait_for(server, "report")


def test_a_clock_that_was_set_back_keeps_no_report_back(output: Path) -> None:
    ahead = time.time_ns() + 10**13
    os.utime(output / "results.json", ns=(ahead, ahead))
    with serving(output) as server:
        wait_for(server, "report")
        assert ask(server, "/") == (200, b"<title>the report</title>")


@pytest.mark.parametrize("order", [0, 1])
def test_one_good_host_among_two_is_not_enough(output: Path, order: int) -> None:
    with serving(output) as server:
        hosts = [f"127.0.0.1:{server.port}", "evil.example"]
        status, content = ask(server, "/state.json", *(reversed(hosts) if order else hosts))
        assert (status, b"lora" in content) == (403, False)
        assert ask(server, "/state.json", hosts[0], hosts[0])[0] == 403


CURVES: dict[str, Any] = {
    "a list": [],
    "a list of lists": [[1, 2], [3, 4]],
    "nothing": None,
    "a number": 5,
    "a word": "curve",
    "no steps": {"training": {}, "validation": []},
    "words for losses": {"training": {"step": [1], "loss": ["low"]}, "validation": []},
    "NaN": {"training": {"step": [1], "loss": [float("nan")]}, "validation": []},
    "infinity": {"training": {"step": [1, 2], "loss": [1.0, float("inf")]}, "validation": []},
    "a huge number": {"training": {"step": [10**400], "loss": [1.0]}, "validation": []},
    "a list for a loss": {"training": {"step": [1], "loss": [[1]]}, "validation": []},
    "uneven": {"training": {"step": [1, 2], "loss": [1]}, "validation": []},
    "words for epochs": {"training": {"step": [1], "loss": [1]}, "validation": "abc"},
    "an epoch of nothing": {"training": {"step": [1], "loss": [1]}, "validation": [None]},
}


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_that_is_none_is_left_out(output: Path, curve: str, capfd: pytest.CaptureFixture[str]) -> None:
    (output / "runs" / "curve.json").write_text(json.dumps(CURVES[curve]))
    with serving(output) as server:
        (run,) = state_of(server)["runs"]
    assert run["state"] == "done"
    assert "loss_curve" not in run
    assert capfd.readouterr().err == ""


def test_a_curve_of_more_nesting_than_can_be_read_is_left_out(output: Path) -> None:
    (output / "runs" / "curve.json").write_text("[" * 200_000)
    with serving(output) as server:
        assert state_of(server)["runs"][0]["state"] == "done"


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "runs/../../secret", ".."])
def test_a_curve_elsewhere_is_not_served(output: Path, place: str) -> None:
    change(output, curve_file=place)
    with serving(output) as server:
        state = state_of(server)
    assert state["runs"] == []
    assert "`runs.0.curve_file`" in state["problem"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"runs": [1]}', b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_results_that_are_none_are_said(output: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (output / "results.json").write_bytes(content)
    with serving(output) as server:
        state = state_of(server)
        assert ask(server, "/")[0] == 200
    assert "cut short or was changed" in state["problem"]
    assert capfd.readouterr().err == ""


def test_words_for_partitions_are_said(output: Path) -> None:
    results = json.loads((output / "results.json").read_text())
    results["data"]["partitions"] = "many"
    write_text(output / "results.json", json.dumps(results))
    with serving(output) as server:
        assert "`data.partitions`" in state_of(server)["problem"]


@pytest.mark.parametrize("kind", ["a folder", "a link", "a link made later", "a pipe"])
def test_a_report_that_is_no_file_is_not_served(
    output: Path, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    report = output / "report.html"

    def plant() -> Path:
        report.unlink(missing_ok=True)
        report.symlink_to(tmp_path / "secret")
        os.utime(tmp_path / "secret", (2**31, 2**31))
        return report

    if kind == "a folder":
        report.mkdir()
    elif kind == "a link":
        plant()
    elif kind == "a pipe":
        os.mkfifo(report)
    if kind in ("a link", "a pipe"):
        with pytest.raises(UserError, match=r"leads outside|a pipe"):
            WatchServer(output, 0, lambda: report)
        return
    with serving(output, plant if kind == "a link made later" else None) as server:
        for _ in range(5):
            status, content = ask(server, "/")
            assert (status, SECRET in content) == (200, False)
            assert state_of(server)["report"] is False
            time.sleep(0.05)
    assert capfd.readouterr().err == ""


def test_what_nobody_thought_of_is_answered_too(output: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(output) as server:
        server._watched.state = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
        assert ask(server, "/state.json") == (500, b"the folder cannot be read: ZeroDivisionError\n")
        assert ask(server, "/")[0] == 500
    assert capfd.readouterr().err == ""


@pytest.mark.long
def test_slow_and_many_connections_are_bounded(
    output: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A neighbour that opens a hundred connections and sends a letter now and then holds nobody up for long."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.6)
    before = threading.active_count()
    with serving(output) as server:
        slow = []
        for _ in range(100):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            connection.sendall(b"GET / HT")
            slow.append(connection)
        assert threading.active_count() - before <= module._MOST_CONNECTIONS + 2
        deadline = time.monotonic() + 30
        while True:
            for connection in slow:
                try:
                    connection.send(b"x")
                except OSError:
                    continue
            try:
                answered = ask(server, "/state.json")[0] == 200
            except (http.client.HTTPException, OSError):
                answered = False
            if answered:
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for connection in slow:
            connection.close()
    assert capfd.readouterr().err == ""


def test_lines_that_grow_without_end_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.watch.state._MOST_READ_BYTES", 100)
    path = tmp_path / "lines.jsonl"
    nested = b"[" * 99 + b"\n"
    path.write_bytes(b'{"a": 1}\n' * 30 + b"x" * 350 + b"\n" + nested + b'{"a": 2}\n' * 30 + b'{"a"')
    found = GrowingFile(path, lambda line: line["a"]).read()
    assert found == [1] * 30 + [2] * 30

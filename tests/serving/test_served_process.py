"""A real server in a process of its own: it answers over a socket, and a signal ends it without losing an answer."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tiny_pretrained import separable_rows, write_csv

pytestmark = pytest.mark.long
ROWS = 256
"""Of a request; the tiny network takes some tenths of a second for them."""


@pytest.fixture(scope="module")
def finished(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with a trained network."""
    folder = tmp_path_factory.mktemp("served")
    write_csv(folder / "rows.csv", separable_rows(60))
    comparison = {
        "model": {"id": str(pretrained("bert"))},
        "data": {"source": str(folder / "rows.csv")},
        "methods": {"full": {}},
        "protocol": {"epochs": 1, "max_tokens": 64, "split": {"kind": "single"}, "tuning": None},
        "seeds": [0],
    }
    (folder / "mine.yaml").write_text(json.dumps(comparison), encoding="utf-8")
    words = ["run", str(folder / "mine.yaml"), "--output", str(folder / "out")]
    subprocess.run([sys.executable, "-P", "-m", "showdown", *words], check=True, capture_output=True, timeout=200)
    return folder / "out"


@contextmanager
def server(finished: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    words = ["serve", str(finished), "--method", "full", "--port", "0", *options]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "showdown", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "answers at http://127.0.0.1:" in line, process.stderr.read() if process.stderr else ""
        yield process, int(line.split("127.0.0.1:")[1].split("/")[0])
    finally:
        process.kill()
        process.wait(20)


def post(port: int, asked: dict[str, Any]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps(asked)
    connection.request("POST", "/predict", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_server_once_all_that_it_took_is_answered(finished: Path, number: signal.Signals) -> None:
    words = " ".join(separable_rows(60).texts).split()
    texts = [" ".join(words[start : start + 60]) for start in range(ROWS)]
    with server(finished) as (process, port):
        found: list[tuple[int, Any]] = []
        clients = [
            threading.Thread(target=lambda: found.append(post(port, {"texts": texts})), daemon=True) for _ in range(4)
        ]
        half = socket.create_connection(("127.0.0.1", port))
        body = json.dumps({"text": "oven"}).encode()
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        half.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
        for client in clients:
            client.start()
        until = time.monotonic() + 60
        while (taken := waiting_rows(port)) < ROWS and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(number)
        time.sleep(0.3)
        half.sendall(body[5:])
        refused = half.recv(65536)
        for client in clients:
            client.join(60)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "ended\n"
        with pytest.raises(ConnectionRefusedError):
            post(port, {"text": "oven"})
    assert len(found) == 4
    answered = [answer for status, answer in found if status == 200]
    assert all("the server ends" in answer["detail"] for status, answer in found if status != 200)
    assert all(len(answer["answers"]) == ROWS for answer in answered)
    assert len(answered) * ROWS >= taken >= ROWS
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"the server ends" in refused


def waiting_rows(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    found = int(json.loads(connection.getresponse().read())["waiting_rows"])
    connection.close()
    return found


def test_more_than_one_signal_ends_it_at_once(finished: Path) -> None:
    with server(finished, "--timeout", "100") as (process, port):
        half = socket.create_connection(("127.0.0.1", port))
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 50\r\n\r\n"
        half.sendall(head.encode())
        assert waiting_rows(port) == 0  # the other request is there too
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_requests_reach_the_model_over_the_network_and_no_text_is_printed(finished: Path) -> None:
    with server(finished, "--max-body-mb", "0.001") as (process, port):
        assert post(port, {"texts": ["oven dough", "cockpit"], "top": 3})[0] == 200
        assert post(port, {"text": "sesquipedalian " * 200})[0] == 413
        assert post(port, {"txt": "sesquipedalian"})[0] == 422
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"GET /sesquipedalian?sesquipedalian HTTP/9.9\r\n\r\n")
            raw.recv(1000)
        process.terminate()
        out, errors = process.communicate(timeout=60)
    assert "sesquipedalian" not in out + errors


def test_a_port_that_is_taken_is_one_line(finished: Path) -> None:
    with server(finished) as (_, port):
        words = ["serve", str(finished), "--method", "full", "--port", str(port)]
        found = subprocess.run(
            [sys.executable, "-P", "-m", "showdown", *words], capture_output=True, text=True, timeout=60, check=False
        )
    assert found.returncode == 2
    (line,) = found.stderr.strip().splitlines()
    assert line.startswith(f"error: port {port} of 127.0.0.1 cannot be had")

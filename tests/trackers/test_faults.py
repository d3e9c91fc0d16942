"""A tracker that fails costs one line, bounded time, and nothing of the run."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from showdown.trackers import mirror
from showdown.trackers.mirror import Mirror
from showdown.trackers.tracker import Entry

BROKEN = {
    "missing": "raise ImportError('No module named trackio')",
    "raises": "def __getattr__(name):\n    raise RuntimeError(f'{name} is broken')",
    "dies": "import os\nos._exit(7)",
    "killed": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "talks": "import sys\nprint('run-key ' * 3, flush=True)\nsys.stdout.close()\nraise SystemExit",
    "hangs": "import time\ntime.sleep(600)",
    "hangs with a child": "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_client_costs_one_line(
    fault: str, entries: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "trackio.py").write_text(BROKEN[fault])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(library), os.environ.get("PYTHONPATH", "")]))
    if "hangs" in fault:
        monkeypatch.setattr(mirror, "TIMEOUT_SECONDS", 3.0)
        monkeypatch.setattr(mirror, "_TIMEOUT_SECONDS_PER_ENTRY", 0.0)
    said: list[str] = []
    broken = Mirror("trackio", tmp_path, "small", said.append)
    began = time.monotonic()
    broken.write(entries)
    broken.write(entries)  # once failed it is left alone
    assert time.monotonic() - began < 60
    (line,) = said
    assert line.startswith("trackio: not tracked (")
    assert ("no answer in 3 s" in line) == ("hangs" in fault)
    assert "\n" not in line
    if fault in ("missing", "raises"):
        assert "trackio" in line.removeprefix("trackio")
    monkeypatch.undo()
    ledger = tmp_path / "trackers" / "trackio" / "written.json"
    assert not ledger.exists() or json.loads(ledger.read_text()) == {}


def test_what_a_fault_left_out_is_written_by_the_next_call(
    entries: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/python")
        Mirror("tensorboard", tmp_path, "small", said.append).write(entries)
    assert "No such file" in said[0]
    Mirror("tensorboard", tmp_path, "small", said.append).write(entries)
    assert len(said) == 1
    assert sorted(json.loads((tmp_path / "trackers/tensorboard/written.json").read_text())) == sorted(
        entry.key for entry in entries
    )


def test_a_folder_that_cannot_be_written_costs_one_line(entries: list[Entry], tmp_path: Path) -> None:
    (tmp_path / "trackers").write_text("a file where the folder should be")
    said: list[str] = []
    Mirror("wandb", tmp_path, "small", said.append).write(entries)
    assert len(said) == 1
    assert "wandb: not tracked" in said[0]


def test_no_token_and_no_address_reaches_the_writing_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[Entry]
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "trackio.py").write_text("import os, json\nraise RuntimeError(json.dumps(sorted(os.environ)))")
    monkeypatch.setenv("PYTHONPATH", str(library))
    for name in ("WANDB_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID", "https_proxy"):
        monkeypatch.setenv(name, "https://secret.example")
    Mirror("trackio", tmp_path, "small", lambda line: None).write(entries)
    log = (tmp_path / "trackers" / "trackio" / "log.txt").read_text()
    assert '"WANDB_MODE"' in log
    for name in ("WANDB_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID", "https_proxy"):
        assert name not in log

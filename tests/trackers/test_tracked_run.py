"""`showdown run --track` as a user calls it: twice, with a tracker that works and one that does not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_pretrained import LABELS, separable_rows, write_csv


@pytest.mark.long
def test_a_run_is_tracked_once_and_a_broken_tracker_changes_nothing(tmp_path: Path) -> None:
    rows = separable_rows(40)
    write_csv(tmp_path / "rows.csv", rows)
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "trackio.py").write_text("raise RuntimeError('broken')")
    path = os.pathsep.join([str(tmp_path / "library"), os.environ.get("PYTHONPATH", "")])
    command = [
        *(sys.executable, "-m", "showdown", "run", "rows.csv", "--output", "out", "--set", "name=project"),
        *("--set", "methods={majority: {}, tfidf: {}}", "--set", "protocol.split={kind: single}"),
        *("--track", "tensorboard", "--track", "wandb", "--track", "trackio"),
    ]
    said = []
    for _ in range(2):
        found = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=200,
            check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr + found.stdout
        said.append(found.stdout)
        assert found.stdout.count("trackio: not tracked") == 1
    runs = json.loads((tmp_path / "out" / "results.json").read_text())["runs"]
    assert [run["status"] for run in runs] == ["completed"] * 2
    keys = {run["run_id"] for run in runs} | {"summary"}
    assert "all 2 runs are finished" in said[1]
    trackers = tmp_path / "out" / "trackers"
    for name in ("tensorboard", "wandb"):
        assert set(json.loads((trackers / name / "written.json").read_text())) == keys
    assert len(list((trackers / "wandb" / "wandb").glob("offline-run-*"))) == len(keys)
    hidden = {word for text in rows.texts for word in text.split() if len(word) > 4} | {label for label in LABELS}
    assert len(hidden) > 10
    for file in trackers.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not [word for word in hidden if word.encode() in content], file

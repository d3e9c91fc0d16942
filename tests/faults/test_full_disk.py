"""A disk that is full, of bytes or of files: one line, nothing lost or half-written, and the next call finishes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.volume import of_all
from showdown.testing.material import MATERIALS

BYTES_KB = (40, 90, 150, 200, 250, 300, 350, 400, 450, 500)
FILES = (3, 8, 14, 20, 26, 32, 38, 44, 50, 56)


def mounted(place: Path, option: str) -> bool:
    place.mkdir(exist_ok=True)
    asked = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(place)]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or not mounted(tmp_path / "disk", "size=40k"):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield tmp_path / "disk"
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "disk")], check=True)


def command(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "showdown", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def limits() -> list[str]:
    """Every day one disk without bytes."""
    every = [f"size={size}k" for size in BYTES_KB] + [f"size=10m,nr_inodes={number}" for number in FILES]
    return every if of_all(len(every)) > 1 else ["size=250k"]


FLOORS: dict[str, dict[str, Any]] = {
    "classification": {"methods": {"majority": {}, "tfidf": {}}},
    "generation": {"methods": {"most-common": {}, "copy-prompt": {}}, "model": {"chat_template": "plain"}},
}


@pytest.mark.long
@pytest.mark.parametrize("task", [*FLOORS][: of_all(len(FLOORS))])
@pytest.mark.parametrize("limit", limits())
def test_a_full_disk_costs_nothing(
    disk: Path, tmp_path: Path, pretrained: Callable[[str], Path], limit: str, task: str
) -> None:
    data = MATERIALS[task].source(tmp_path, 60)
    comparison = {
        "task": task,
        "data": {"source": data.source, "near_duplicate_jaccard": 0.99},
        "protocol": {"split": {"kind": "single"}},
        **FLOORS[task],
    }
    if task == "generation":
        comparison["model"]["id"] = str(pretrained("llama"))
    (tmp_path / "mine.yaml").write_text(json.dumps(comparison))
    subprocess.run(["mount", "-o", f"remount,{limit}", str(disk)], check=True)
    run = ("run", "mine.yaml", "--output", "disk/out")
    full = command(*run, folder=tmp_path)
    assert "Traceback" not in full.stderr
    assert full.returncode in (0, 1, 2), full
    if full.returncode == 2:
        (line,) = full.stderr.strip().splitlines()
        assert "Disk full" in line or "No space left on device" in line
    done = {path: path.read_bytes() for path in disk.glob("out/runs/*/result.json")}
    completed = {path: content for path, content in done.items() if b'"completed"' in content}
    assert not list(disk.rglob("*.partial")), "what is left over keeps the disk full"
    report = command("report", "disk/out", "--format", "markdown", folder=tmp_path)
    assert "Traceback" not in report.stderr
    assert "columns" not in report.stderr

    subprocess.run(["mount", "-o", "remount,size=20m,nr_inodes=10000", str(disk)], check=True)
    again = command(*run, folder=tmp_path)
    assert again.returncode == 0, again
    runs = json.loads((disk / "out" / "results.json").read_text())["runs"]
    assert [run["status"] for run in runs] == ["completed", "completed"]
    assert all(path.read_bytes() == content for path, content in completed.items()), "a finished run was done again"

"""A stranger's file from `showdown init` to the table: what was written runs unchanged, and takes one more method."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny_pretrained import separable_rows, write_csv

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def showdown(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "showdown", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "SHOWDOWN_FORECAST": "0"},
    )


def test_what_init_writes_runs_unchanged_and_takes_one_more_method(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    write_csv(tmp_path / "reviews.csv", separable_rows(60))
    model = str(pretrained("bert"))
    keys = ["protocol.epochs=1", "protocol.split={kind: single}", "seeds=[0]"]
    keys += [f"methods.{row}=null" for row in ("zero-shot", "frozen", "full", "qlora")]  # one of each kind is enough
    settings = [word for key in keys for word in ("--set", key)]
    begun = showdown("init", "reviews.csv", "--model", model, *settings, folder=tmp_path)
    assert begun.returncode == 0, begun.stderr
    ran = showdown("run", "reviews.yaml", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert "Recommendation" in ran.stdout
    more = showdown("run", "showdown-out/reviews", "--add", "bitfit", folder=tmp_path)
    assert more.returncode == 0, more.stderr + more.stdout
    assert "; left: bitfit" in more.stdout
    assert "BitFit" in more.stdout
    shown = showdown("show", "showdown-out/reviews", folder=tmp_path)
    assert "BitFit" in shown.stdout
    assert shown.returncode == 0
    listed = showdown("ls", folder=tmp_path)
    assert "showdown-out/reviews" in listed.stdout
    assert "finished" in listed.stdout
    before = len(list(tmp_path.glob("showdown-out/reviews/runs/*/artifact")))
    removed = showdown("rm", "showdown-out/reviews", "--models", "--yes", folder=tmp_path)
    assert removed.returncode == 0, removed.stderr
    assert len(list(tmp_path.glob("showdown-out/reviews/runs/*/artifact"))) < before
    again = showdown("run", "reviews.yaml", folder=tmp_path)
    assert "runs are finished" in again.stdout, "a removed model is not trained again"
    assert "starting" not in again.stdout

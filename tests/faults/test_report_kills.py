"""Killed while it writes reports, `showdown report` leaves whole files or none, and the next call writes them all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.bent_results import whole_results
from showdown.core.files import write_json


@pytest.mark.long
def test_a_killed_report_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_json(folder / "results.json", whole_results(folder))
    tests = Path(__file__).parents[1]
    found = subprocess.run(
        [
            sys.executable,
            str(tests / "faults" / "report_lab.py"),
            str(folder),
            "markdown",
            "csv",
            "latex",
            "parquet",
            "html",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests / "runner"), *sys.path])},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    *torn, last = found.stdout.splitlines()
    assert torn == []
    word, points, same, partials = last.split()
    assert (word, same, partials) == ("points", "True", "0")
    assert int(points) >= 10  # five files, each synced and put in its place

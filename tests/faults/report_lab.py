"""Writes reports in forks that are killed at a point where they write: `python report_lab.py FOLDER FORMAT...`.

Prints the number of points and every file that was neither whole nor absent after a kill.
"""

import os
import sys
from pathlib import Path

from runner.kill_lab import count_writes, counted, reset_count
from showdown import api
from showdown.report.formats import write_report


def write_all(folder: Path, formats: list[str]) -> None:
    results, verdict = api.load(folder), api.judge(folder)
    for form in formats:
        write_report(form, results, verdict, folder)


def in_a_fork(folder: Path, formats: list[str], kill_at: int | None) -> bool:
    """Write all in a fork, and tell whether it was killed."""
    reset_count()
    child = os.fork()
    if child == 0:
        os.setsid()
        count_writes(kill_at)
        write_all(folder, formats)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def contents(folder: Path) -> dict[Path, bytes]:
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: content for path, content in found.items() if path.suffix != ".partial"}


def main(folder: Path, formats: list[str]) -> None:
    before = contents(folder)
    assert not in_a_fork(folder, formats, None)
    points, whole = counted(), contents(folder)
    for path in whole.keys() - before.keys():
        path.unlink()
    for point in range(1, points + 1):
        assert in_a_fork(folder, formats, point)
        for path, content in contents(folder).items():
            if whole[path] != content:
                print("torn", point, path)
    assert not in_a_fork(folder, formats, None)
    print("points", points, contents(folder) == whole, len(list(folder.rglob("*.partial"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

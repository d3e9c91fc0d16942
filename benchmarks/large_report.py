"""Seconds and megabytes of every format of a very large comparison: 1,200 labels of 120 characters, 50 arms.

    python benchmarks/large_report.py --out benchmarks/results/large_report.json

The comparison is made up (`tests/report/written_comparison.py`): 2,400 test rows, each arm right on another share of
them. Every step runs once, in this process.
"""

import argparse
import csv
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from report import written_comparison
from showdown import api
from showdown.report.formats import FORMATS, write_report

CHARACTERS = 120
MB = 1e6


def label_named(place: int) -> str:
    """Return a label of `CHARACTERS` characters that differs from others at its start."""
    return f"label {place:04d} of a catalogue in which every class has a sentence for a name, ".ljust(CHARACTERS, ".")


def written_quickly(path: Path, true: Sequence[int], said: Sequence[int], labels: Sequence[str]) -> None:
    """Write predictions with a score for every label, of which all but one are 0."""

    def cell(text: str) -> str:
        held = io.StringIO()
        csv.writer(held, lineterminator="").writerow([text])
        return held.getvalue()

    names = [cell(label) for label in labels]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["row", "cluster", "label", "predicted", *names]) + "\n")
        for row, (truth, answer) in enumerate(zip(true, said, strict=True), start=1):
            scores = ["0"] * len(labels)
            scores[answer] = "1"
            file.write(",".join([str(row), str(row), names[truth], names[answer], *scores]) + "\n")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work gives and the seconds that it takes."""
    start = time.perf_counter()
    return work(), round(time.perf_counter() - start, 1)


def megabytes(path: Path) -> dict[str, float]:
    """Return the size of a file, or of the largest file of a folder."""
    files = [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path]
    return {"largest_file_mb": round(max(found.stat().st_size for found in files) / MB, 3), "files": len(files)}


def main() -> None:
    """Write the comparison and every format of its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1200)
    parser.add_argument("--arms", type=int, default=50)
    parser.add_argument("--rows", type=int, default=2400)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    written_comparison._write_predictions = written_quickly
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "out"
        arms = {f"arm-{arm:02d}": ("lora", f"LoRA, variant {arm:02d}", 0.5 + arm / 150) for arm in range(options.arms)}
        labels = [label_named(number) for number in range(options.labels)]
        written_comparison.write_comparison(folder, labels=labels, methods=arms, rows=options.rows)
        found: dict[str, Any] = {"labels": options.labels, "arms": options.arms, "test_rows": options.rows}
        found["results.json"] = megabytes(folder / "results.json")
        results, found["load_seconds"] = timed(lambda: api.load(folder))
        verdict, found["judge_seconds"] = timed(lambda: api.judge(folder))
        for form in FORMATS:
            path, seconds = timed(lambda form=form: write_report(form, results, verdict, folder))
            found[form] = {"seconds": seconds, **megabytes(path)}
            print(form, found[form], flush=True)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()

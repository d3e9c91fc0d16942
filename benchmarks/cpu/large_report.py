"""Seconds and megabytes of every format of a very large comparison: 1,200 labels of 120 characters, 50 arms.

    python benchmarks/large_report.py --out benchmarks/results/large_report.json

The comparison is made up (`tests/report/written_comparison.py`): 6,000 test rows, each arm right on another share of
them, memory, times and latencies in random orders. Every step runs once, in this process: seconds by the clock, and
those of one processor, which other work on the machine does not change much.

    python benchmarks/large_report.py --choices

prints instead how many choices under limits a page would hold, and the seconds that one margin of them takes.
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

import numpy as np
from rich.console import Console

from report import written_comparison
from showdown import api
from showdown.core.record import Results
from showdown.report.formats import FORMATS, write_report
from showdown.report.terminal import print_table
from showdown.verdict.decisions import _cells, decisions
from showdown.verdict.model import Verdict
from showdown.verdict.summary import candidates, judge
from showdown.watch.state import Watched

CHARACTERS = 120
MEASURED = written_comparison._measured
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


def in_random_order(place: int, gpu: str | None) -> dict[str, Any]:
    """Return what a row measured, its costs multiplied by chance: in real comparisons they are not in one order."""
    found = dict(MEASURED(place, gpu))
    memory, seconds, latency = np.random.default_rng(place).uniform(0.3, 3.0, 3)
    peak = found["peak_memory_device_gb"]
    found |= {
        key: peak.model_copy(update={"training": memory * 0.5, "run": memory})
        for key in found
        if key.startswith("peak_memory")
    }
    found |= {key: seconds * found[key] for key in ("train_seconds", "total_seconds")}
    found |= {key: latency * found[key] for key in ("latency_p50_ms", "latency_p95_ms")}
    found["phases"] = [phase.model_copy(update={"seconds": seconds * phase.seconds}) for phase in found["phases"]]
    return found


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return what work gives, and the seconds that it takes."""
    start, start_busy = time.perf_counter(), time.process_time()
    given = work()
    seconds, busy = time.perf_counter() - start, time.process_time() - start_busy
    return given, {"seconds": round(seconds, 1), "processor_seconds": round(busy, 1)}


def terminal_table(results: Results, verdict: Verdict) -> None:
    """Print the table as a terminal of 120 columns shows it."""
    print_table(results, verdict, Console(file=io.StringIO(), force_terminal=True, width=120))


def count_choices() -> None:
    """Print what a page would hold of all choices under limits, for some numbers of rows."""
    for rows in (7, 12, 20, 30, 50):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "out"
            arms = {f"arm-{arm:02d}": ("lora", f"LoRA {arm}", 0.5 + 0.45 * arm / rows) for arm in range(rows)}
            written_comparison.write_comparison(
                folder, labels=[str(label) for label in range(10)], methods=arms, rows=300
            )
            verdict = api.judge(folder)
        asked = candidates(verdict.rows, verdict.pairs)
        found, seconds = timed(lambda asked=asked: decisions({1.0: asked}, margin=1.0))
        size = len(found.model_dump_json()) / MB
        print(rows, "rows:", len(_cells(asked)), "cells,", seconds, f"{size:.3f} MB", flush=True)


def megabytes(path: Path) -> dict[str, float]:
    """Return the size of a file, or of the largest file of a folder."""
    files = [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path]
    return {"largest_file_mb": round(max(found.stat().st_size for found in files) / MB, 3), "files": len(files)}


def main() -> None:
    """Write the comparison and every format of its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1200)
    parser.add_argument("--arms", type=int, default=50)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--choices", action="store_true")
    options = parser.parse_args()
    written_comparison._measured = in_random_order
    if options.choices:
        count_choices()
        return
    written_comparison._write_predictions = written_quickly
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "out"
        arms = {f"arm-{arm:02d}": ("lora", f"LoRA, variant {arm:02d}", 0.5 + arm / 150) for arm in range(options.arms)}
        labels = [label_named(number) for number in range(options.labels)]
        written_comparison.write_comparison(folder, labels=labels, methods=arms, rows=options.rows)
        found: dict[str, Any] = {"labels": options.labels, "arms": options.arms, "test_rows": options.rows}
        found["results.json"] = megabytes(folder / "results.json")
        results, found["load"] = timed(lambda: api.load(folder))
        verdict, found["judge"] = timed(lambda: judge(results, folder))
        for form in FORMATS:
            path, seconds = timed(lambda form=form: write_report(form, results, verdict, folder))
            found[form] = {**seconds, **megabytes(path)}
            print(form, found[form], flush=True)
        _, found["terminal table"] = timed(lambda: terminal_table(results, verdict))
        state, found["watch page"] = timed(lambda: Watched(folder).state())
        found["watch page"]["state_mb"] = round(len(json.dumps(state)) / MB, 3)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()

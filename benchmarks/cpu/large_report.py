"""Seconds and size of every report format of a very large comparison: 1,200 labels of 120 characters, 50 arms.

    python -m benchmarks.cpu.large_report --out benchmarks/results

The comparison is made up (`tests/report/written_comparison.py`): 6,000 test rows, of which each arm gets another share
right, with memory, times and latencies in random orders. Every step runs once, in this process. Seconds are by the
clock and of the processor; other work on the machine changes the latter little.

    python -m benchmarks.cpu.large_report --choices --variant choices

measures instead how many choices under limits a page would hold, and the seconds that one margin of them takes.
"""

import argparse
import csv
import io
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.lib.result import ROOT, argument_parser, write_result
from benchmarks.lib.timing import timed

sys.path.insert(0, str(ROOT / "tests"))  # the made-up comparison is the tests'

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
    """Return a label of `CHARACTERS` characters that differs from the others at its start."""
    return f"label {place:04d} of a catalogue in which every class has a sentence for a name, ".ljust(CHARACTERS, ".")


def written_quickly(path: Path, true: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> None:
    """Write predictions with a score for every label; all scores of a row but one are 0."""

    def cell(text: str) -> str:
        held = io.StringIO()
        csv.writer(held, lineterminator="").writerow([text])
        return held.getvalue()

    names = [cell(label) for label in labels]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["row", "cluster", "label", "predicted", *names]) + "\n")
        for row, (truth, answer) in enumerate(zip(true, predicted, strict=True), start=1):
            scores = ["0"] * len(labels)
            scores[answer] = "1"
            file.write(",".join([str(row), str(row), names[truth], names[answer], *scores]) + "\n")


def in_random_order(place: int, gpu: str | None) -> dict[str, Any]:
    """Return an arm's measurements with its costs multiplied by chance: real costs do not rise from arm to arm."""
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


def terminal_table(results: Results, verdict: Verdict) -> None:
    """Print the table as a terminal of 120 columns shows it."""
    print_table(results, verdict, Console(file=io.StringIO(), force_terminal=True, width=120))


def choices() -> list[dict[str, Any]]:
    """Measure what a page would hold of all choices under limits, for some numbers of arms."""
    lines = []
    for rows in (7, 12, 20, 30, 50):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "out"
            arms = {f"arm-{arm:02d}": ("lora", f"LoRA {arm}", 0.5 + 0.45 * arm / rows) for arm in range(rows)}
            written_comparison.write_comparison(
                folder, labels=[str(label) for label in range(10)], methods=arms, rows=300
            )
            verdict = api.judge(folder)
        arms_judged = candidates(verdict.rows, verdict.pairs)
        found, seconds = timed(lambda judged=arms_judged: decisions({1.0: judged}, margin=1.0))
        size_mb = round(len(found.model_dump_json()) / MB, 3)
        lines.append({"arms": rows, "cells": len(_cells(arms_judged)), **seconds, "mb": size_mb})
        print(lines[-1], flush=True)
    return lines


def megabytes(path: Path) -> dict[str, float]:
    """Return the size of a file, or of the largest file of a folder."""
    files = [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path]
    return {"largest_file_mb": round(max(found.stat().st_size for found in files) / MB, 3), "files": len(files)}


def formats(options: argparse.Namespace) -> dict[str, Any]:
    """Write the comparison and every format of its report; return what each took."""
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
    return found


def main() -> None:
    """Measure every report format, or the choices under limits; print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--labels", type=int, default=1200)
    parser.add_argument("--arms", type=int, default=50)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--choices", action="store_true", help="measure the choices under limits")
    options = parser.parse_args()
    written_comparison._measured = in_random_order
    if options.choices:
        write_result(options, {"choices": choices()})
        return
    found = formats(options)
    print(json.dumps(found))
    write_result(options, found)


if __name__ == "__main__":
    main()

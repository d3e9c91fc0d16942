"""Seconds and memory of the whole audit of 100,000 texts: `showdown audit` in a process of its own.

    python -m benchmarks.cpu.audit_speed --out benchmarks/results

Run it on a machine with nothing beside it, since other work makes it slower (`busy_processes_beside`).
Texts of 30 words drawn from 20,000 by Zipf's law, each label with words of its own; 2 % exact copies, 2 % near-copies
with one word changed, 1 % wrong labels. The process may use two cores.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.texts import zipf_texts

LABELS, WORDS, VOCABULARY, OWN_WORDS, OWN_SHARE = 25, 30, 20_000, 40, 0.25
COPIES, NEAR_COPIES, WRONG_LABELS = 0.02, 0.02, 0.01
LIMIT_SECONDS, LIMIT_GB = 60.0, 2.0
CORES = 2


def write_rows(path: Path, count: int) -> None:
    """Write the texts as CSV."""
    rng = np.random.default_rng(20261123)
    words, labels = zipf_texts(
        rng, rows=count, labels=LABELS, words=WORDS, vocabulary=VOCABULARY, own_words=OWN_WORDS, own_share=OWN_SHARE
    )
    copies, near = int(COPIES * count), int(NEAR_COPIES * count)
    source = rng.integers(0, count - copies - near, copies + near)
    words[count - copies - near :], labels[count - copies - near :] = words[source], labels[source]
    words[count - near :, 7] = "changed"
    wrong = rng.choice(count, int(WRONG_LABELS * count), replace=False)
    labels[wrong] = (labels[wrong] + 1) % LABELS
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "label"])
        writer.writerows((" ".join(row), f"label {label}") for row, label in zip(words, labels, strict=True))


def main() -> int:
    """Measure, print and write; return 1 where the target is missed."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write_rows(path, options.rows)
        cores = sorted(os.sched_getaffinity(0))[:CORES]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "showdown", "audit", str(path), "--json", "--output", f"{folder}/found.csv"],
            check=True,
            capture_output=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    report = {
        "rows": options.rows,
        "words": WORDS,
        "labels": LABELS,
        "cores": len(cores),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gb": round(used.ru_maxrss * 1024 / 1e9, 3),
        "busy_processes_beside": round(os.getloadavg()[0], 1),
        "exact_copies": found["audit"]["exact_copies"],
        "near_copies": found["audit"]["near_copies"],
        "rows_to_look_at_first": len(found["inspection"]["look_first"]),
        "leak_rows": (found["inspection"]["leak_worth"] or {}).get("rows"),
        "meets_target": seconds <= LIMIT_SECONDS and used.ru_maxrss * 1024 / 1e9 <= LIMIT_GB,
    }
    for key, value in report.items():
        print(f"{key} {value}")
    write_result(options, report)
    return 0 if report["meets_target"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""Is LoRA over a base in fp8 as good as LoRA? Judged by Showdown's verdict on the built-in resumes, emulated on a CPU.

    python -m benchmarks.cpu.fp8_quality --out benchmarks/results

The default comparison's model, rows and split, with these two methods alone; `--folds 3` tests every row once, and
takes three times as long. The margin is one point. The emulation rounds as a GPU does. Its seconds mean nothing.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from showdown.fp8.machine import EMULATE

os.environ[EMULATE] = "1"

import showdown
from benchmarks.lib.result import argument_parser, write_result

KINDS = ["Advocate", "Arts", "Business Analyst", "Civil Engineer", "Data Science", "Electrical Engineering", "HR",
         "Java Developer", "Mechanical Engineer", "Sales"]  # fmt: skip
MARGIN_POINTS = 1.0


def comparison(folds: int) -> dict[str, Any]:
    """Return the comparison, in so many folds, or in one split for 1."""
    single = {"kind": "single", "train": 0.55, "validation": 0.15, "test": 0.30}
    return {
        "name": "fp8-quality",
        "model": {"id": "all-minilm-l6-v2"},
        "data": {"source": "resumes", "labels": KINDS},
        "methods": {"lora": {}, "rounded": {"method": "lora", "base": "fp8"}},
        "margin_points": MARGIN_POINTS,
        "protocol": {
            "split": single if folds == 1 else {"kind": "kfold", "folds": folds},
            "tuning": None,
            "effective_batch_rows": 4,
            "max_tokens": 64,
            "dropout": 0.0,
        },
        "seeds": [0],
    }


def main() -> None:
    """Run the comparison, print and write its verdict."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--folds", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    results = showdown.run(comparison(options.folds), output=folder)
    verdict = showdown.judge(folder)
    found = {
        "accuracy": {row.name: row.accuracy and row.accuracy.value for row in verdict.rows},
        "converged": {run.run_id: run.convergence and run.convergence.model_dump() for run in results.runs},
        "pairs": [pair.model_dump(mode="json") for pair in verdict.pairs],
        "sentences": verdict.sentences,
    }
    for sentence in verdict.sentences:
        print(sentence)
    write_result(options, found)


if __name__ == "__main__":
    main()

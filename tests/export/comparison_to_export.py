"""A comparison on a tiny network, whose saved models are exported."""

from pathlib import Path
from typing import Any

import showdown
from tiny_pretrained import separable_rows, write_csv

ROWS = 60


def run_comparison(base: Path, folder: Path, methods: dict[str, dict[str, Any]]) -> Path:
    """Run methods on texts that one epoch learns a part of, and return the comparison's folder."""
    comparison = {
        "name": "tiny",
        "model": {"id": str(base)},
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(ROWS)))},
        "methods": methods,
        "protocol": {"epochs": 2, "max_tokens": 16, "split": {"kind": "single"}, "tuning": None},
        "seeds": [0],
    }
    showdown.run(comparison, output=folder / "out")
    return folder / "out"

"""Is the verdict calibrated? Simulated comparisons with known truth, and one cheap method entered twice for real.

Usage (from the checkout):

    python benchmarks/calibration.py --processes 16                   # every part
    python benchmarks/calibration.py --comparisons 200 accuracy equal # some parts, 200 comparisons a line

Each part prints a table and writes `benchmarks/results/calibration-PART.json`. The statistics are the product's own.
The same line always draws the same comparisons, whatever runs beside it.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from calibration_parts.cell import Cell, Part

from showdown.core.files import write_json

RESULTS = Path(__file__).resolve().parent / "results"
PARTS = {
    "equal": ("pairs", "equal_methods", "equal_lines", 2000),
    "accuracy": ("scores", "accuracy", "accuracy_lines", 2000),
    "macro-f1": ("scores", "macro_f1", "macro_f1_lines", 1000),
    "f1-difference": ("scores", "f1_difference", "f1_difference_lines", 500),
    "power": ("pairs", "power", "power_lines", 1000),
    "non-inferior": ("pairs", "non_inferior", "non_inferior_lines", 2000),
    "leads": ("pairs", "leads", "lead_lines", 2000),
    "decide": ("pairs", "forecast", "forecast_lines", 500),
    "failed-fold": ("pairs", "failed_fold", "failed_fold_lines", 1000),
    "metric": ("metric", "metric", "metric_lines", 500),
    "recommend": ("choices", "recommendations", "recommendation_lines", 500),
    "dear": ("choices", "dear", "dear_lines", 500),
    "worse": ("choices", "worse", "worse_lines", 500),
    "real": ("real", "twice_for_real", "real_lines", 500),
}
"""For each part: its module, what is simulated, its lines, and how many comparisons a line."""


def part_of(name: str) -> Part:
    """Return what a part simulates, how often, and its lines."""
    module, simulated, lines, times = PARTS[name]
    found = import_module(f"calibration_parts.{module}")
    return getattr(found, simulated), times, getattr(found, lines)


def cells_of(name: str, comparisons: int | None) -> list[Cell]:
    """Return the lines of a part."""
    _, times, lines = part_of(name)
    return [
        Cell(part=name, settings=settings, times=comparisons or times, number=number, least=least, most=most)
        for number, (settings, least, most) in enumerate(lines())
    ]


def work(cell: Cell) -> dict[str, Any]:
    """Simulate one line."""
    started = time.perf_counter()
    found = part_of(cell.part)[0](cell)
    named = {key: "study" if str(value).endswith(".csv") else value for key, value in cell.settings.items()}
    target = {"at_least": cell.least, "at_most": cell.most, "meets_target": cell.meets(found["share"])}
    return {**named, "comparisons": cell.times, **found, **target, "seconds": round(time.perf_counter() - started, 1)}


def run_part(name: str, comparisons: int | None, pool: ProcessPoolExecutor) -> bool:
    """Run one part, print its table, write its file; return whether all targets are met."""
    cells = cells_of(name, comparisons)
    started = time.perf_counter()
    lines = list(pool.map(work, cells))
    judged = [line["meets_target"] for line in lines if line["meets_target"] is not None]
    print(f"\n{name}: {sum(judged)} of {len(judged)} judged lines meet the target")
    for line in lines:
        said = "  ".join(f"{key} {_short(value)}" for key, value in line.items() if value is not None)
        print(f"  {'' if line['meets_target'] in (None, True) else 'MISSED '}{said}", flush=True)
    report = {
        "part": name,
        "comparisons_per_line": cells[0].times,
        "seconds": round(time.perf_counter() - started, 1),
        "judged": len(judged),
        "met": sum(judged),
        "lines": [{key: round(v, 5) if isinstance(v, float) else v for key, v in line.items()} for line in lines],
    }
    write_json(RESULTS / f"calibration-{name}.json", report)
    return all(judged)


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="parts to run; all without any")
    parser.add_argument("--comparisons", type=int, help="comparisons a line; by default 500 to 2,000")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.processes) as pool:
        met = [run_part(part, chosen.comparisons, pool) for part in chosen.parts or PARTS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())

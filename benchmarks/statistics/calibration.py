"""Is the verdict calibrated? Simulated comparisons whose truth is known, and a real one of a method with itself.

    python -m benchmarks.statistics.calibration --processes 16 --out benchmarks/results   # every part
    python -m benchmarks.statistics.calibration --comparisons 200 accuracy equal          # two parts, 200 a line

Each part prints a table and writes a file of its own, `calibration-PART.json`. The statistics are the product's own. A
line always draws the same comparisons, whatever runs beside it.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.statistics.calibration_parts.cell import Cell, Part

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
    "written": ("written", "written", "written_lines", 500),
    "recommend": ("choices", "recommendations", "recommendation_lines", 500),
    "dear": ("choices", "dear", "dear_lines", 500),
    "worse": ("choices", "worse", "worse_lines", 500),
    "real": ("real", "twice_for_real", "real_lines", 500),
}
"""For each part: its module, what is simulated, its lines, and how many comparisons a line."""


def part_of(name: str) -> Part:
    """Return what a part simulates, how often, and its lines."""
    module, simulated, lines, times = PARTS[name]
    found = import_module(f"benchmarks.statistics.calibration_parts.{module}")
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


def run_part(name: str, options: argparse.Namespace, pool: ProcessPoolExecutor) -> bool:
    """Run one part, print its table, write its file; return whether all targets are met."""
    cells = cells_of(name, options.comparisons)
    started = time.perf_counter()
    lines = list(pool.map(work, cells))
    judged = [line["meets_target"] for line in lines if line["meets_target"] is not None]
    print(f"\n{name}: {sum(judged)} of {len(judged)} judged lines meet the target")
    for line in lines:
        shown = "  ".join(f"{key} {_short(value)}" for key, value in line.items() if value is not None)
        print(f"  {'' if line['meets_target'] in (None, True) else 'MISSED '}{shown}", flush=True)
    report = {
        "part": name,
        "comparisons_per_line": cells[0].times,
        "seconds": round(time.perf_counter() - started, 1),
        "judged": len(judged),
        "met": sum(judged),
        "lines": [{key: round(v, 5) if isinstance(v, float) else v for key, v in line.items()} for line in lines],
    }
    arguments = ["--comparisons", str(options.comparisons), name] if options.comparisons else [name]
    write_result(options, report, variant=name, arguments=arguments)
    return all(judged)


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run the parts named on the command line, or all."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="parts to run; by default all")
    parser.add_argument("--comparisons", type=int, help="comparisons of each line; by default 500 to 2,000")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        met = [run_part(part, options, pool) for part in options.parts or PARTS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Forecasts of measured cells by the code as it is, beside what they took, and two published formulas for memory.

    python -m benchmarks.lib.forecast_proof benchmarks/results/gpu/forecast.json
    python -m benchmarks.lib.forecast_proof benchmarks/results/gpu/forecast.json --profile h200

The device's profile is the one in the file, or a shipped one with the file's launches, as `showdown run` takes it on a
machine that was not measured.

`accelerate estimate-memory` (accelerate 1.15, `commands/estimate.py`): with bfloat16, the largest of its parts, which
is twice the weights in float32, whatever is trained. "Transformer Math 101" (Anthony, Biderman and Schoelkopf,
EleutherAI, 2023): 2 bytes of weights, and of each learning weight 2 of gradient and 12 of AdamW; activations of
s b h L (10 + 24 + 5 a s / h) bytes with none recomputed, 2 s b h L with all (Korthikanti et al., arXiv 2205.05198),
padding included.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lib.forecast_cells import Cell
from benchmarks.lib.forecast_counted import Counted, counted
from benchmarks.lib.forecast_sets import SETS
from benchmarks.lib.forecast_shapes import SHAPES
from showdown.engine.budget import largest_tokens
from showdown.forecast.fitted import COEFFICIENTS, TIME_SPREAD

GB = 1e9
_GOALS = {"time": 0.2, "memory": 0.1}


def accelerate_gb(weights: float) -> float:
    """Return the peak by accelerate's formula, from the number of weights."""
    return 2 * 4 * weights / GB


def transformer_math_gb(cell: Cell, found: Counted) -> float:
    """Return the peak by EleutherAI's formulas."""
    _, shape = SHAPES[cell.shape]
    weights = float(found.weights)
    learning = weights if cell.method == "full" else 0.0  # those of adapters are too few to show
    settings, lengths = found.settings, [cell.lengths[1]] * cell.rows
    length, rows = max(lengths), settings["micro_batch_rows"]
    if settings["micro_batch_tokens"]:
        rows = min(rows, max(1, min(settings["micro_batch_tokens"], largest_tokens(lengths, rows)) // length))
    hidden, layers, heads = (shape[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
    each = 2.0 if settings["recompute"] else 34 + 5 * heads * length / hidden
    kept = length * rows * hidden * layers * each
    base = 0.5 if cell.method == "qlora" else 2.0
    return (base * weights + 14 * learning + kept) / GB


def said(name: str, errors: Sequence[float], goal: float) -> str:
    """Return a line on errors."""
    sizes = [abs(error) for error in errors]
    within = sum(size <= goal for size in sizes)
    span = f"median {statistics.median(sizes):.1%}, from {min(errors):+.0%} to {max(errors):+.0%}"
    return f"{name}: {span}; {within} of {len(sizes)} within {goal:.0%}"


def main() -> None:
    """Print every cell and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--profile", metavar="NAME", help="a shipped profile in place of that of the file")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    device = options.results[0].parent.name
    cells = {cell.name: cell for some in SETS[device].values() for cell in some()}
    errors: dict[str, list[float]] = {}
    inside: dict[str, list[bool]] = {}
    for one in counted(options.results, options.processes, options.profile):
        expected = one.counted_gb + one.process_gb
        fits = "fits" if one.peak.fits else "does not fit"
        if not one.seconds or not one.peak_gb:
            print(f"{one.cell}: ran out of memory; forecast {expected:.1f} GB: {fits}")
            continue
        seconds = one.forecast_seconds(COEFFICIENTS[one.path])
        time, memory = seconds / one.seconds - 1, expected / one.peak_gb - 1
        shift = expected - one.peak.allocated_gb.expected  # of a process on the machine that measured
        peak = one.peak.allocated_gb
        low, high = TIME_SPREAD[one.path]
        for group in ("all", one.path):
            inside.setdefault(f"memory, {group}", []).append(peak.low + shift <= one.peak_gb <= peak.high + shift)
            inside.setdefault(f"time, {group}", []).append(low * seconds <= one.seconds <= high * seconds)
        print(f"{one.cell}: {one.peak_gb:.3f} GB {memory:+.1%}, {fits}; {one.seconds * 1e3:.1f} ms {time:+.1%}")
        for name, error in (("time", time), ("memory", memory)):
            errors.setdefault(f"{name}, all", []).append(error)
            errors.setdefault(f"{name}, {one.path}", []).append(error)
        if device == "gpu":
            rivals = {
                "accelerate": accelerate_gb(one.weights),
                "Transformer Math 101": transformer_math_gb(cells[one.cell], one),
            }
            for name, peak_gb in rivals.items():
                errors.setdefault(f"memory by {name}", []).append(peak_gb / one.peak_gb - 1)
    for name, found in errors.items():
        print(said(name, found, _GOALS[name[:4] if name.startswith("time") else "memory"]))
    for name, held in inside.items():
        print(f"within the range, {name}: {sum(held)} of {len(held)}")


if __name__ == "__main__":
    main()

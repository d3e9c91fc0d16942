"""Two published formulas for the memory of a training, on the cells of the forecast's proof, and the proof's summary.

    python -m benchmarks.lib.forecast_rivals benchmarks/results/gpu/forecast.json

`accelerate estimate-memory` (accelerate 1.15, `commands/estimate.py`): with bfloat16, the largest of its parts, which
is twice the weights in float32, whatever is trained. "Transformer Math 101" (Anthony, Biderman and Schoelkopf,
EleutherAI, 2023): 2 bytes of weights, and of each learning weight 2 of gradient and 12 of AdamW; activations of
s b h L (10 + 24 + 5 a s / h) bytes with none recomputed, 2 s b h L with all (Korthikanti et al., arXiv 2205.05198),
padding included.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.lib.forecast_cells import SHAPES, Cell
from benchmarks.lib.forecast_sets import gpu_proof
from showdown.engine.budget import largest_tokens

GB = 1e9


def accelerate_gb(weights: float) -> float:
    """Return the peak by accelerate's formula, from the number of weights."""
    return 2 * 4 * weights / GB


def transformer_math_gb(cell: Cell, found: dict[str, Any]) -> float:
    """Return the peak by EleutherAI's formulas."""
    _, shape = SHAPES[cell.shape]
    weights = float(found["weights"])
    learning = weights if cell.method == "full" else 0.0  # those of adapters are too few to show
    settings = found["settings"]
    lengths = [tokens for tokens, _ in cell.drawn(found["steps"])]
    length, rows = max(lengths), settings["micro_batch_rows"]
    if settings["micro_batch_tokens"]:
        rows = min(rows, max(1, min(settings["micro_batch_tokens"], largest_tokens(lengths, rows)) // length))
    hidden, layers, heads = (shape[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
    each = 2.0 if settings["recompute"] else 34 + 5 * heads * length / hidden
    kept = length * rows * hidden * layers * each
    base = 0.5 if cell.method == "qlora" else 2.0
    return (base * weights + 14 * learning + kept) / GB


def main() -> None:
    """Print the summary."""
    cells = {cell.name: cell for cell in gpu_proof()}
    errors: dict[str, list[float]] = {"forecast": [], "accelerate": [], "Transformer Math 101": []}
    times: list[float] = []
    for one in json.loads(Path(sys.argv[1]).read_text())["results"]["cells"]:
        measured = one.get("measured", {})
        if "peak_gb" not in measured:
            continue
        peaks = {
            "forecast": one["forecast"]["peak_gb"]["expected"],
            "accelerate": accelerate_gb(one["weights"]),
            "Transformer Math 101": transformer_math_gb(cells[one["cell"]], one),
        }
        for name, peak in peaks.items():
            errors[name].append(peak / measured["peak_gb"] - 1)
        times.append(one["forecast"]["seconds_a_step"] / measured["seconds_a_step"] - 1)
    for name, found in {**{f"memory, {key}": value for key, value in errors.items()}, "time, forecast": times}.items():
        sizes = [abs(error) for error in found]
        within = sum(size <= (0.2 if name.startswith("time") else 0.1) for size in sizes)
        span = f"median {statistics.median(sizes):.1%}, from {min(found):+.0%} to {max(found):+.0%}"
        print(f"{name}: {span}; {within} of {len(sizes)} within the goal")


if __name__ == "__main__":
    main()

"""Losses of fifty steps in fp8 beside bfloat16: the same 7B, rows, order and weights, without dropout.

    python -m benchmarks.gpu.fp8_curves --out benchmarks/results

bfloat16 runs twice; the distance of these two is its own spread. For full fine-tuning the second run has another seed
of its stochastic rounding; for LoRA, which rounds nothing at random, it has several micro-batches a step instead of
one, which in exact arithmetic is the same training. Full fine-tuning in fp8 runs with weight gradients in fp8 and in
bfloat16. One process a run.
"""

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.lib.processes import in_a_process, way_to_start
from benchmarks.lib.result import Place, argument_parser, write_result

PARTS = 4
"""Micro-batches of LoRA's second run in bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training."""

    name: str
    method: str
    parts: int = 1
    """Micro-batches of a step."""
    seed: int = 1
    weight_gradients: bool = True
    """Whether those of full fine-tuning in fp8 are in fp8 too."""


RUNS = {
    "full": [
        Run(name="bf16", method="full"),
        Run(name="fp8", method="full-fp8"),
        Run(name="bf16, again", method="full", seed=2),
        Run(name="fp8, weight gradients in bf16", method="full-fp8", weight_gradients=False),
    ],
    "lora": [
        Run(name="bf16", method="lora"),
        Run(name="fp8", method="lora-fp8"),
        Run(name="bf16, again", method="lora", parts=PARTS),
    ],
}


def measure(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """Train once and return the losses."""
    import torch

    from benchmarks.lib import engine
    from benchmarks.lib.workload import EFFECTIVE_ROWS, steps_of, training_rows, vocabulary_of
    from showdown.fp8 import linear

    linear.WEIGHT_GRADIENTS_IN_FP8 = run.weight_gradients
    rows = training_rows(vocabulary_of(tiny=options.tiny))
    epoch = steps_of(run.method, rows, every=1, at_most=None)
    torch.manual_seed(run.seed)
    return engine.run(
        run.method, rows, (epoch + epoch)[: options.steps], [], tiny=options.tiny, device=options.device, dropout=0.0,
        settings={"micro_rows": EFFECTIVE_ROWS[run.method] // run.parts},
    )  # fmt: skip


def compared(curves: dict[str, list[float]]) -> dict[str, Any]:
    """Return the curves, how far each is from that of bfloat16 on average, and the mean of the last ten losses."""
    first = curves.get("bf16", [])
    return {
        "curves": curves,
        "mean_distance": {
            f"bf16 to {name}": sum(abs(a - b) for a, b in zip(first, curve, strict=True)) / len(curve)
            for name, curve in curves.items()
            if first and name != "bf16"
        },
        "mean_of_last_ten": {name: sum(curve[-10:]) / len(curve[-10:]) for name, curve in curves.items()},
    }


def main() -> None:
    """Train, compare, and write after each training."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--methods", nargs="+", default=["full", "lora"], choices=list(RUNS))
    parser.add_argument("--seconds", type=float, default=150, help="end everything after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    start = way_to_start(options.device, ("peft", "transformers"))
    began = time.perf_counter()
    curves: dict[str, dict[str, list[float]]] = {name: {} for name in options.methods}
    planned = [(name, run) for name in options.methods for run in RUNS[name]]
    for method, run in planned:
        left = options.seconds - (time.perf_counter() - began)
        if left <= 0:
            break
        found = in_a_process(measure, (run, options), device=options.device, start=start, seconds=left)
        if "error" in found:
            print(method, run.name, found["error"], flush=True)
            continue
        curves[method][run.name] = found["losses"]
        results = {name: compared(named) for name, named in curves.items() if named}
        shown = {key: value for key, value in results[method].items() if key != "curves"}
        print(f"{time.perf_counter() - began:7.1f} {method} {run.name} {json.dumps(shown)}", flush=True)
        write_result(options, results, place=Place.model_validate(found["place"]))


if __name__ == "__main__":
    main()

"""Fifty steps of LoRA beside the recipe, dropout off: the same rows, order and weights, loss by loss.

Run `python benchmarks/gpu_curves.py --out FILE`. The engine runs twice, with micro-batches of 16 and of 4 rows: what
differs between those two runs is the spread of bfloat16 itself.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gc

import gpu_engine
import gpu_recipe
import torch
from gpu_meter import environment
from gpu_workload import FULL_SHAPE, TINY_SHAPE, steps_of, training_rows


def main() -> None:
    """Train three times and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    rows = training_rows((TINY_SHAPE if options.tiny else FULL_SHAPE)["vocab_size"])
    epoch = steps_of("lora", rows, every=1, at_most=None)
    steps = (epoch + epoch)[: options.steps]
    shared = {"tiny": options.tiny, "device": options.device, "dropout": 0.0}
    curves = {"recipe": gpu_recipe.run("lora", rows, steps, [], **shared, grouped=False, curve=True)["losses"]}
    for micro in (16, 4):
        gc.collect()
        if options.device == "cuda":
            torch.cuda.empty_cache()
        found = gpu_engine.run("lora", rows, steps, [], **shared, settings={"micro_rows": micro})
        curves[f"engine, micro-batch {micro}"] = found["losses"]
    recipe, engine, other = (torch.tensor(curve) for curve in curves.values())
    result = {
        "curves": curves,
        "mean_distance_to_recipe": float((engine - recipe).abs().mean()),
        "mean_distance_between_micro_batches": float((engine - other).abs().mean()),
        "environment": environment(options.device),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print({key: value for key, value in result.items() if key.startswith("mean")}, recipe[-3:], engine[-3:])


if __name__ == "__main__":
    main()

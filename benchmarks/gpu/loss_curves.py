"""Fifty steps of LoRA beside the recipe, dropout off: the same rows, order and weights, loss by loss.

Run `python benchmarks/gpu_curves.py --out FILE`. Each side runs twice, with micro-batches of 16 and of 4 rows, which in
exact arithmetic are the same training: what two such runs differ by is the spread of bfloat16 itself. The recipe's
weights are bfloat16 here, as the engine's are, so that both begin with the same network.
"""

import argparse
import gc
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gpu_engine
import gpu_recipe
import torch
from gpu_meter import environment
from gpu_workload import FULL_SHAPE, TINY_SHAPE, steps_of, training_rows


def main() -> None:
    """Train four times and compare."""
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
    curves: dict[str, torch.Tensor] = {}
    for micro in (16, 4):
        of_recipe = {"grouped": False, "curve": True, "batch_rows": micro, "weights": torch.bfloat16}
        curves[f"recipe, {micro}"] = _curve(gpu_recipe.run("lora", rows, steps, [], **shared, **of_recipe), options)
        found = gpu_engine.run("lora", rows, steps, [], **shared, settings={"micro_rows": micro})
        curves[f"engine, {micro}"] = _curve(found, options)
    result = {
        "curves": {name: curve.tolist() for name, curve in curves.items()},
        "mean_distance": {
            f"{one} to {other}": float((curves[one] - curves[other]).abs().mean())
            for one, other in (
                ("engine, 16", "recipe, 16"),
                ("engine, 4", "recipe, 4"),
                ("recipe, 16", "recipe, 4"),
                ("engine, 16", "engine, 4"),
            )
        },
        "environment": environment(options.device),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(result["mean_distance"])


def _curve(found: dict[str, list[float]], options: argparse.Namespace) -> torch.Tensor:
    """Return the losses, and free the memory of the training that is over."""
    gc.collect()
    if options.device == "cuda":
        torch.cuda.empty_cache()
    return torch.tensor(found["losses"])


if __name__ == "__main__":
    main()

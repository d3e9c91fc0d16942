"""Losses of fifty steps of LoRA, by the engine and by the recipe: the same rows, order and weights, without dropout.

    python -m benchmarks.gpu.loss_curves --out benchmarks/results

Each runs twice, with micro-batches of 16 and of 4 rows, which in exact arithmetic are the same training: the distance
of two such runs is the spread of bfloat16 itself. The recipe's weights are bfloat16 here, as the engine's are, so that
both start from the same network.
"""

import torch

from benchmarks.lib import engine, recipe
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory
from benchmarks.lib.workload import steps_of, training_rows, vocabulary_of


def main() -> None:
    """Train four times and compare."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    rows = training_rows(vocabulary_of(tiny=options.tiny))
    epoch = steps_of("lora", rows, every=1, at_most=None)
    steps = (epoch + epoch)[: options.steps]
    shared = {"tiny": options.tiny, "device": options.device, "dropout": 0.0}
    curves: dict[str, torch.Tensor] = {}
    for micro in (16, 4):
        of_recipe = {"grouped": False, "curve": True, "batch_rows": micro, "weights": torch.bfloat16}
        curves[f"recipe, {micro}"] = _curve(recipe.run("lora", rows, steps, [], **shared, **of_recipe), options.device)
        found = engine.run("lora", rows, steps, [], **shared, settings={"micro_rows": micro})
        curves[f"engine, {micro}"] = _curve(found, options.device)
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
    }
    print(result["mean_distance"])
    write_result(options, result, device=options.device)


def _curve(found: dict[str, list[float]], device: str) -> torch.Tensor:
    """Return the losses, and free the memory of the training that is over."""
    free_memory(device)
    return torch.tensor(found["losses"])


if __name__ == "__main__":
    main()

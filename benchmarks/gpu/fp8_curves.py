"""Losses of fifty steps in fp8 beside bfloat16: the same 7B, rows, order and weights, without dropout.

    python -m benchmarks.gpu.fp8_curves --out benchmarks/results

bfloat16 runs twice, with all rows of a step in one micro-batch and in several, which in exact arithmetic is the same
training: the distance of these two is its own spread.
"""

import torch

from benchmarks.lib import engine
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory
from benchmarks.lib.workload import EFFECTIVE_ROWS, steps_of, training_rows, vocabulary_of

PARTS = 4
"""Micro-batches of the second run in bfloat16."""


def main() -> None:
    """Train and compare."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--methods", nargs="+", default=["lora", "full"], metavar="METHOD")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    rows = training_rows(vocabulary_of(tiny=options.tiny))
    found = {}
    for method in options.methods:
        every = EFFECTIVE_ROWS[method]
        epoch = steps_of(method, rows, every=1, at_most=None)
        steps = (epoch + epoch)[: options.steps]
        curves: dict[str, torch.Tensor] = {}
        for name, kind, micro in (
            ("bf16", method, every), ("bf16, smaller", method, every // PARTS), ("fp8", f"{method}-fp8", every)
        ):  # fmt: skip
            run = engine.run(
                kind, rows, steps, [], tiny=options.tiny, device=options.device, dropout=0.0,
                settings={"micro_rows": micro},
            )  # fmt: skip
            curves[name] = torch.tensor(run["losses"])
            free_memory(options.device)
        found[method] = {
            "curves": {name: curve.tolist() for name, curve in curves.items()},
            "mean_distance": {
                f"{one} to {other}": float((curves[one] - curves[other]).abs().mean())
                for one, other in (("bf16", "bf16, smaller"), ("bf16", "fp8"))
            },
            "mean_of_last_ten": {name: float(curve[-10:].mean()) for name, curve in curves.items()},
        }
        print(method, found[method]["mean_distance"], found[method]["mean_of_last_ten"], flush=True)
        write_result(options, found, device=options.device)


if __name__ == "__main__":
    main()

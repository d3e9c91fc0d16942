"""Losses of fifty steps of a language model, by Showdown and by TRL's SFTTrainer on the same rows.

    python -m benchmarks.gpu.language_losses --out benchmarks/results

A network of a 1B's shape with the same random weights for both, rows that can be learned with instruction data's
lengths, none twice, loss on the answers, 16 rows a step, the same rate, which falls linearly to 0, clipping at 1.0 and
AdamW. TRL runs padding-free with Liger's kernels. Each training runs with micro-batches of 16 and of 4 rows, which in
exact arithmetic are the same training: the distance of two such runs of one program is the noise of bfloat16.

`lora` learns adapters in float32 on all linear layers of a bfloat16 network. `full-nearest` learns bfloat16 weights,
each step rounded to nearest, as TRL does where a network is loaded in bfloat16. `full-masters` learns float32 weights
and computes in bfloat16; TRL casts them in each product (autocast), Showdown keeps bfloat16 copies.
`full-stochastic` is Showdown alone, with its default rounding; its rival is TRL's `full-masters`.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from benchmarks.lib.processes import in_a_process
from benchmarks.lib.result import Place, argument_parser, write_result

MICRO_ROWS = (16, 4)
ROUNDING = {"lora": "float32", "full-nearest": "nearest", "full-masters": "float32", "full-stochastic": "stochastic"}
"""By kind of training: Showdown's `weight_rounding`."""
RIVALS = {"lora": "lora", "full-nearest": "full-nearest", "full-masters": "full-masters"} | {
    "full-stochastic": "full-masters"
}
"""By kind of training: that of TRL which it is compared with."""
Curves = dict[str, list[float]]
"""Losses by step, by the name of the training: party, kind and micro-batch rows."""


def trainings() -> list[tuple[str, str, int]]:
    """Return party, kind and micro-batch rows of each training."""
    showdown = [("showdown", kind, rows) for rows, kind in product(MICRO_ROWS, ROUNDING)]
    return showdown + [("trl", kind, rows) for rows, kind in product(MICRO_ROWS, dict.fromkeys(RIVALS.values()))]


def train(party: str, kind: str, micro_rows: int, shape: str, steps: int, device: str) -> dict[str, Any]:
    """Train once, in this process, and return the losses."""
    from benchmarks.lib.language_model import SHAPES, learnable

    work, method = learnable(SHAPES[shape]["vocab_size"], steps=steps), kind.partition("-")[0]
    if party == "showdown":
        from benchmarks.lib.showdown_party import run_showdown

        settings = {"memory": "speed", "micro_batch_rows": micro_rows, "weight_rounding": ROUNDING[kind]}
        return run_showdown(method, work, shape=shape, device=device, settings=settings)
    from benchmarks.lib.sft_peers import run_trl

    settings = {"micro_rows": micro_rows, "masters": kind != "full-nearest", "curve": True}
    return run_trl(method, work, shape=shape, device=device, settings=settings)


def name_of(party: str, kind: str, micro_rows: int) -> str:
    """Return the name of a training."""
    return f"{party}, {kind}, {micro_rows}"


def distances(curves: Curves) -> dict[str, dict[str, dict[str, float]]]:
    """Return for each kind how far the losses of two trainings lie apart: mean, largest, and mean with its sign."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind, rival in RIVALS.items():
        ours, theirs = ([name_of(*who, rows) for rows in MICRO_ROWS] for who in (("showdown", kind), ("trl", rival)))
        pairs = [*zip(ours, theirs, strict=True), (theirs[0], theirs[1]), (ours[0], ours[1])]
        found[kind] = {
            f"{one} to {other}": _distance(curves[one], curves[other])
            for one, other in pairs
            if one in curves and other in curves
        }
    return found


def _distance(one: list[float], other: list[float]) -> dict[str, float]:
    apart = [here - there for here, there in zip(one, other, strict=True)]
    return {
        "mean": sum(map(abs, apart)) / len(apart),
        "largest": max(map(abs, apart)),
        "signed_mean": sum(apart) / len(apart),
    }


def main() -> None:
    """Run all trainings, several at a time, and compare their losses."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--shape", default="1b", choices=("7b", "1b", "tiny"))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--together", type=int, default=3, help="trainings at a time; nothing is timed")
    parser.add_argument("--case-seconds", type=float, default=150, help="end a training after so many seconds")
    options = parser.parse_args()
    curves: Curves = {}
    errors: dict[str, str] = {}
    place: Place | None = None

    def run(one: tuple[str, str, int]) -> tuple[str, dict[str, Any]]:
        arguments = (*one, options.shape, options.steps, options.device)
        return name_of(*one), in_a_process(
            train, arguments, device=options.device, start="spawn", seconds=options.case_seconds
        )

    with ThreadPoolExecutor(options.together) as pool:
        for name, found in pool.map(run, trainings()):
            if "error" in found:
                errors[name] = found["error"]
            else:
                curves[name], place = found["losses"], Place.model_validate(found["place"])
            print(name, found.get("error") or f"{found['losses'][0]:.4f} to {found['losses'][-1]:.4f}", flush=True)
            _write(options, curves, errors, place)
    for kind, pairs in distances(curves).items():
        for pair, apart in pairs.items():
            print(f"{kind:16} {pair:56} " + " ".join(f"{key} {value:.5f}" for key, value in apart.items()))


def _write(options: argparse.Namespace, curves: Curves, errors: dict[str, str], place: Place | None) -> None:
    """Write what there is so far, so that a call that is cut short keeps it."""
    if place:
        results = {"shape": options.shape, "distances": distances(curves), "errors": errors, "curves": curves}
        write_result(options, results, place=place)


if __name__ == "__main__":
    main()

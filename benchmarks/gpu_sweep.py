"""How step time and memory grow: with the tokens of a step (512 to 65,536), and with one sequence (512 to 8,192).

Run `python benchmarks/gpu_sweep.py --out FILE`. LoRA of a 7B with recomputed layers, one pack a step. Then what CUDA
graphs save, in pairs of the same network with and without them: steps of 16 short rows of that training, and of a
network of a billion weights, adapters and whole.
"""

import argparse
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import gpu_engine
import torch
from gpu_meter import environment
from gpu_workload import FULL_SHAPE, SMALL_SHAPE, TINY_SHAPE, Rows

from showdown.engine.accumulate import EagerAccumulator
from showdown.engine.overhead import paused_garbage_collector

STEP_TOKENS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
SEQUENCE_TOKENS = (512, 1024, 2048, 4096, 8192)
SHORT_ROWS = (8, 16, 32, 64, 128)
"""Tokens of each of the 16 rows of a short step."""
REPEATS = 3
WARM_UP_SECONDS = 4.0


def rows_of(lengths: list[int], vocabulary: int) -> Rows:
    """Random rows of these lengths."""
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(100, vocabulary, (length,), generator=generator) for length in lengths]
    return Rows(ids=ids, targets=[number % 25 for number in range(len(lengths))])


def measured(
    training: gpu_engine.Training, rows: Rows, steps: list[list[int]], *, cuda: bool, graphs: bool = True
) -> dict[str, float]:
    """Median seconds of the steps over these rows after two rounds of warm-up, and the peak of allocated memory.

    The peak includes the warm-up: memory that a graph computes in is counted where it is recorded, and nothing is
    recorded before.
    """
    training.rows = rows
    training.settings["micro_rows"] = max(len(step) for step in steps)
    training.passes = training.fresh_passes() if graphs else EagerAccumulator(training.path)
    seconds = []
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    for number, batch in enumerate(steps * (2 + REPEATS)):
        began = time.perf_counter()
        training.step(batch)
        if cuda:
            torch.cuda.synchronize()
        if number >= 2 * len(steps):
            seconds.append(time.perf_counter() - began)
    return {
        "tokens": sum(rows.lengths[row] for step in steps for row in step) / len(steps),
        "seconds": sorted(seconds)[len(seconds) // 2],
        "peak_allocated_gb": torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0,
        "peak_reserved_gb": torch.cuda.max_memory_reserved() / 1e9 if cuda else 0.0,
    }


def pairs(training: gpu_engine.Training, rows: Rows, steps: list[list[int]], *, cuda: bool) -> dict[str, Any]:
    """The same steps with and without graphs."""
    return {
        "graphs": measured(training, rows, steps, cuda=cuda),
        "launches": measured(training, rows, steps, cuda=cuda, graphs=False),
    }


def growth(training: gpu_engine.Training, vocabulary: int, most: int, *, cuda: bool) -> dict[str, list[Any]]:
    """Both series of the docstring, and the pairs of short steps."""
    found: dict[str, list[Any]] = {"step": [], "sequence": [], "short": []}
    if cuda:
        _warm_up(training, rows_of([512] * 8, vocabulary))
    for tokens in [tokens for tokens in STEP_TOKENS if tokens <= most]:
        rows = rows_of([512] * (tokens // 512), vocabulary)
        found["step"].append(measured(training, rows, [list(range(len(rows.ids)))], cuda=cuda))
    for tokens in [tokens for tokens in SEQUENCE_TOKENS if tokens <= most]:
        found["sequence"].append(measured(training, rows_of([tokens], vocabulary), [[0]], cuda=cuda))
    for tokens in SHORT_ROWS:
        found["short"].append(pairs(training, rows_of([tokens] * 16, vocabulary), [list(range(16))], cuda=cuda))
    return found


def _warm_up(training: gpu_engine.Training, rows: Rows) -> None:
    """Keep the GPU busy until its clock has risen: the first seconds of a process were up to a sixth slower."""
    training.rows, training.settings["micro_rows"] = rows, len(rows.ids)
    began = time.perf_counter()
    while time.perf_counter() - began < WARM_UP_SECONDS:
        training.step(list(range(len(rows.ids))))
        torch.cuda.synchronize()


def _free(*, cuda: bool) -> None:
    """Give back the memory of a training that is over."""
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    shape = TINY_SHAPE if options.tiny else FULL_SHAPE
    cuda = options.device == "cuda"
    usual: dict[str, Any] = {"tiny": options.tiny, "device": options.device, "dropout": 0.1}
    found: dict[str, Any] = {"environment": environment(options.device)}
    with paused_garbage_collector():
        training = gpu_engine.Training(
            "lora", rows_of([8], shape["vocab_size"]), **usual, settings={"micro_rows": 1, "recompute": True}
        )
        found |= growth(training, shape["vocab_size"], 1024 if options.tiny else 65536, cuda=cuda)
        del training
        _free(cuda=cuda)
        for method in ("lora", "full"):
            smaller = gpu_engine.Training(
                method, rows_of([8], shape["vocab_size"]), **usual,
                settings={"micro_rows": 16, "micro_tokens": 2560}, shape=None if options.tiny else SMALL_SHAPE,
            )  # fmt: skip
            found[f"billion_{method}"] = [
                pairs(smaller, rows_of([tokens] * 16, shape["vocab_size"]), [list(range(16))], cuda=cuda)
                for tokens in SHORT_ROWS
            ]
            del smaller
            _free(cuda=cuda)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    show(found)


def show(found: dict[str, Any]) -> None:
    """Print a line for each thing measured."""
    lines = [(series, line) for series in ("step", "sequence") for line in found[series]]
    lines += [
        (f"{name}, {way}", pair[way])
        for name in ("short", "billion_lora", "billion_full")
        for pair in found[name]
        for way in ("graphs", "launches")
    ]
    for name, line in lines:
        print(
            f"{name:24} {line['tokens']:8.0f} tokens {line['seconds'] * 1e3:9.1f} ms "
            f"{line['seconds'] * 1e6 / line['tokens']:7.1f} us/token "
            f"{line['peak_allocated_gb']:6.2f} GB of {line['peak_reserved_gb']:6.2f} reserved"
        )


if __name__ == "__main__":
    main()

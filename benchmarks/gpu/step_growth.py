"""How time and memory of a step grow with its tokens (512 to 65,536), and with one sequence (512 to 8,192 tokens).

    python -m benchmarks.gpu.step_growth --out benchmarks/results

LoRA of a 7B with activation checkpointing, one pack a step. Then what CUDA graphs save, in pairs of the same network
with and without them: steps of 16 short rows of that training, and of a network of a billion weights, LoRA and full.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.lib.engine import Training
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.timing import free_memory, synchronize
from benchmarks.lib.workload import SMALL_SHAPE, Rows, random_rows, vocabulary_of
from showdown.core.spec import SharedProtocol
from showdown.engine.accumulate import EagerAccumulator
from showdown.engine.garbage_collector import paused_garbage_collector
from showdown.tasks.classification.objective import CrossEntropy

STEP_TOKENS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
SEQUENCE_TOKENS = (512, 1024, 2048, 4096, 8192)
SHORT_ROWS = (8, 16, 32, 64, 128)
"""Tokens of each of the 16 rows of a short step."""
REPEATS = 3
WARM_UP_SECONDS = 4.0


def measured(
    training: Training, rows: Rows, steps: list[list[int]], *, cuda: bool, graphs: bool = True
) -> dict[str, float]:
    """Return the median seconds of the steps over these rows after two rounds of warm-up, and the peaks of memory.

    The peaks include the warm-up, since the memory of a CUDA graph is allocated when it is recorded.
    """
    training.rows = rows
    training.settings["micro_rows"] = max(len(step) for step in steps)
    training.passes = (
        training.fresh_passes() if graphs else EagerAccumulator(training.path, CrossEntropy(SharedProtocol()))
    )
    seconds = []
    device = "cuda" if cuda else "cpu"
    synchronize(device)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for number, batch in enumerate(steps * (2 + REPEATS)):
        began = time.perf_counter()
        training.step(batch)
        synchronize(device)
        if number >= 2 * len(steps):
            seconds.append(time.perf_counter() - began)
    return {
        "tokens": sum(rows.lengths[row] for step in steps for row in step) / len(steps),
        "seconds": sorted(seconds)[len(seconds) // 2],
        "peak_allocated_gb": torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0,
        "peak_reserved_gb": torch.cuda.max_memory_reserved() / 1e9 if cuda else 0.0,
    }


def pairs(training: Training, rows: Rows, steps: list[list[int]], *, cuda: bool) -> dict[str, Any]:
    """Measure the same steps with and without CUDA graphs."""
    return {
        "graphs": measured(training, rows, steps, cuda=cuda),
        "launches": measured(training, rows, steps, cuda=cuda, graphs=False),
    }


def growth(training: Training, vocabulary: int, most: int, *, cuda: bool) -> dict[str, list[Any]]:
    """Measure both series, and the pairs of short steps."""
    found: dict[str, list[Any]] = {"step": [], "sequence": [], "short": []}
    if cuda:
        _warm_up(training, random_rows([512] * 8, vocabulary))
    for tokens in [tokens for tokens in STEP_TOKENS if tokens <= most]:
        rows = random_rows([512] * (tokens // 512), vocabulary)
        found["step"].append(measured(training, rows, [list(range(len(rows.ids)))], cuda=cuda))
    for tokens in [tokens for tokens in SEQUENCE_TOKENS if tokens <= most]:
        found["sequence"].append(measured(training, random_rows([tokens], vocabulary), [[0]], cuda=cuda))
    for tokens in SHORT_ROWS:
        found["short"].append(pairs(training, random_rows([tokens] * 16, vocabulary), [list(range(16))], cuda=cuda))
    return found


def _warm_up(training: Training, rows: Rows) -> None:
    """Keep the GPU busy until its clock has risen: the first seconds of a process take up to a sixth longer."""
    training.rows, training.settings["micro_rows"] = rows, len(rows.ids)
    began = time.perf_counter()
    while time.perf_counter() - began < WARM_UP_SECONDS:
        training.step(list(range(len(rows.ids))))
        torch.cuda.synchronize()


def _checkpointed_lora(options: argparse.Namespace, vocabulary: int) -> Training:
    return Training(
        "lora", random_rows([8], vocabulary), tiny=options.tiny, device=options.device, dropout=0.1,
        settings={"micro_rows": 1, "recompute": True},
    )  # fmt: skip


def short_and_long(options: argparse.Namespace, tokens: Sequence[int]) -> list[dict[str, float]]:
    """Measure LoRA steps of so many tokens each, in rows of 512, the GPU warm."""
    vocabulary, cuda = vocabulary_of(tiny=options.tiny), options.device == "cuda"
    training = _checkpointed_lora(options, vocabulary)
    if cuda:
        _warm_up(training, random_rows([512] * 8, vocabulary))
    steps = [random_rows([512] * (count // 512), vocabulary) for count in tokens]
    return [measured(training, rows, [list(range(len(rows.ids)))], cuda=cuda) for rows in steps]


def seven_billion(options: argparse.Namespace) -> dict[str, list[Any]]:
    """Measure LoRA of the 7B."""
    vocabulary, cuda = vocabulary_of(tiny=options.tiny), options.device == "cuda"
    training = _checkpointed_lora(options, vocabulary)
    found = growth(training, vocabulary, 1024 if options.tiny else 65536, cuda=cuda)
    del training
    free_memory(options.device)
    return found


def billion(options: argparse.Namespace) -> dict[str, list[Any]]:
    """Measure short steps of LoRA and of full fine-tuning of a network of a billion weights."""
    vocabulary, found = vocabulary_of(tiny=options.tiny), {}
    for method in ("lora", "full"):
        training = Training(
            method, random_rows([8], vocabulary), tiny=options.tiny, device=options.device, dropout=0.1,
            settings={"micro_rows": 16, "micro_tokens": 2560}, shape=None if options.tiny else SMALL_SHAPE,
        )  # fmt: skip
        found[f"billion_{method}"] = [
            pairs(training, random_rows([tokens] * 16, vocabulary), [list(range(16))], cuda=options.device == "cuda")
            for tokens in SHORT_ROWS
        ]
        del training
        free_memory(options.device)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    with paused_garbage_collector():
        found = {**seven_billion(options), **billion(options)}
    show(found)
    write_result(options, found, device=options.device)


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

"""How step time and memory grow: with the tokens of a step (512 to 65,536), and with one sequence (512 to 8,192).

Run `python benchmarks/gpu_sweep.py --out FILE`. LoRA with recomputed layers, one pack a step.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import gpu_engine
import torch
from gpu_meter import environment
from gpu_workload import FULL_SHAPE, TINY_SHAPE, Rows

from showdown.engine.steady import steady_process

STEP_TOKENS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
SEQUENCE_TOKENS = (512, 1024, 2048, 4096, 8192)


def rows_of(lengths: list[int], vocabulary: int) -> Rows:
    """Random rows of these lengths."""
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(100, vocabulary, (length,), generator=generator) for length in lengths]
    return Rows(ids=ids, targets=[number % 25 for number in range(len(lengths))])


def measured(training: gpu_engine.Training, rows: Rows, *, cuda: bool) -> dict[str, float]:
    """Median seconds of three steps over these rows, and their peak memory."""
    training.rows = rows
    training.settings["micro_rows"] = len(rows.ids)
    batch = list(range(len(rows.ids)))
    training.step(batch)
    seconds = []
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    for _ in range(3):
        began = time.perf_counter()
        training.step(batch)
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0
    return {"tokens": sum(rows.lengths), "seconds": sorted(seconds)[1], "peak_allocated_gb": peak}


def main() -> None:
    """Measure both series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    shape = TINY_SHAPE if options.tiny else FULL_SHAPE
    most = 1024 if options.tiny else 65536
    training = gpu_engine.Training(
        "lora", rows_of([8], shape["vocab_size"]), tiny=options.tiny, device=options.device, dropout=0.1,
        settings={"micro_rows": 1, "recompute": True},
    )  # fmt: skip
    found: dict[str, Any] = {"step": [], "sequence": [], "environment": environment(options.device)}
    with steady_process():
        for tokens in [tokens for tokens in STEP_TOKENS if tokens <= most]:
            rows = rows_of([512] * (tokens // 512), shape["vocab_size"])
            found["step"].append(measured(training, rows, cuda=options.device == "cuda"))
        for tokens in [tokens for tokens in SEQUENCE_TOKENS if tokens <= most]:
            rows = rows_of([tokens], shape["vocab_size"])
            found["sequence"].append(measured(training, rows, cuda=options.device == "cuda"))
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    for series in ("step", "sequence"):
        for line in found[series]:
            print(
                f"{series:9} {line['tokens']:6} tokens {line['seconds'] * 1e3:9.1f} ms "
                f"{line['seconds'] * 1e6 / line['tokens']:7.1f} us/token "
                f"{line['peak_allocated_gb']:6.2f} GB"
            )


if __name__ == "__main__":
    main()

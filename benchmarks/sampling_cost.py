"""What sampling the system costs a training: the same steps with and without it, in pairs, one after the other.

Run `python benchmarks/sampling_cost.py --out benchmarks/results/sampling_cost.json`. A process of its own takes
training steps of a network of the default model's shape (random weights, float32 on a CPU, bfloat16 on a GPU), block
after block; this process samples it during every second block as `showdown run` does, every second pair in turned
order. A block lasts about `--block-seconds`, and has samples at its beginning and end beside those of the interval.
The ratio of a pair is seconds with sampling over seconds without; a median below 1.01 is the goal. Beside the default
interval one a twentieth as long is measured, to show a cost that the noise would hide.
"""

import argparse
import json
import math
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from showdown.core.samples import read_samples
from showdown.core.spec import Comparison
from showdown.measure.load import LoadMeter, load_average
from showdown.measure.system import ProcessMeter, gpu_meter
from showdown.runner.sampler import SYSTEM_FILE, Sampler

DEFAULT_SECONDS = float(Comparison.model_fields["sampling_seconds"].default)
SHAPE = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}
ROWS, TOKENS = {"cpu": 4, "cuda": 16}, {"cpu": 96, "cuda": 256}


def train_on_demand(connection: Connection, threads: int) -> None:
    """Take as many steps as asked for and answer with the seconds that they took; ends with 0."""
    import torch

    torch.set_num_threads(threads)
    step, synchronize = training(torch)
    for _ in range(5):
        step()
    connection.send({"device": "cuda" if torch.cuda.is_available() else "cpu", "torch": torch.__version__})
    while steps := connection.recv():
        synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            step()
        synchronize()
        connection.send(time.perf_counter() - began)


def training(torch: Any) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return one training step, and waiting for the device."""
    from transformers import BertConfig, BertForSequenceClassification

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(num_labels=25, **SHAPE)).to(device)
    model = model.to(torch.bfloat16) if device == "cuda" else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    ids = torch.randint(100, 30000, (ROWS[device], TOKENS[device]), device=device)
    targets = torch.randint(0, 25, (ROWS[device],), device=device)

    def step() -> None:
        loss = model(input_ids=ids, labels=targets).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step, torch.cuda.synchronize if device == "cuda" else lambda: None


def block(connection: Connection, steps: int, pid: int, every_seconds: float) -> tuple[float, int]:
    """Return the seconds of a block of steps, and how many samples were taken meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        with Sampler(Path(folder), every_seconds, lambda event: None) as sampler:
            sampler.hear({"kind": "worker", "stage": "train", "pid": pid})
            connection.send(steps)
            seconds = connection.recv()
        return seconds, len(read_samples(Path(folder) / SYSTEM_FILE))


def paired(connection: Connection, steps: int, pid: int, every_seconds: float, pairs: int) -> dict[str, Any]:
    """Return the ratios of blocks with sampling to blocks without."""
    ratios, samples = [], 0
    for pair in range(pairs):
        seconds = {}
        for sampled in (True, False) if pair % 2 else (False, True):
            seconds[sampled], taken = block(connection, steps, pid, every_seconds if sampled else 0.0)
            samples += taken
        ratios.append(seconds[True] / seconds[False])
    ranked, reach = sorted(ratios), 0.98 * math.sqrt(pairs)  # order statistics around the median: 95 %
    low, high = max(0, math.floor(pairs / 2 - reach)), min(pairs - 1, math.ceil(pairs / 2 + reach))
    return {
        "every_seconds": every_seconds,
        "pairs": pairs,
        "samples": samples,
        "ratio_median": round(statistics.median(ratios), 5),
        "ratio_95_percent": [round(ranked[low], 5), round(ranked[high], 5)],
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def seconds_of_a_sample(pid: int) -> float:
    """Return what one reading takes in the sampling process."""
    meter, gpu = ProcessMeter(pid), gpu_meter()
    load = LoadMeter(meter.spent_seconds)
    began = time.perf_counter()
    for _ in range(50):
        meter.read()
        load.read()
        load_average()
        if gpu:
            gpu.read(pid)
    return (time.perf_counter() - began) / 50


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--block-seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2, help="Of the training process on a CPU.")
    options = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=train_on_demand, args=(there, options.threads))
    worker.start()
    about = here.recv()
    assert worker.pid is not None
    few, _ = block(here, 10, worker.pid, 0.0)
    steps = max(1, round(10 * options.block_seconds / few))
    found = {
        "command": f"python benchmarks/sampling_cost.py --pairs {options.pairs} "
        f"--block-seconds {options.block_seconds:g} --threads {options.threads}",
        **about,
        "machine": platform.processor() or platform.machine(),
        "threads": options.threads,
        "steps_of_a_block": steps,
        "milliseconds_of_a_reading": round(1000 * seconds_of_a_sample(worker.pid), 3),
        "results": [
            paired(here, steps, worker.pid, every, options.pairs) for every in (DEFAULT_SECONDS, DEFAULT_SECONDS / 20)
        ],
    }
    here.send(0)
    worker.join()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for result in found["results"]:
        print(f"every {result['every_seconds']} s: ratio {result['ratio_median']}, 95 % {result['ratio_95_percent']}")


if __name__ == "__main__":
    main()

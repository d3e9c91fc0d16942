"""What sampling of the system costs a training: the same steps with and without it, in pairs, one after the other.

    python -m benchmarks.cpu.sampling_cost --out benchmarks/results

A process of its own takes training steps of a network of the default model's shape (random weights, float32 on a CPU,
bfloat16 on a GPU), block after block; this process samples it during every second block as `showdown run` does, every
second pair in reversed order. A block lasts about `--block-seconds`, and is sampled at its start and end as well as at
each interval. The ratio of a pair is seconds with sampling over seconds without; the goal is a median below 1.01. An
interval a twentieth of the default one is measured as well, to show a cost that the noise would hide.
"""

import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.lib.result import argument_parser, write_result
from showdown.core.events import WorkerStarted
from showdown.core.samples import read_samples
from showdown.core.spec import Comparison
from showdown.measure.load import LoadMeter, load_average
from showdown.measure.system import ProcessMeter, gpu_meter
from showdown.runner.sampler import SYSTEM_FILE, Sampler

DEFAULT_SECONDS = float(Comparison.model_fields["sampling_seconds"].default)
SHAPE = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}
ROWS, TOKENS = {"cpu": 4, "cuda": 16}, {"cpu": 96, "cuda": 256}


def train_on_demand(connection: Connection, threads: int) -> None:
    """Take as many steps as the other process asks for and send their seconds back; 0 ends it."""
    import torch

    torch.set_num_threads(threads)
    step, synchronize = training(torch)
    for _ in range(5):
        step()
    connection.send({"device": "cuda" if torch.cuda.is_available() else "cpu"})
    while steps := connection.recv():
        synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            step()
        synchronize()
        connection.send(time.perf_counter() - began)


def training(torch: Any) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a function that takes one training step, and one that waits for the device."""
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
    """Return the seconds of a block of steps, and the number of samples taken during it."""
    with tempfile.TemporaryDirectory() as folder:
        with Sampler(Path(folder), every_seconds, lambda event: None) as sampler:
            sampler.receive(WorkerStarted("a run", "train", pid, None))
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
    """Return the seconds that one reading takes in the sampling process."""
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
    """Measure, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--block-seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2, help="threads of the training process on a CPU")
    options = parser.parse_args()
    here, there = multiprocessing.get_context("spawn").Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=train_on_demand, args=(there, options.threads))
    worker.start()
    about = here.recv()
    assert worker.pid is not None
    few, _ = block(here, 10, worker.pid, 0.0)
    steps = max(1, round(10 * options.block_seconds / few))
    found = {
        "threads": options.threads,
        "steps_of_a_block": steps,
        "milliseconds_of_a_reading": round(1000 * seconds_of_a_sample(worker.pid), 3),
        "intervals": [
            paired(here, steps, worker.pid, every, options.pairs) for every in (DEFAULT_SECONDS, DEFAULT_SECONDS / 20)
        ],
    }
    here.send(0)
    worker.join()
    for result in found["intervals"]:
        print(f"every {result['every_seconds']} s: ratio {result['ratio_median']}, 95 % {result['ratio_95_percent']}")
    write_result(options, found, device=about["device"])


if __name__ == "__main__":
    main()

"""What the default learning rates lose to the best of a wide grid, and how often the convergence check is right.

    python -m benchmarks.statistics.learning_rates --models all-minilm-l6-v2 SMOLLM2_FOLDER --data FOLDER \\
        --processes 12 --gpus 0 1 --seconds 500 --out benchmarks/results
    python -m benchmarks.statistics.learning_rates --summary benchmarks/results/statistics/learning_rates.json

FOLDER holds CSV files with the columns `text` and `label`. Every training goes through the product's loop with the
product's defaults (patience, schedule, cap); the weights that it keeps answer the test rows, once. Beside the grid, the
default rate is trained again with a quarter of the epochs that it took, which cuts it short. What is measured when the
seconds are over, or when the call is interrupted, is written.
"""

import csv
import json
import multiprocessing
import os
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.lib.result import argument_parser, read_result, write_result

MULTIPLES = (1.0, 3.0, 0.3, 10.0, 0.1)
"""Multiples of the default rate; the default first, then the nearest, so that a call that is cut says most."""
METHODS = ("full", "lora", "qlora")
Measured = Callable[[Any], Any]
Task = tuple[Path, str, str, int, Sequence[str], bool, Path]
"""Data, model, method, seed, the GPUs, whether one training is cut short, and the file of records."""
TOKENS = 128
TRAIN_SHARE, VALIDATION_SHARE = 0.55, 0.15
MOST = {"train": 800, "validation": 200, "test": 800}


def sides(path: Path, seed: int) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """Split the rows of a file, label by label."""
    chance = random.Random(seed)
    by_label: dict[str, list[tuple[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_label.setdefault(row["label"], []).append((row["text"], row["label"]))
    found: dict[str, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
    for label in sorted(by_label):
        rows = by_label[label]
        chance.shuffle(rows)
        train = max(1, round(TRAIN_SHARE * len(rows)))
        held = max(1, round(VALIDATION_SHARE * len(rows)))
        found["train"] += rows[:train]
        found["validation"] += rows[train : train + held]
        found["test"] += rows[train + held :]
    for side, rows in found.items():
        chance.shuffle(rows)
        found[side] = rows[: MOST[side]]
    return found, sorted(by_label)


class Bench:
    """One method on one data set: the rows are encoded once, and trained on with each learning rate."""

    def __init__(self, data: Path, model: str, method_name: str, seed: int) -> None:
        import io

        import torch

        from showdown.core.events import EventWriter
        from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
        from showdown.measure.memory import memory_of
        from showdown.measure.phases import PhaseClock
        from showdown.methods.table import build
        from showdown.stages.artifact import job_of
        from showdown.stages.context import StageContext

        torch.set_num_threads(1)
        self.found, labels = sides(data, seed)
        self.method: Any = build(method_name, {})
        spec = RunSpec(
            name=method_name, method=method_name, settings=self.method.settings.model_dump(), model=ModelSpec(id=model),
            protocol=SharedProtocol(max_tokens=TOKENS), seed=seed, data_fingerprint="none",
        )  # fmt: skip
        self.labels, self.job = labels, job_of(spec, tuple(labels))
        self.context = StageContext(
            spec=spec, folder=Path(tempfile.mkdtemp()), job=self.job,
            clock=PhaseClock(memory_of(self.job.placement.device)), events=EventWriter(io.StringIO()),
        )  # fmt: skip
        self.facts = {
            "data": data.stem, "model": Path(model).name, "method": method_name, "seed": seed,
            "train_rows": len(self.found["train"]), "test_rows": len(self.found["test"]),
        }  # fmt: skip
        self.setup = self._setup()
        self.network: Any = None

    def _side(self, name: str) -> Any:
        from showdown.core.examples import Examples

        texts, names = zip(*self.found[name], strict=True)
        count = tuple(range(len(texts)))
        targets = tuple(map(self.labels.index, names))
        return Examples(texts=texts, targets=targets, row_ids=count, duplicate_groups=count)

    def _setup(self) -> Any:
        from showdown.core.memory import MemorySettings
        from showdown.stages import setup

        rows = self.job.protocol.effective_batch_rows
        settings = MemorySettings(micro_batch_rows=rows, recompute=False, gradients_stay=True)
        setup.memory_settings = lambda *_: settings  # small networks: there is room for all of it
        return setup.prepare_training(self.context, self.method, self._side("train"), self._side("validation"))

    def train(
        self, multiple: float, epochs: int | None = None, *, measured: Measured = lambda found: found, **other: Any
    ) -> dict[str, Any]:
        """Train at a multiple of the default rate; return its scores, its epochs and why it ended.

        Args:
            multiple: of the default rate.
            epochs: the most epochs; None for the protocol's.
            measured: turns the validation after an epoch into the one that patience watches.
            other: other keys of the protocol.

        """
        from showdown.training.loop import convergence, train

        before = time.perf_counter()
        protocol = self.job.protocol.model_copy(update={**({"epochs": epochs} if epochs else {}), **other})
        adapted = self.setup.adapt(self.network)
        run = adapted.training(
            protocol=protocol, learning_rate=multiple * self.setup.learning_rate,
            validate=lambda: measured(adapted.validate()), checkpoints=None,
        )  # fmt: skip
        record = self.facts | {"multiple": multiple, "cut": bool(epochs), "learning_rate": run.learning_rate}
        try:
            progress = train(run)
            record |= {"accuracy": self._accuracy(adapted)}
            for key, name in (("true_label_probability",) * 2, ("accuracy", "validation_accuracy")):
                record[name] = [round(epoch[key], 4) for epoch in progress.validation]
            record |= convergence(run, progress).model_dump()
        except FloatingPointError:
            record |= {"accuracy": None, "converged": None, "stopped": "diverged"}
        self.network = self.setup.give_back(adapted)
        return record | {"seconds": round(time.perf_counter() - before, 2)}

    def _accuracy(self, adapted: Any) -> float:
        import torch

        from showdown.evaluation.logits import logits_of
        from showdown.models.tokens import encode, load_tokenizer

        test = self._side("test")
        ids = encode(load_tokenizer(self.setup.base), test.texts, self.setup.limit)
        answers = logits_of(adapted.module, adapted.forward, ids, 64).argmax(dim=1)
        return float((answers == torch.tensor(test.targets)).double().mean())


def trainings(data: Path, model: str, method: str, seed: int, *, cut: bool) -> Iterator[dict[str, Any]]:
    """Train at each multiple of the default rate, and where wanted at the default cut short; yield a record of each."""
    bench = Bench(data, model, method, seed)
    default = bench.train(MULTIPLES[0])
    yield default
    yield from (bench.train(multiple) for multiple in MULTIPLES[1:])
    if cut:
        yield bench.train(MULTIPLES[0], max(1, default.get("epochs", 4) // 4))


def _work(task: Task) -> str:
    """Train all of one task, append each record to a file; return the error, if there was one."""
    data, model, method, seed, gpus, cut, records = task
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[multiprocessing.current_process()._identity[0] % len(gpus)]
    try:
        for record in trainings(data, model, method, seed, cut=cut):
            with records.open("a") as file:
                file.write(json.dumps(record) + "\n")
    except Exception as error:  # the other tasks go on
        return f"{data} {model} {method}: {error!r} {traceback.format_exc()[-900:]}"
    return ""


def summary(records: list[dict[str, Any]]) -> None:
    """Print what the default loses by method and data, and how often the convergence check was right."""
    _print_losses([record for record in records if not record["cut"]])
    trained = [record for record in records if record["accuracy"] is not None]
    _print_convergence(trained)


def _print_losses(records: list[dict[str, Any]]) -> None:
    cells: dict[tuple[str, str, str], dict[float, list[float]]] = {}
    for record in records:
        cell = cells.setdefault((record["model"], record["data"], record["method"]), {})
        cell.setdefault(record["multiple"], []).append(100 * (record["accuracy"] or 0.0))
    print("model | data | method | default | best of the grid | at | loss")
    losses: dict[str, list[float]] = {}
    for name, by_rate in sorted(cells.items()):
        if 1.0 in by_rate:
            scores = {rate: mean(values) for rate, values in by_rate.items()}
            best = max(scores, key=lambda rate: scores[rate])
            loss = scores[best] - scores[1.0]
            losses.setdefault(name[2], []).append(loss)
            columns = f"{scores[1.0]:.1f} | {scores[best]:.1f} | x{best:g} | {loss:.1f} | {len(by_rate)} rates"
            print(" | ".join(name), "|", columns)
    for method, values in losses.items():
        print(f"{method}: mean loss {mean(values):.2f}, most {max(values):.1f} points over {len(values)} cells")


def _print_convergence(records: list[dict[str, Any]]) -> None:
    def cell(record: dict[str, Any]) -> tuple[str, str, str, int]:
        return record["model"], record["data"], record["method"], record["seed"]

    default = {cell(record): record for record in records if record["multiple"] == 1.0 and not record["cut"]}
    short = [record for record in records if record["cut"]]
    behind = [
        record
        for record in short
        if cell(record) in default and default[cell(record)]["accuracy"] - record["accuracy"] > 0.04
    ]
    finished = [record for record in default.values() if record["stopped"] == "patience"]
    for name, some in (
        ("cut to a quarter and more than 4 points behind", behind),
        ("cut to a quarter", short),
        ("default, ended by patience", finished),
    ):
        print(f"{name}: {sum(not record['converged'] for record in some)} of {len(some)} marked")
    print(f"default, epochs: {sorted(record['epochs'] for record in default.values())}")


def measured_within(tasks: list[Task], processes: int, seconds: float) -> None:
    """Train all tasks in a pool of processes, until the seconds are over; print the errors."""
    ends = time.monotonic() + seconds
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        errors = pool.imap_unordered(_work, tasks)
        for _ in tasks:
            try:
                error = errors.next(timeout=max(1.0, ends - time.monotonic()))
            except multiprocessing.TimeoutError:
                pool.terminate()
                break
            if error:
                print(error)


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    """Train, print and write; or print the summary of a result."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--models", nargs="+", default=["all-minilm-l6-v2"])
    parser.add_argument("--data", type=Path, help="folder of the CSV files")
    parser.add_argument("--names", nargs="+", default=["study", "resumes", "news", "custody"], help="of the CSV files")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--gpus", nargs="*", default=[], help="spread the processes over these GPUs")
    parser.add_argument("--no-cut", action="store_true", help="train with the grid of rates alone, none cut short")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after so many seconds")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="print the summary of this result, train nothing")
    options = parser.parse_args()
    if options.summary:
        written: Any = read_result(options.summary).results["trainings"]
        return summary(written)
    if options.data is None:
        parser.error("--data is needed, or --summary")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "records.jsonl"
        tasks = [
            (options.data / f"{name}.csv", model, method, seed, options.gpus, not options.no_cut, lines)
            for seed in range(options.seeds)
            for model in options.models
            for name in options.names
            for method in options.methods
        ]
        try:
            measured_within(tasks, options.processes, options.seconds)
        finally:
            records = _records(lines)
            summary(records)
            write_result(options, {"trainings": records}, device="cuda" if options.gpus else "cpu")


if __name__ == "__main__":
    main()

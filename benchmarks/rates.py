"""What the default learning rates lose to the best of a wide grid, and whether the mark of convergence can be trusted.

    python benchmarks/rates.py --models all-minilm-l6-v2 SMOLLM2_FOLDER --data FOLDER --processes 12 --seconds 500
    python benchmarks/rates.py --summary benchmarks/results/rates.jsonl

FOLDER holds CSV files with the columns `text` and `label`. Every training goes through the product's loop with the
product's defaults (patience, schedule, cap); the test rows are answered by the weights that it leaves, once. Beside
the grid, the default rate is trained again with a quarter of the epochs that it took, which cuts it short.
"""

import argparse
import csv
import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

MULTIPLES = (1.0, 0.1, 10.0, 0.3, 3.0)
"""Times the default rate; the default first."""
METHODS = ("full", "lora", "qlora")
Measured = Callable[[Any], Any]
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
    """One method on one data set: the rows encoded once, a training for each rate."""

    def __init__(self, data: Path, model: str, method_name: str, seed: int) -> None:
        import io
        import tempfile

        import torch

        from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
        from showdown.measure.memory import memory_of
        from showdown.measure.phases import PhaseClock
        from showdown.methods.table import build
        from showdown.runner.worker.entry import Teller
        from showdown.stages.artifact import job_of
        from showdown.stages.context import Scene

        torch.set_num_threads(1)
        self.found, labels = sides(data, seed)
        self.method: Any = build(method_name, {})
        spec = RunSpec(
            name=method_name, method=method_name, settings=self.method.settings.model_dump(), model=ModelSpec(id=model),
            protocol=SharedProtocol(max_tokens=TOKENS), seed=seed, data_fingerprint="none",
        )  # fmt: skip
        self.labels, self.job = labels, job_of(spec, tuple(labels))
        self.scene = Scene(
            spec=spec, folder=Path(tempfile.mkdtemp()), job=self.job,
            clock=PhaseClock(memory_of(self.job.placement.device)), teller=Teller(io.StringIO()),
        )  # fmt: skip
        self.said = {
            "data": data.stem, "model": Path(model).name, "method": method_name, "seed": seed,
            "train_rows": len(self.found["train"]), "test_rows": len(self.found["test"]),
        }  # fmt: skip
        self.ground = self._ground()
        self.network: Any = None

    def _side(self, name: str) -> Any:
        from showdown.core.method import LabelledTexts

        texts, names = zip(*self.found[name], strict=True)
        count = tuple(range(len(texts)))
        return LabelledTexts(texts=texts, targets=tuple(map(self.labels.index, names)), row_ids=count, clusters=count)

    def _ground(self) -> Any:
        from showdown.stages import setup as ground
        from showdown.stages.memory_plan import MemorySettings

        rows = self.job.protocol.effective_batch_rows
        settings = MemorySettings(micro_batch_rows=rows, recompute=False, gradients_stay=True)
        ground.memory_settings = lambda *_: settings  # small networks: there is room for all of it
        return ground.prepare_training(self.scene, self.method, self._side("train"), self._side("validation"))

    def train(
        self, multiple: float, epochs: int | None = None, *, measured: Measured = lambda found: found, **other: Any
    ) -> dict[str, Any]:
        """Train at a multiple of the default rate; with a cap on the epochs it is cut short.

        Args:
            multiple: times the default rate.
            epochs: the cap; None for the protocol's.
            measured: what stands in for the validation after an epoch.
            other: keys of the protocol.

        """
        from showdown.training.loop import convergence, train

        before = time.perf_counter()
        protocol = self.job.protocol.model_copy(update={**({"epochs": epochs} if epochs else {}), **other})
        learner = self.ground.adapt(self.network)
        run = learner.training(
            protocol=protocol, learning_rate=multiple * self.ground.learning_rate,
            validate=lambda: measured(learner.validate()), checkpoints=None,
        )  # fmt: skip
        said = self.said | {"multiple": multiple, "cut": bool(epochs), "learning_rate": run.learning_rate}
        try:
            progress = train(run)
            said |= {"accuracy": self._accuracy(learner)}
            for key, name in (("true_label_probability",) * 2, ("accuracy", "validation_accuracy")):
                said[name] = [round(epoch[key], 4) for epoch in progress.validation]
            said |= convergence(run, progress).model_dump()
        except FloatingPointError:
            said |= {"accuracy": None, "converged": None, "stopped": "diverged"}
        self.network = self.ground.give_back(learner)
        return said | {"seconds": round(time.perf_counter() - before, 2)}

    def _accuracy(self, learner: Any) -> float:
        import torch

        from showdown.evaluation.network import logits_of
        from showdown.models.tokens import encode, load_tokenizer

        test = self._side("test")
        ids = encode(load_tokenizer(self.ground.base), test.texts, self.ground.limit)
        answers = logits_of(learner.module, learner.forward, ids, 64).argmax(dim=1)
        return float((answers == torch.tensor(test.targets)).double().mean())


def trainings(data: Path, model: str, method: str, seed: int) -> Iterator[dict[str, Any]]:
    """Train at each multiple of the default rate, and at the default cut short; yield what each came to."""
    bench = Bench(data, model, method, seed)
    default = bench.train(MULTIPLES[0])
    yield default
    yield from (bench.train(multiple) for multiple in MULTIPLES[1:])
    yield bench.train(MULTIPLES[0], max(1, default.get("epochs", 4) // 4))


def _work(task: tuple[Path, str, str, int, Path]) -> str:
    *asked, out = task
    if os.environ.get("GPUS"):
        os.environ["CUDA_VISIBLE_DEVICES"] = str(
            multiprocessing.current_process()._identity[0] % int(os.environ["GPUS"])
        )
    try:
        for said in trainings(*asked):  # type: ignore[arg-type]
            with out.open("a") as file:
                file.write(json.dumps(said) + "\n")
    except Exception as error:  # one task of many
        import traceback

        return f"{asked}: {error!r} {traceback.format_exc()[-900:]}"
    return ""


def summary(path: Path) -> None:
    """Print what the default loses by method and data, and how often the mark was right."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    cells: dict[tuple[str, str, str], dict[float, list[float]]] = {}
    for one in found:
        if not one["cut"]:
            cell = cells.setdefault((one["model"], one["data"], one["method"]), {})
            cell.setdefault(one["multiple"], []).append(100 * (one["accuracy"] or 0.0))
    print("model | data | method | default | best of the grid | at | loss")
    losses: dict[str, list[float]] = {}
    for cell, by_rate in sorted(cells.items()):
        if 1.0 in by_rate:
            scores = {rate: mean(values) for rate, values in by_rate.items()}
            best = max(scores, key=lambda rate: scores[rate])
            loss = scores[best] - scores[1.0]
            losses.setdefault(cell[2], []).append(loss)
            print(
                " | ".join(cell),
                f"| {scores[1.0]:.1f} | {scores[best]:.1f} | x{best:g} | {loss:.1f} | {len(by_rate)} rates",
            )
    for method, values in losses.items():
        print(f"{method}: mean loss {mean(values):.2f}, most {max(values):.1f} points over {len(values)} cells")
    default = {
        (one["model"], one["data"], one["method"], one["seed"]): one
        for one in found
        if one["multiple"] == 1.0 and not one["cut"] and one["accuracy"] is not None
    }
    short = [one for one in found if one["cut"] and one["accuracy"] is not None]
    behind = [
        one
        for one in short
        if (whole := default.get((one["model"], one["data"], one["method"], one["seed"])))
        and whole["accuracy"] - one["accuracy"] > 0.04
    ]
    finished = [one for one in default.values() if one["stopped"] == "patience"]
    marked = sum(not one["converged"] for one in behind)
    print(f"cut to a quarter and more than 4 points behind: {marked} of {len(behind)} marked")
    print(f"cut to a quarter: {sum(not one['converged'] for one in short)} of {len(short)} marked")
    print(f"default, ended by patience: {sum(not one['converged'] for one in finished)} of {len(finished)} marked")
    print(f"default, epochs: {sorted(one['epochs'] for one in default.values())}")


def main() -> None:
    """Train, or sum up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["all-minilm-l6-v2"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--names", nargs="+", default=["study", "resumes", "news", "custody"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/rates.jsonl"))
    parser.add_argument("--summary", type=Path)
    options = parser.parse_args()
    if options.summary:
        return summary(options.summary)
    tasks = [
        (options.data / f"{name}.csv", model, method, seed, options.out)
        for seed in range(options.seeds)
        for model in options.models
        for name in options.names
        for method in options.methods
    ]
    ends = time.monotonic() + options.seconds
    with multiprocessing.get_context("spawn").Pool(options.processes, maxtasksperchild=None) as pool:
        results = pool.imap_unordered(_work, tasks)
        for _ in tasks:
            try:
                error = results.next(timeout=max(1.0, ends - time.monotonic()))
            except multiprocessing.TimeoutError:
                pool.terminate()
                break
            if error:
                print(error)
    return summary(options.out)


if __name__ == "__main__":
    main()

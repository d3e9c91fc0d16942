"""A comparison of 10,000 runs, from the plan to the report: seconds and memory of the comparison's own process.

    python -m benchmarks.cpu.many_runs --out benchmarks/results

Ten arms, 100 seeds, 10 folds of 300 made-up texts with 10 labels. Training and scoring are stubs: they write the files
of a stage, with random scores, and take no time. The rest is the product: the plan, the loop, the folders and records
of the runs, the results file, the table, the verdict and the reports. Every step is a process of its own, whose seconds
by the clock and of the processor and whose largest resident set are noted: a comparison that is stopped half-way, the
same one again, which does the rest, once more, with nothing left to do, then the verdict and the reports.

In this machine's folder for temporary files every file is written through to the disk, five for each run; of the
seconds by the clock that may be most.
"""

import argparse
import functools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from benchmarks.lib.result import argument_parser, write_result
from showdown.core.csv_writer import csv_writer
from showdown.core.errors import UserError
from showdown.core.events import Listener, PhaseStarted, Step, WorkerStarted
from showdown.core.examples import Examples
from showdown.core.files import write_text
from showdown.core.predictions import digest
from showdown.core.predictor import Classifier
from showdown.core.record import Phase, PredictionSpeed
from showdown.core.spec import Comparison
from showdown.data.prepare import load_labels, load_side
from showdown.display.display import Silent
from showdown.measure.environment import environment
from showdown.runner import execute
from showdown.runner.executor import Place, Resources, Setup, Stage
from showdown.stages.results import ScoreStage, StageError, TrainStage
from showdown.tasks.classification.answers import ClassifierAnswers

ARMS, LABELS, ROWS, FOLDS = 10, 10, 300, 10
VARIANTS = 5
"""Different answers of an arm on a fold; its seeds have them in turn."""
CURVE = '{"training": {"step": [1], "loss": [0.5]}, "validation": []}'
GB = 1e9


class Guessing(Classifier):
    """Answers right as often as its arm is good."""

    score_kind = "probability"

    def __init__(self, examples: dict[str, int], share: float, seed: int) -> None:
        self.examples, self.share = examples, share
        self.draw = np.random.default_rng(seed)

    def scores(self, texts: Any, *, batch_rows: int) -> Any:
        """Return random scores, the highest for the right label in a share of the rows."""
        del batch_rows
        found = self.draw.uniform(0.0, 1.0, (len(texts), LABELS))
        for row, text in enumerate(texts):
            if self.draw.uniform() < self.share:
                found[row, self.examples[text]] += 1.0
        return found / found.sum(axis=1, keepdims=True)


@functools.cache
def sides(data: Path) -> tuple[Examples, Examples, list[str]]:
    """Return test and validation rows of a fold, and the labels."""
    return load_side(data, "test"), load_side(data, "validation"), list(load_labels(data))


def phase(name: str, seconds: float) -> Phase:
    """Return a phase that took so long."""
    return Phase(name=name, seconds=seconds, peak_allocated_gb=0.5, peak_reserved_gb=0.5, peak_device_gb=0.5)


@functools.cache
def scored(data: Path, arm: int, variant: int) -> tuple[str, str]:
    """Return `predictions.csv` and `score.json` of some answers on a fold."""
    test, validation, labels = sides(data)
    truth = dict(zip((*test.texts, *validation.texts), (*test.targets, *validation.targets), strict=True))
    guessing = Guessing(truth, 0.5 + 0.03 * arm, 1000 * arm + variant)
    answers = ClassifierAnswers(guessing, test=test, validation=validation, labels=labels, batch_rows=16)
    predictions = answers.predictions_csv()
    speed = PredictionSpeed(batch_rows=1, rows_per_second=100.0, latency_p50_ms=10.0, latency_p95_ms=12.0)
    stage = ScoreStage(
        **vars(answers.measure()),
        phases=[phase("start", 0.1), phase("prediction", 1.0)],
        predictions_sha256=digest(predictions.encode()),
        predictions_rows=len(test),
        prediction_speeds=[speed, speed.model_copy(update={"batch_rows": 16})],
        speed_others_share=0.0,
    )
    return predictions, stage.model_dump_json()


@functools.cache
def trained() -> str:
    """Return `train.json`."""
    stage = TrainStage(
        title="LoRA",
        phases=[phase("start", 0.1), phase("loading", 1.0), phase("training", 10.0)],
        trained=True,
        train_rows=ROWS,
        trainable_parameters=10_000,
        total_parameters=22_000_000,
        model_size_mb=1.0,
        chosen={"device": "cpu", "precision": "float32", "epoch": 3, "learning_rate": 0.001, "max_tokens": 512},
        notes=[],
        memory_kind="process resident set",
        environment=environment("cpu"),
    )
    return stage.model_dump_json()


class Stubs:
    """An executor whose stages write their files at once, and which stops a comparison after some of them."""

    slots = 1
    place: ClassVar[Place] = Place(gpu=False)

    def __init__(self, listen: Listener, stop_after: int | None) -> None:
        self.listen, self.left = listen, stop_after

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        """Write what the stage would have written."""
        del resources
        if self.left == 0:
            raise KeyboardInterrupt
        self.left = None if self.left is None else self.left - 1
        name = run_folder.name
        self.listen(WorkerStarted(name, stage.name, 0, None))
        self.listen(PhaseStarted(name, stage.name))
        if stage.name == "train":
            self.listen(Step(name, 1, 1, 1, 0.5, 10.0))
            write_text(run_folder / "train.json", trained())
            write_text(run_folder / "curve.json", CURVE)
        else:
            arm, seed = name.split("-")[:2]
            predictions, score = scored(stage.data, int(arm.removeprefix("arm")), int(seed[1:]) % VARIANTS)
            write_text(run_folder / "predictions.csv", predictions)
            write_text(run_folder / "score.json", score)
        future: Future[StageError | None] = Future()
        future.set_result(None)
        return future


def comparison(folder: Path, runs: int) -> Comparison:
    """Return the comparison, whose rows are written into a folder."""
    draw = random.Random(0)
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv_writer(file)
        writer.writerow(["text", "label"])
        for row in range(ROWS):
            words = [f"word{draw.randrange(5000)}" for _ in range(12)]
            writer.writerow([" ".join(words), f"label {row % LABELS}"])
    return Comparison.model_validate(
        {
            "name": "many",
            "data": {"source": str(path)},
            "methods": {f"arm{arm}": {"method": "lora", "rank": 4 + arm} for arm in range(ARMS)},
            "seeds": list(range(runs // (ARMS * FOLDS))),
            "protocol": {"split": {"kind": "kfold", "folds": FOLDS}, "tuning": None},
        }
    )


def run(folder: Path, runs: int, stop_after: int | None) -> dict[str, Any]:
    """Carry the comparison out, or a part of it; return how long the plan took."""
    found: dict[str, Any] = {}
    planned = execute.plan

    def timed_plan(*given: Any) -> Any:
        began = time.perf_counter()
        specs = planned(*given)
        found["plan_seconds"] = round(time.perf_counter() - began, 2)
        found["runs"] = len(specs)
        return specs

    def stubs(name: str, setup: Setup) -> Stubs:
        del name
        found["seconds_to_the_loop"] = round(time.perf_counter() - began, 2)
        return Stubs(setup.listen, stop_after)

    execute.plan = timed_plan
    execute.open_executor = stubs
    began = time.perf_counter()
    try:
        results = execute.execute(comparison(folder, runs), folder / "out", Silent())
        found["completed"] = sum(one.status == "completed" for one in results.runs)
    except KeyboardInterrupt:
        found["stopped_after"] = len(list((folder / "out").glob("runs/*/result.json")))
    except UserError as error:
        sys.exit(str(error))
    found["results_mb"] = round((folder / "out" / "results.json").stat().st_size / 1e6, 1)
    return found


def judge(folder: Path) -> dict[str, Any]:
    """Judge the comparison."""
    from showdown import api

    verdict = api.judge(folder / "out")
    return {"sentence": verdict.sentences[0]}


def report(folder: Path, form: str) -> dict[str, Any]:
    """Write a report."""
    from showdown import api

    (path,) = api.write_reports(folder / "out", formats=[form])
    return {"file_mb": round(path.stat().st_size / 1e6, 2)}


def steps(folder: Path, runs: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return the steps, by name, in their order."""
    return {
        "half, then stopped": lambda: run(folder, runs, runs),  # two stages a run
        "the rest": lambda: run(folder, runs, None),
        "nothing left": lambda: run(folder, runs, None),
        "verdict": lambda: judge(folder),
        "markdown": lambda: report(folder, "markdown"),
        "html": lambda: report(folder, "html"),
        "csv": lambda: report(folder, "csv"),
    }


def main() -> None:
    """Carry out every step in a process of its own, and write what it took."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        began, began_processor = time.perf_counter(), time.process_time()
        found = steps(options.folder, options.runs)[options.step]()
        found["seconds"] = round(time.perf_counter() - began, 1)
        found["processor_seconds"] = round(time.process_time() - began_processor, 1)
        found["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB, 3)
        print(json.dumps(found))
        return
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in steps(Path(folder), options.runs):
            command = [sys.executable, "-m", "benchmarks.cpu.many_runs", "--runs", str(options.runs)]
            done = subprocess.run(
                [*command, "--step", name, "--folder", folder], capture_output=True, text=True, check=True
            )
            result[name] = json.loads(done.stdout.splitlines()[-1])
            print(name, json.dumps(result[name]), flush=True)
            write_result(options, result)


if __name__ == "__main__":
    main()

"""Eight equal LoRA runs of a 7B shape on one GPU and on two GPUs of one machine, by `showdown run --gpus`.

    python -m benchmarks.gpu.spread --data ../shared/data/resumes.csv --out benchmarks/results

The weights are random (`benchmarks.gpu.study` writes them), so that only times mean something, and the equality of
results. The eight runs are eight seeds; the rest is the default of the product: each GPU loads the
pretrained network once, and trains and scores its runs on it. A first comparison of one run fills the caches of the
disk. `--gpus` names the GPUs of each case, with commas inside.

`--together` runs the cases at the same time, each on GPUs of its own, as on a machine of four:
`--gpus 0 1,2 --together`. Every case has the same number of threads a process, whichever else runs.

To try it out on a CPU: `CUDA_VISIBLE_DEVICES=0,1,2 python -m benchmarks.gpu.spread --data FILE --tiny --rows 460
--runs 2 --gpus 0 1,2 --together`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.study import TINY, texts_of, write_checkpoint, write_tokenizer
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.workload import FULL_SHAPE

SETTINGS = ["protocol.patience_epochs=null", "protocol.tuning=null", "protocol.deterministic=true",
            "protocol.split={kind: single, seed: 42}", "data.allow_leakage=true", "keep_models=none",
            "share_base=true"]  # fmt: skip
KEPT = ("name", "seed", "status", "error", "train_rows", "train_seconds", "total_seconds", "phases", "accuracy",
        "f1_macro", "predictions_sha256")  # fmt: skip
WRITE_EVERY_SECONDS = 10.0
LOG_LINES = 12


class Case:
    """One comparison, from its command to its end."""

    def __init__(
        self,
        options: argparse.Namespace,
        model: Path,
        gpus: str,
        *,
        seeds: int,
        rows: int,
        threads: int,
        executor: str = "local",
    ) -> None:
        """Start it.

        Args:
            options: of the command line.
            model: folder of the pretrained network.
            gpus: its GPUs, with commas.
            seeds: runs.
            rows: of the data.
            threads: of each process.
            executor: of the comparison.

        """
        self.gpus, self.executor = gpus, executor
        self.output = options.work / f"out-{executor}-{gpus.replace(',', '-')}-{seeds}"
        self.output.mkdir(parents=True)
        self._log = self.output.with_suffix(".log")
        self._runs: dict[str, dict[str, Any]] = {}
        settings = [*SETTINGS, f"protocol.epochs={options.epochs}",
                    f"data.source={options.data.resolve()}", f"model.id={model}", f"data.limit={rows}",
                    f"seeds={list(range(seeds))}"]  # fmt: skip
        command = [sys.executable, "-m", "showdown", "run", str(options.data), "--methods", "lora", "--gpus", gpus,
                   "--executor", executor, "--output", str(self.output)]  # fmt: skip
        command += [part for one in settings for part in ("--set", one)]
        self._began, self._began_at = time.perf_counter(), time.time()
        self.seconds: float | None = None
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": str(threads)}
            )

    def poll(self) -> bool:
        """Tell whether it is over, and note when."""
        if self.seconds is None and self._process.poll() is not None:
            self.seconds = time.perf_counter() - self._began
        return self.seconds is not None

    def end(self) -> None:
        """Interrupt it, which keeps what is finished."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def found(self) -> dict[str, Any]:
        """Return what is there of it so far: when each stage ended, and what each finished run recorded."""
        try:
            runs = json.loads((self.output / "results.json").read_text())["runs"]
        except (OSError, ValueError):
            runs = []
        return {
            "gpus": self.gpus,
            "executor": self.executor,
            "exit_code": self._process.poll(),
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "ended_seconds": self._ended(),
            "runs": [self._kept(run) for run in runs if run["status"] == "completed" or run["error"]],
        }

    def _ended(self) -> dict[str, list[float]]:
        """Return when trainings and scorings ended, in seconds since the command."""
        return {
            stage: sorted(
                round(file.stat().st_mtime - self._began_at, 2) for file in self.output.glob(f"runs/*/{stage}.json")
            )
            for stage in ("train", "score")
        }

    def _kept(self, run: dict[str, Any]) -> dict[str, Any]:
        curve = self.output / str(run["curve_file"])
        losses = json.loads(curve.read_text())["training"]["loss"] if curve.is_file() else None
        return {**{key: run[key] for key in KEPT}, "losses": losses}

    def tail(self) -> str:
        """Return the last lines that it printed."""
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"--- {self.executor}, GPUs {self.gpus}", *lines])


def difference(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how the numbers of two cases differ, for the seeds that both have."""
    seeds = {run["seed"]: run for run in other}
    pairs = [(run, seeds[run["seed"]]) for run in one if run["seed"] in seeds]
    return {
        "equal_predictions": sum(a["predictions_sha256"] == b["predictions_sha256"] is not None for a, b in pairs),
        "equal_losses": sum(a["losses"] == b["losses"] is not None for a, b in pairs),
        "runs": len(pairs),
        "largest_difference_of_a_loss": max(
            (abs(x - y) for a, b in pairs for x, y in zip(a["losses"] or [], b["losses"] or [], strict=False)),
            default=None,
        ),
    }


def compared(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cases with how each compares with the first, where both are over."""
    first = found[0]
    for case in found:
        both = case["seconds"] is not None and first["seconds"] is not None
        case["share_of_the_first"] = round(case["seconds"] / first["seconds"], 4) if both else None
        case["difference_to_the_first"] = difference(first["runs"], case["runs"])
    return found


def watch(cases: Sequence[Case], deadline: float, write: Any) -> None:
    """Wait for cases until the deadline, and write what there is every few seconds."""
    written = time.perf_counter()
    while not all([case.poll() for case in cases]) and time.perf_counter() < deadline:
        time.sleep(0.1)
        if time.perf_counter() - written > WRITE_EVERY_SECONDS:
            write()
            written = time.perf_counter()
    for case in cases:
        case.end()
        print(case.tail(), flush=True)


def make_checkpoint(options: argparse.Namespace, shape: dict[str, int], device: str) -> Path:
    """Return the folder of the pretrained network, written where it is missing."""
    model: Path = options.work / "mistral-7b-shape"
    if not (model / "model.safetensors.index.json").exists():
        model.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        write_tokenizer(model, texts_of(options.data), shape["vocab_size"])
        write_checkpoint(model, shape, device)
        print(f"checkpoint written in {time.perf_counter() - began:.0f} s", flush=True)
    return model


def main() -> None:
    """Make the checkpoint, run the comparison on each choice of GPUs, and write what was recorded."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="the study's CSV file")
    parser.add_argument("--gpus", nargs="+", default=["0", "0,1"], help="of each case, the first is the reference")
    parser.add_argument("--together", action="store_true", help="run the cases at the same time")
    parser.add_argument("--rows", type=int, default=962, help="of the data")
    parser.add_argument("--warm-rows", type=int, default=500, help="of the comparison that fills the caches")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/gpu_spread"), help="of checkpoint and comparisons")
    parser.add_argument("--seconds", type=float, default=400.0, help="stop what is left after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    import torch

    deadline = time.perf_counter() + options.seconds
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = TINY if options.tiny else FULL_SHAPE
    model = make_checkpoint(options, shape, device)
    threads = max(1, (os.cpu_count() or 1) // max(1, len({gpu for gpus in options.gpus for gpu in gpus.split(",")})))
    result: dict[str, Any] = {
        "shape": shape, "rows": options.rows, "epochs": options.epochs, "settings": SETTINGS, "threads": threads,
        "at_the_same_time": options.together,
    }  # fmt: skip
    cases: list[Case] = []

    def write() -> None:
        result["cases"] = compared([case.found() for case in cases])
        write_result(options, result, device=device)

    warm = Case(options, model, options.gpus[0], seeds=1, rows=options.warm_rows, threads=threads)
    watch([warm], deadline, lambda: None)
    result["warm"] = {key: value for key, value in warm.found().items() if key != "runs"}
    for group in [options.gpus] if options.together else [[gpus] for gpus in options.gpus]:
        started = [Case(options, model, gpus, seeds=options.runs, rows=options.rows, threads=threads) for gpus in group]
        cases.extend(started)
        watch(started, deadline, write)
        write()
    print(json.dumps([{key: value for key, value in case.items() if key != "runs"} for case in result["cases"]]))


if __name__ == "__main__":
    main()

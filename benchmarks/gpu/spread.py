"""Eight equal LoRA runs of a 7B shape on one GPU and on two GPUs of one machine, by `showdown run --gpus`.

    python -m benchmarks.gpu.spread --data ../shared/data/resumes.csv --out benchmarks/results

The weights are random (`benchmarks.gpu.study` writes them), so that only times mean something, and the equality of
results. The eight runs are eight seeds of one epoch; the rest is the default of the product: the pretrained network is
loaded once on each GPU, each run is scored in a process of its own. A first comparison of one run fills the caches of
the disk. `--gpus` names the GPUs of each case, with commas inside.

To try it out on a CPU: `CUDA_VISIBLE_DEVICES=0,1 python -m benchmarks.gpu.spread --data FILE --tiny`.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.study import TINY, texts_of, write_checkpoint, write_tokenizer
from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.workload import FULL_SHAPE

SETTINGS = ["protocol.epochs=1", "protocol.patience_epochs=null", "protocol.tuning=null", "protocol.deterministic=true",
            "protocol.split={kind: single, seed: 42}", "data.allow_leakage=true", "keep_models=none",
            "share_base=true"]  # fmt: skip
KEPT = ("name", "seed", "status", "error", "train_rows", "train_seconds", "total_seconds", "phases", "accuracy",
        "f1_macro", "predictions_sha256")  # fmt: skip


def command_of(options: argparse.Namespace, model: Path, output: Path, gpus: str, seeds: int, rows: int) -> list[str]:
    """Return what a user types for one comparison."""
    settings = [*SETTINGS, f"data.source={options.data.resolve()}", f"model.id={model}", f"data.limit={rows}",
                f"seeds={list(range(seeds))}"]  # fmt: skip
    return [sys.executable, "-m", "showdown", "run", str(options.data), "--methods", "lora", "--gpus", gpus,
            "--output", str(output), *(part for one in settings for part in ("--set", one))]  # fmt: skip


def case(options: argparse.Namespace, model: Path, gpus: str, seeds: int, rows: int) -> dict[str, Any]:
    """Run one comparison to its end, and return its seconds and its runs."""
    output = options.work / f"out-{gpus.replace(',', '-')}-{seeds}"
    began = time.perf_counter()
    try:
        code: int | None = subprocess.run(
            command_of(options, model, output, gpus, seeds, rows), timeout=options.seconds, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        code = None
    seconds = time.perf_counter() - began
    runs = json.loads((output / "results.json").read_text())["runs"]
    started_at = time.time() - (time.perf_counter() - began)
    for run in runs:
        folder = output / "runs" / run["run_id"]
        run["ended_seconds"] = {
            name: round((folder / f"{name}.json").stat().st_mtime - started_at, 2)
            for name in ("train", "score")
            if (folder / f"{name}.json").is_file()
        }
        curve = output / str(run["curve_file"])
        run["losses"] = json.loads(curve.read_text())["training"]["loss"] if curve.is_file() else None
    kept = [{key: run[key] for key in (*KEPT, "losses", "ended_seconds")} for run in runs]
    return {"gpus": gpus, "exit_code": code, "seconds": round(seconds, 2), "runs": kept}


def difference(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the numbers of two cases differ, run by run."""
    pairs = list(zip(one, other, strict=True))
    return {
        "equal_predictions": sum(a["predictions_sha256"] == b["predictions_sha256"] is not None for a, b in pairs),
        "equal_losses": sum(a["losses"] == b["losses"] is not None for a, b in pairs),
        "runs": len(pairs),
        "largest_difference_of_a_loss": max(
            (abs(x - y) for a, b in pairs for x, y in zip(a["losses"] or [], b["losses"] or [], strict=False)),
            default=None,
        ),
    }


def main() -> None:
    """Make the checkpoint, run the comparison on each choice of GPUs, and write what was recorded."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="the study's CSV file")
    parser.add_argument("--gpus", nargs="+", default=["0", "0,1"], help="of each case, the first is the reference")
    parser.add_argument("--rows", type=int, default=560, help="of the data")
    parser.add_argument("--warm-rows", type=int, default=500, help="of the comparison that fills the caches")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/gpu_spread"), help="of checkpoint and comparisons")
    parser.add_argument("--seconds", type=float, default=220.0, help="stop each comparison after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="use a tiny network, to try the benchmark out")
    options = parser.parse_args()
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape, texts = TINY if options.tiny else FULL_SHAPE, texts_of(options.data)
    model = options.work / "mistral-7b-shape"
    if not (model / "model.safetensors.index.json").exists():
        model.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        write_tokenizer(model, texts, shape["vocab_size"])
        write_checkpoint(model, shape, device)
        print(f"checkpoint written in {time.perf_counter() - began:.0f} s", flush=True)
    result: dict[str, Any] = {"shape": shape, "rows": options.rows, "settings": SETTINGS, "cases": []}
    warm = case(options, model, "0", 1, options.warm_rows)
    print(f"warmed up in {warm['seconds']:.0f} s, code {warm['exit_code']}", flush=True)
    for gpus in options.gpus:
        found = case(options, model, gpus, options.runs, options.rows)
        cases = result["cases"]
        cases.append(found)
        found["share_of_the_first"] = round(found["seconds"] / cases[0]["seconds"], 4)
        found["difference_to_the_first"] = difference(cases[0]["runs"], found["runs"])
        print(json.dumps({key: value for key, value in found.items() if key != "runs"}), flush=True)
        write_result(options, result, device=device)


if __name__ == "__main__":
    main()

"""Two versions of Showdown side by side: seconds of training, peak memory and predictions of the same runs.

    python -m benchmarks.cpu.before_after --before ../older/src
    python -m benchmarks.cpu.before_after --before ../older/src --device cuda --variant gpu

Each version carries out the same comparison through its command line, one after the other, and in every second pair in
the other order. On a CPU it is the default model on the default data, on a GPU a decoder of Llama-3.2-1B's shape with
random weights on texts of the study's lengths. For each method it prints the ratio of the medians, and whether the
predictions of all runs are the same bytes. A GPU need not repeat itself, so it also says this of each version alone.
"""

import argparse
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lib.result import ROOT, argument_parser, write_result

METHODS = ("full", "lora", "qlora")
QUANTITIES = ("train_seconds", "total_seconds", "peak_allocated_gb", "latency_p50_ms")
LENGTHS = ROOT / "benchmarks" / "lib" / "seed_lengths.json"
SHAPE = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
"""Llama-3.2-1B's layers."""
_WORDS = 2000
_LABELS = 10
_SPECIAL = 3


def words() -> list[str]:
    """Return the vocabulary of the random texts: one token a word."""
    return [f"w{number}" for number in range(_WORDS)]


def write_model(folder: Path) -> None:
    """Write a Mistral-like decoder with seeded random weights in bfloat16, and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<unk>", "<s>", "</s>", *words()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=512
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = MistralConfig(vocab_size=len(vocabulary), max_position_embeddings=4096, sliding_window=None, **SHAPE)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = MistralForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)


def write_texts(path: Path, rows: int) -> None:
    """Write random texts of the study's lengths, no two alike, every fourth word of a label's own."""
    lengths = json.loads(LENGTHS.read_text())["train"]
    draw, known = random.Random(0), words()
    lines = ["text,label"]
    for row in range(rows):
        label = row % _LABELS
        text = [draw.choice(known) for _ in range(max(8, lengths[row % len(lengths)] - _SPECIAL))]
        text[::4] = [known[label]] * len(text[::4])
        lines.append(f"{' '.join(text)},label {label}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_comparison(folder: Path, options: argparse.Namespace) -> Path:
    """Write what both versions are given: a fixed number of epochs, so that both take the same steps."""
    protocol: dict[str, Any] = {
        "epochs": options.epochs,
        "patience_epochs": None,
        "tuning": None,
        "dropout": 0.0,
        "select_epoch": "last",
        "split": {"kind": "single", "train": 0.7, "validation": 0.15, "test": 0.15},
    }
    asked: dict[str, Any] = {
        "name": "before-after",
        "methods": {method: {} for method in options.methods},
        "protocol": protocol,
        "seeds": [0],
    }
    if options.device == "cuda":
        write_model(folder / "model")
        write_texts(folder / "texts.csv", options.examples)
        asked |= {"model": {"id": str(folder / "model")}, "data": {"source": str(folder / "texts.csv")}}
    else:
        protocol |= {"max_tokens": 128, "effective_batch_rows": 8}
        asked |= {"data": {"source": "resumes", "limit": options.examples, "rare_labels": "drop"}}
    path = folder / "comparison.yaml"
    path.write_text(json.dumps(asked), encoding="utf-8")  # JSON is YAML
    return path


def carry_out(source: Path, comparison: Path, output: Path) -> dict[str, dict[str, Any]]:
    """Run a comparison with one version, and return what it says of each method."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-P", "-m", "showdown", "run", str(comparison), "--output", str(output)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source}: the comparison failed\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    runs = json.loads((output / "results.json").read_text())["runs"]
    lost = [f"{run['name']}: {run['error']}" for run in runs if run["status"] != "completed"]
    if lost:
        raise SystemExit(f"{source}: {'; '.join(lost)}")
    return {run["name"]: _facts(run, output) for run in runs}


def _facts(run: Mapping[str, Any], output: Path) -> dict[str, Any]:
    memory = run["peak_memory_allocated_gb"]
    predictions = (output / run["predictions_file"]).read_bytes()
    return {
        "train_seconds": run["train_seconds"],
        "total_seconds": run["total_seconds"],
        "peak_allocated_gb": memory["training"],
        "latency_p50_ms": run["latency_p50_ms"],
        "predictions_sha256": hashlib.sha256(predictions).hexdigest(),
    }


def compared(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ratios (after over before) of one method, and whether all predictions are equal."""
    found: dict[str, Any] = {}
    for key in QUANTITIES:
        old, new = [one[key] for one in before], [one[key] for one in after]
        found[key] = {
            "before": old,
            "after": new,
            "ratio_of_medians": round(statistics.median(new) / statistics.median(old), 4),
            "ratio_of_each_pair": [round(b / a, 4) for a, b in zip(old, new, strict=True)],
        }
    for name, runs in (("all", [*before, *after]), ("before", before), ("after", after)):
        found[f"same_predictions_{name}"] = len({one["predictions_sha256"] for one in runs}) == 1
    return found


def main() -> None:
    """Measure the pairs and write them."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--before", type=Path, required=True, help="`src` folder of the older version")
    parser.add_argument("--after", type=Path, default=ROOT / "src", help="`src` folder of the newer version")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--examples", type=int, default=300)
    options = parser.parse_args()
    runs: dict[str, list[dict[str, dict[str, Any]]]] = {"before": [], "after": []}
    sources = {"before": options.before.resolve(), "after": options.after.resolve()}
    with tempfile.TemporaryDirectory() as place:
        comparison = write_comparison(Path(place), options)
        carry_out(sources["before"], comparison, Path(place) / "warm-up")  # fills the cache of files
        for pair in range(options.pairs):
            for side in ("before", "after") if pair % 2 == 0 else ("after", "before"):
                runs[side].append(carry_out(sources[side], comparison, Path(place) / f"{side}-{pair}"))
                print(side, pair, {name: one["train_seconds"] for name, one in runs[side][-1].items()}, flush=True)
    results = {
        method: compared([run[method] for run in runs["before"]], [run[method] for run in runs["after"]])
        for method in options.methods
    }
    for method, found in results.items():
        ratios = "  ".join(f"{key} {found[key]['ratio_of_medians']}" for key in QUANTITIES)
        print(f"{method}: {ratios}  same predictions: {found['same_predictions_all']}")
    write_result(options, results, device=options.device)


if __name__ == "__main__":
    main()

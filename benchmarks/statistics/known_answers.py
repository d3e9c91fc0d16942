"""Does the default comparison give the known answer where the answer is known?

    python benchmarks/anchored.py --out benchmarks/results/anchored.json

`itineraries` (800 rows): full fine-tuning must be shown to beat frozen embeddings and TF-IDF. `requests` (24 labels, 4
rows each): neither full fine-tuning nor LoRA may be shown to beat frozen embeddings, and neither may end below them by
more than chance without being called under-trained. Everything is the default but what would take an hour on two cores:
64 tokens (no text has more), one seed, no search for a rate, one split and three folds.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import known_answers

import showdown


def compared(
    name: str, rows: list[tuple[str, str]], methods: list[str], folder: Path, split: dict[str, Any]
) -> dict[str, Any]:
    """Run a comparison and return what it came to."""
    source = known_answers.write_csv(rows, folder / f"{name}.csv")
    comparison = {
        "name": name,
        "data": {"source": str(source)},
        "methods": {method: {} for method in methods},
        "protocol": {"max_tokens": 64, "tuning": None, "split": split},
        "seeds": [0],
    }
    results = showdown.run(comparison, output=folder / name)
    verdict = showdown.judge(folder / name)
    return {
        "accuracy": {row.name: row.accuracy and row.accuracy.value for row in verdict.rows},
        "converged": {run.run_id: run.convergence and run.convergence.model_dump() for run in results.runs},
        "pairs": [pair.model_dump(mode="json") for pair in verdict.pairs],
        "sentences": verdict.sentences,
    }


def shown_better(found: dict[str, Any], first: str, second: str) -> bool:
    """Return whether the verdict tells the first from the second, and for the better."""
    for pair in found["pairs"]:
        gain = pair["accuracy"]["value"]
        if {pair["first"], pair["second"]} == {first, second} and pair["different"]:
            return bool((gain > 0) == (pair["first"] == first))
    return False


def main() -> None:
    """Run both and say what holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    many = compared(
        "itineraries", known_answers.itineraries(800), ["tfidf", "frozen", "full"], folder, {"kind": "single"}
    )
    thirds = {"kind": "kfold", "folds": 3}
    few = compared("requests", known_answers.requests(4), ["frozen", "full", "lora"], folder, thirds)
    below = [name for name in ("full", "lora") if shown_better(few, "frozen", name)]
    held = {
        "full beats frozen on itineraries": shown_better(many, "full", "frozen"),
        "full beats tfidf on itineraries": shown_better(many, "full", "tfidf"),
        "full is not shown to beat frozen on few requests": not shown_better(few, "full", "frozen"),
        "lora is not shown to beat frozen on few requests": not shown_better(few, "lora", "frozen"),
        "what ends below frozen on few requests is called under-trained": all(
            any(f"{name} is under-trained" in sentence for sentence in few["sentences"]) for name in below
        ),
    }
    for name, found in (("itineraries", many), ("requests", few)):
        print(name, json.dumps(found["accuracy"]), *found["sentences"][:3], sep="\n  ")
    for claim, holds in held.items():
        print("holds " if holds else "FAILS ", claim)
    if options.out:
        options.out.write_text(json.dumps({"held": held, "itineraries": many, "requests": few}, indent=1) + "\n")
    sys.exit(not all(held.values()))


if __name__ == "__main__":
    main()

"""Does the default comparison give the known answer where the answer is known?

    python benchmarks/anchored.py --out benchmarks/results/anchored.json

`custody` (1,500 rows): full fine-tuning must be shown to beat frozen embeddings and TF-IDF. `requests` (24 labels, 4
rows each): frozen embeddings must not be shown to be worse than full fine-tuning or LoRA. Everything is the default but
the tokens (64), which no text exceeds, and one split of custody in place of five folds, which would take an hour.
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
    name: str, rows: list[tuple[str, str]], methods: list[str], folder: Path, **protocol: Any
) -> dict[str, Any]:
    """Run a comparison with the defaults and these keys of the protocol, and return what it came to."""
    source = known_answers.write_csv(rows, folder / f"{name}.csv")
    comparison = {
        "name": name,
        "data": {"source": str(source)},
        "methods": {method: {} for method in methods},
        "protocol": {"max_tokens": 64, **protocol},
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
    custody = compared(
        "custody", known_answers.custody(1500), ["tfidf", "frozen", "full"], folder, split={"kind": "single"}
    )
    few = compared("requests", known_answers.requests(4), ["frozen", "full", "lora"], folder)
    held = {
        "full beats frozen on custody": shown_better(custody, "full", "frozen"),
        "full beats tfidf on custody": shown_better(custody, "full", "tfidf"),
        "full is not shown to beat frozen on few requests": not shown_better(few, "full", "frozen"),
        "lora is not shown to beat frozen on few requests": not shown_better(few, "lora", "frozen"),
    }
    for name, found in (("custody", custody), ("requests", few)):
        print(name, json.dumps(found["accuracy"]), *found["sentences"][:3], sep="\n  ")
    for claim, holds in held.items():
        print("holds " if holds else "FAILS ", claim)
    if options.out:
        options.out.write_text(json.dumps({"held": held, "custody": custody, "requests": few}, indent=1) + "\n")
    sys.exit(not all(held.values()))


if __name__ == "__main__":
    main()

"""Does the default comparison give the right answer on data for which the answer is known?

    python -m benchmarks.statistics.known_answers --out benchmarks/results

`itineraries` (800 rows): full fine-tuning must be shown to beat frozen embeddings and TF-IDF. `requests` (24 labels, 4
rows each): neither full fine-tuning nor LoRA may be shown to beat frozen embeddings, and one that is shown to be worse
must be called under-trained. Everything is the default except what would take an hour on two cores: 64 tokens (no text
has more), one seed, no search for a learning rate, one split and three folds.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import showdown
from benchmarks.lib import grammar_texts
from benchmarks.lib.result import argument_parser, write_result


def compared(
    name: str, rows: list[tuple[str, str]], methods: list[str], folder: Path, split: dict[str, Any]
) -> dict[str, Any]:
    """Run a comparison and return its scores and verdict."""
    source = grammar_texts.write_csv(rows, folder / f"{name}.csv")
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
    """Return whether the verdict shows that the first is better than the second."""
    for pair in found["pairs"]:
        gain = pair["accuracy"]["value"]
        if {pair["first"], pair["second"]} == {first, second} and pair["different"]:
            return bool((gain > 0) == (pair["first"] == first))
    return False


def main() -> int:
    """Run both comparisons, print and write; return 1 where an answer is wrong."""
    options = argument_parser(__file__, __doc__).parse_args()
    folder = Path(tempfile.mkdtemp())
    many = compared(
        "itineraries", grammar_texts.itineraries(800), ["tfidf", "frozen", "full"], folder, {"kind": "single"}
    )
    thirds = {"kind": "kfold", "folds": 3}
    few = compared("requests", grammar_texts.requests(4), ["frozen", "full", "lora"], folder, thirds)
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
    write_result(options, {"held": held, "itineraries": many, "requests": few})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
